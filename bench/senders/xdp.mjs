/** Sends numbered frames with an AF_XDP socket and tells how long it took until the last had left. */
import { XdpSocket } from '../../dist/src/index.js';
import { batch, device, frames, measure, prepare, size } from './harness.mjs';

const TIMEOUT_MS = 1000;

const socket = XdpSocket.builder({ interface: device, queueId: 0, mode: 'tx', frameSize: 2048, frameCount: 4096 }).build();

await measure((total) => {
  for (let sent = 0; sent < total; sent += size) {
    prepare(sent);
    // What met a socket without a free frame goes again.
    for (let taken = socket.sendBatch(batch); taken < size; taken += socket.sendBatch(frames.slice(taken))) socket.waitDrained(TIMEOUT_MS);
  }
  socket.waitDrained(TIMEOUT_MS);
});
