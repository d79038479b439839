/** What the transmit tests share. */
import { AsyncInjector, Injector, PacketBatch, type InjectorOptions } from '@netring/node-red';
import type { Lab } from '../support/lab';
import { output } from '../support/process';
import { CountingWitness, numberedFrame } from '../support/witness';

/** An injector that the lab closes. */
export function injector(lab: Lab, options: InjectorOptions): Injector {
  const opened = Injector.builder(options).build();
  lab.defer(() => opened.close());
  return opened;
}

export function asyncInjector(lab: Lab, options: InjectorOptions): AsyncInjector {
  const opened = new AsyncInjector(Injector.builder(options).build());
  lab.defer(() => opened.close());
  return opened;
}

/**
 * A counting witness, and this process on one CPU from now on. A veth hands frames over in a backlog per CPU, so the kernel itself swaps two that a
 * migrating sender, or the timer of its queue, sent from different CPUs.
 */
export async function judge(lab: Lab, iface: string, total: number): Promise<CountingWitness> {
  const witness = await CountingWitness.open(lab, iface, total);
  const pid = String(process.pid);
  const allowed = /: (\S+)\s*$/.exec(output('taskset', ['-c', '-p', pid]))?.[1] ?? '0';
  output('taskset', ['-a', '-c', '-p', allowed.split(/[,-]/)[0] ?? '0', pid]);
  lab.defer(() => output('taskset', ['-a', '-c', '-p', allowed, pid]));
  return witness;
}

/** A queue that lets frames out slowly and holds `limit` bytes of them. */
export function slowQueue(iface: string, rate: string, limit: number): void {
  output('tc', ['qdisc', 'add', 'dev', iface, 'root', 'tbf', 'rate', rate, 'burst', '16000', 'limit', String(limit)]);
}

/** Numbered frames `first` up to `end`, as the probe judges them. */
export function numbered(first: number, end: number, length = 64): Buffer[] {
  return Array.from({ length: end - first }, (_, i) => numberedFrame(first + i, length));
}

/** A batch of numbered frames that can be numbered anew in place. */
export class NumberedBatch {
  readonly batch: PacketBatch;
  readonly #length: number;

  constructor(count: number, length = 64) {
    this.batch = PacketBatch.from(numbered(0, count, length));
    this.#length = length;
  }

  /** Frames `first` and up; the batch's own memory. */
  from(first: number): PacketBatch {
    const { bytes } = this.batch;
    for (let i = 0; i < this.batch.length; i++) {
      const at = this.batch.offsetAt(i);
      const number = first + i;
      bytes.writeUInt32BE(Math.floor(number / 2 ** 32), at + 14);
      bytes.writeUInt32BE(number >>> 0, at + 18);
      for (let k = 22; k < this.#length; k++) bytes[at + k] = (number + k) & 0xff;
    }
    return this.batch;
  }
}

export const NONE_WRONG = { missing: 0, doubled: 0, changed: 0, unordered: 0, dropped: 0 } as const;
