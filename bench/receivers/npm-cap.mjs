/** The npm package `cap`, where it is installed: one event per packet. It tells no drop counts. */
import { createRequire } from 'node:module';
import { serve, totals } from './harness.mjs';

const { Cap } = createRequire(import.meta.url)('cap');
const cap = new Cap();
const buffer = Buffer.alloc(65535);
cap.open(process.argv[2], '', 16 * 1024 * 1024, buffer);
cap.setMinBytes?.(0);
cap.on('packet', (length) => {
  for (let k = 0; k < 14; k++) totals.sum += buffer[k];
  totals.bytes += length;
  totals.packets++;
});
serve({ drops: () => 0 });
