/** Keeps a borrowed batch until it is told to let go, and then reads on. */
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { serve, walk } from './harness.mjs';
import { resumed } from './resume.mjs';

const capture = new AsyncCapture(Capture.builder({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }).build());
let letGo;
const told = new Promise((resolve) => (letGo = resolve));
serve({ drops: () => capture.cumulativeStats().drops, commands: { letGo: () => resumed(letGo) } });
for (;;) {
  const guard = await capture.readable();
  for (let batch = guard.nextBatch(); batch !== null; batch = guard.nextBatch()) {
    walk(batch);
    await told;
    batch.release();
  }
}
