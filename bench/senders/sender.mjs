/** Sends numbered frames with the injectors and tells how long that took. */
import { AsyncInjector, Injector } from '../../dist/src/index.js';
import { batch, device, frames, measure, method, prepare, size } from './harness.mjs';

const injector = (method === 'async' ? AsyncInjector : Injector).open(device);

/** Sends until the kernel has taken all; the rest of a batch that met a full queue goes again. */
function sendAll(input) {
  for (let sent = injector.sendBatch(input); sent < size;) {
    injector.waitDrained(1000);
    sent += injector.sendBatch(input.slice(sent));
  }
}

const methods = {
  frames: (total) => {
    for (let sent = 0; sent < total; sent += size) {
      prepare(sent);
      sendAll(frames);
    }
  },
  batch: (total) => {
    for (let sent = 0; sent < total; sent += size) {
      prepare(sent);
      if (injector.sendBatch(batch) !== size) throw new Error('the kernel did not take the whole batch');
    }
  },
  async: async (total) => {
    for (let sent = 0; sent < total; sent += size) {
      prepare(sent);
      const result = await injector.sendBatch(batch);
      if (result.sent !== size) throw new Error(`the kernel took ${result.sent} of ${size} frames`);
    }
  },
};

await measure(methods[method]);
