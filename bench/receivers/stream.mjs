/** Owned batches through a stream and pipeline(). */
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { serve, walk } from './harness.mjs';

const stream = new AsyncCapture(Capture.builder({ interface: process.argv[2], ...JSON.parse(process.argv[3]) }).build()).intoStream();
serve({ drops: () => stream.cumulativeStats().drops });
const sink = new Writable({
  objectMode: true,
  write(batch, _encoding, done) {
    walk(batch);
    done();
  },
});
await pipeline(stream, sink);
