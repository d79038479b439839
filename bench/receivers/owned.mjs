/** Owned batches, one at a time, as a program that wants no more than packets writes it. */
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { serve, walk } from './harness.mjs';

const capture = new AsyncCapture(Capture.builder({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }).build());
serve({ drops: () => capture.cumulativeStats().drops });
for await (const batch of capture) walk(batch);
