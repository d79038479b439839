/** Sends numbered frames with the library and tells how long that took. Arguments: method, interface, length, count, batch, [sealed]. */
import { AsyncInjector, Injector, PacketBatch } from '../../dist/src/index.js';
import { processCpuNs, answer } from '../receivers/harness.mjs';
import { buildFrame, numberFrame, sealFrame } from '../lib/frames.mjs';

const [, , method, device, ...rest] = process.argv;
const [length, count, size] = rest.slice(0, 3).map(Number);
const sealed = rest[3] === 'sealed';
/** Enough for the optimising compiler; sent in front and not counted. */
const WARM_UP = sealed ? 0 : 30_000;

const injector = (method === 'async' ? AsyncInjector : Injector).open(device);
const template = buildFrame(length);
const batch = PacketBatch.from(Array.from({ length: size }, () => template));
const { bytes } = batch;
const offsets = Array.from({ length: size }, (_, i) => batch.offsetAt(i));
const frames = Array.from({ length: size }, (_, i) => batch.dataAt(i));

function prepare(first) {
  if (sealed) for (let i = 0; i < size; i++) sealFrame(bytes, offsets[i], length, first + i);
  else for (let i = 0; i < size; i++) numberFrame(bytes, offsets[i], first + i);
}

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

await methods[method](WARM_UP);
const cpu = processCpuNs();
const begin = process.hrtime.bigint();
const total = Math.ceil(count / size) * size;
await methods[method](total);
const wallNs = Number(process.hrtime.bigint() - begin);
answer({ sent: total, warmUp: Math.ceil(WARM_UP / size) * size, wallNs, cpuNs: processCpuNs() - cpu });
process.exit(0);
