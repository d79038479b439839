/** What all senders share: their frames and the measurement. Arguments of the process: method, interface, length, count, batch, [sealed]. */
import { PacketBatch } from '../../dist/src/index.js';
import { buildFrame, numberFrame, sealFrame } from '../lib/frames.mjs';
import { answer, processCpuNs } from '../receivers/harness.mjs';

const [length, count, batchSize] = process.argv.slice(4, 7).map(Number);
const sealed = process.argv[7] === 'sealed';
/** Enough for the optimising compiler; sent in front and not counted. */
const WARM_UP = sealed ? 0 : 30_000;

export const [, , method, device] = process.argv;
/** Frames of a batch. */
export const size = batchSize;

const template = buildFrame(length);
export const batch = PacketBatch.from(Array.from({ length: size }, () => template));
/** The frames of the batch, one by one. */
export const frames = Array.from({ length: size }, (_, i) => batch.dataAt(i));

const { bytes } = batch;
const offsets = Array.from({ length: size }, (_, i) => batch.offsetAt(i));

/** Numbers the frames of the batch from `first` on. */
export function prepare(first) {
  if (sealed) for (let i = 0; i < size; i++) sealFrame(bytes, offsets[i], length, first + i);
  else for (let i = 0; i < size; i++) numberFrame(bytes, offsets[i], first + i);
}

/** Tells how long `send`, which sends that many frames in whole batches, takes; and ends the process. */
export async function measure(send) {
  await send(WARM_UP);
  const cpu = processCpuNs();
  const begin = process.hrtime.bigint();
  const total = Math.ceil(count / size) * size;
  await send(total);
  const wallNs = Number(process.hrtime.bigint() - begin);
  answer({ sent: total, warmUp: Math.ceil(WARM_UP / size) * size, wallNs, cpuNs: processCpuNs() - cpu });
  process.exit(0);
}
