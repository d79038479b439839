/** Borrowed batches: views straight into the frames of an AF_XDP socket. */
import { serve, walk } from './harness.mjs';
import { drops, socket } from './xdp.mjs';

serve({ drops });
for (;;) {
  const batch = await socket.tryRecvBatch();
  walk(batch);
  batch.release();
}
