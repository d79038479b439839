/** Borrowed batches: views straight into the ring. */
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { serve, walk } from './harness.mjs';

const capture = new AsyncCapture(Capture.builder({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }).build());
serve({ drops: () => capture.cumulativeStats().drops });
for (;;) {
  const guard = await capture.readable();
  for (let batch = guard.nextBatch(); batch !== null; batch = guard.nextBatch()) {
    walk(batch);
    batch.release();
  }
}
