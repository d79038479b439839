/** Owned batches of an AF_XDP socket, all that are there on each wake-up. */
import { serve, walk } from './harness.mjs';
import { drops, socket } from './xdp.mjs';

serve({ drops });
for (;;) {
  walk(await socket.recv());
  for (let batch = socket.tryRecv(); batch !== null; batch = socket.tryRecv()) walk(batch);
}
