/** Owned batches of a capture group, read in turn: `group.mjs INTERFACE RING MEMBERS`. */
import { captureGroup } from '../../dist/src/index.js';
import { serve, walk } from './harness.mjs';

const group = await captureGroup(Number(process.argv[4]), {
  interface: process.argv[2],
  ...JSON.parse(process.argv[3]),
  fanoutMode: 'load-balance',
});
serve({ drops: async () => (await group.cumulativeStats()).drops });
for await (const batch of group) walk(batch);
