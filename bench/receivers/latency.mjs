/** How old packets are when a program has them as owned batches. */
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { note, serveAges } from '../lib/ages.mjs';

const capture = new AsyncCapture(Capture.builder({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }).build());
serveAges(() => capture.cumulativeStats().drops);
for await (const batch of capture) note(batch);
