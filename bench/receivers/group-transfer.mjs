/** What a capture group is measured against: a thread that copies each owned batch into an ArrayBuffer that can be transferred, and transfers it. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { AsyncCapture, Capture } from '../../dist/src/index.js';
import { PacketBatch, batchMemory } from '../../dist/src/batches/batch.js';
import { serve, walk } from './harness.mjs';

if (isMainThread) {
  const [, , name, ring, members] = process.argv;
  let dropped = 0;
  for (let member = 0; member < Number(members); member++)
    new Worker(new URL(import.meta.url), {
      workerData: { interface: name, ...JSON.parse(ring), fanoutMode: 'load-balance', fanoutGroup: 99 },
    }).on('message', ({ drops, bytes, index }) => {
      dropped = Math.max(dropped, drops);
      walk(PacketBatch.over(new Uint8Array(bytes), new Uint32Array(index), {}));
    });
  serve({ drops: () => dropped });
} else {
  const capture = new AsyncCapture(Capture.builder(workerData).build());
  for await (const batch of capture) {
    const memory = batchMemory(batch);
    const bytes = Uint8Array.from(memory.bytes).buffer;
    const index = Uint32Array.from(memory.index).buffer;
    parentPort.postMessage({ drops: 0, bytes, index }, [bytes, index]);
  }
}
