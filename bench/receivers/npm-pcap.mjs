/** The npm package `pcap`, where it is installed: one event per packet. */
import { createRequire } from 'node:module';
import { serve, totals } from './harness.mjs';

const pcap = createRequire(import.meta.url)('pcap');
const session = pcap.createSession(process.argv[2], { buffer_size: 16 * 1024 * 1024, buffer_timeout: 10 });
session.on('packet', ({ buf, header }) => {
  for (let k = 0; k < 14; k++) totals.sum += buf[k];
  totals.bytes += header.readUInt32LE(8);
  totals.packets++;
});
serve({ drops: () => session.stats().ps_drop });
