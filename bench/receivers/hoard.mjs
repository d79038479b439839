/** Keeps every owned batch until it is told to let go, and then none. */
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { serve, walk } from './harness.mjs';
import { resumed } from './resume.mjs';

const capture = new AsyncCapture(Capture.builder({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }).build());
let kept = [];
const letGo = () => (kept = null);
serve({ drops: () => capture.cumulativeStats().drops, commands: { letGo: () => resumed(letGo) } });
for await (const batch of capture) {
  walk(batch);
  kept?.push(batch);
}
