/** Owned batches, all that are there on each wake-up. */
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { serve, walk } from './harness.mjs';

const capture = new AsyncCapture(Capture.builder({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }).build());
serve({ drops: () => capture.cumulativeStats().drops });
for (;;) {
  walk(await capture.recv());
  for (let batch = capture.tryRecv(); batch !== null; batch = capture.tryRecv()) walk(batch);
}
