/** Blocking iterations over packets, one after the other over the same batches. */
import type { PacketBatch } from './batch';
import type { Packet } from './packet';

/** A batch that an iteration is in the middle of; empty once another reading call has ended it. */
interface Walk {
  readonly batch: PacketBatch;
  next: number;
}

export class PacketWalk {
  readonly #nextBatch: (timeoutMs: number) => PacketBatch | null;
  readonly #longestWaitMs: number;
  #walk: Walk | undefined;

  /** `nextBatch` waits up to so many ms for a borrowed batch, `longestWaitMs` is the longest that it is asked to. */
  constructor(nextBatch: (timeoutMs: number) => PacketBatch | null, longestWaitMs: number) {
    this.#nextBatch = nextBatch;
    this.#longestWaitMs = longestWaitMs;
  }

  /** Packets for `ms` milliseconds from the first request on. Throws TypeError when that is no number. */
  during(ms: number): Generator<Packet, void, undefined> {
    if (typeof ms !== 'number' || Number.isNaN(ms)) throw new TypeError(`ms must be a number, not ${String(ms)}`);
    return this.#during(ms);
  }

  /** Packets until a point in time; none when it has passed. The rest of a batch that is left goes to the next iteration. Throws TypeError when it is none. */
  until(deadline: number | Date): Generator<Packet, void, undefined> {
    const end = deadline instanceof Date ? deadline.getTime() : deadline;
    if (typeof end !== 'number' || Number.isNaN(end)) throw new TypeError(`deadline must be a number or a Date, not ${String(deadline)}`);
    return this.#until(end);
  }

  *#during(ms: number): Generator<Packet, void, undefined> {
    yield* this.#until(Date.now() + ms);
  }

  *#until(end: number): Generator<Packet, void, undefined> {
    for (let rest = end - Date.now(); rest > 0; rest = end - Date.now()) {
      const walk = (this.#walk ??= this.#start(Math.max(1, Math.ceil(Math.min(rest, this.#longestWaitMs)))));
      if (walk === undefined) continue;
      while (walk.next < walk.batch.length) {
        yield walk.batch.packet(walk.next++);
        if (Date.now() >= end) return;
      }
      if (this.#walk === walk) this.#walk = undefined;
    }
  }

  #start(timeoutMs: number): Walk | undefined {
    const batch = this.#nextBatch(timeoutMs);
    return batch === null ? undefined : { batch, next: 0 };
  }
}
