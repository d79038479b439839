/** Reading on the event loop: waits for batches without blocking, lets the rest of the process turn, keeps memory in bounds. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PacketBatch } from '../batches/batch';
import type { Taken } from '../batches/batch-reader';
import type { NetringError } from '../errors/errors';
import type { Owner } from '../owner';
import { TurnBudget } from './turn-budget';
import { WaitList, type WaitOptions } from './wait-list';

/**
 * Batches handed out in one turn of the event loop. The slabs of owned batches return on a turn of the loop as well, and would pile up (1500-byte
 * packets read by `tryRecv` without such a bound: 455 MB instead of 232).
 */
const BATCHES_PER_TURN = 16;

/**
 * Longest pause for more batches to gather, in ms. A wake-up finds all caches cold and costs 60 us and more, which is dear for one block of 1,600
 * packets every 1.4 ms: with 4 ms borrowed packets of 64 bytes took 94 ns, with 8 ms 76 (C: 21).
 */
const MOST_GATHERING_MS = 8;

/** Pauses between looks at the memory while live owned batches fill `maxBufferedBytes`, in ms. */
const RECLAIM_PAUSES = [2, 5, 10, 20, 50, 100] as const;

/** What `readable()` resolves to: the right to look for batches. */
export interface ReadableGuard {
  /** The next batch, borrowed, or null when there is none (any more). */
  nextBatch(): PacketBatch | null;
}

/** Asks the event loop for one readiness, after `delayMs` in which the ring is left alone, or no longer. */
export interface Readiness {
  arm(delayMs?: number): void;
  disarm(): void;
}

/** Reads batches, borrowed and owned. */
export interface Reader {
  borrow(): PacketBatch | null;
  take(): Taken;
  /** Whether the last `take` found no memory, and there still is none. */
  readonly stalled: boolean;
  /** Tries to get memory back; `round` counts the tries. */
  reclaim(round: number): void;
}

/** What has been read between two looks at an empty ring. */
export interface Yield {
  readonly elapsedMs: number;
  readonly batches: number;
  readonly packets: number;
  /** The last batch was full, not ended by its timeout. */
  readonly lastFull: boolean;
}

export class ReceiveLoop {
  readonly #reader: Reader;
  readonly #owner: Owner;
  readonly #readiness: Readiness;
  readonly #mostGathering: (since: Yield) => number;
  readonly guard: ReadableGuard = { nextBatch: () => (this.#owner.closed ? null : this.#seen(this.#reader.borrow())) };
  readonly #waiting = new WaitList();
  /** Waits for memory. */
  readonly #resting = new WaitList();
  readonly #turn = new TurnBudget(BATCHES_PER_TURN);
  #ended: NetringError | undefined;
  #lastLook = 0;
  #batchesSinceLook = 0;
  #packetsSinceLook = 0;
  #lastBatchFull = false;
  #lastBatch: NodeJS.Timeout | undefined;

  /** `mostGathering` tells for how many ms a ring that has yielded so much may be left alone. */
  constructor(reader: Reader, owner: Owner, readiness: Readiness, mostGathering: (since: Yield) => number) {
    this.#reader = reader;
    this.#owner = owner;
    this.#readiness = readiness;
    this.#mostGathering = mostGathering;
  }

  /** Resolves on a later turn of the loop, once there is a batch, or room for one again. */
  async ready(options: WaitOptions): Promise<void> {
    options.signal?.throwIfAborted();
    this.assertOpen();
    if (this.#reader.stalled) return this.#roomForBatches(options);
    if (this.#ended !== undefined) throw this.#ended;
    const ready = this.#waiting.wait(options);
    this.#readiness.arm(this.#gatheringTime());
    try {
      await ready;
    } catch (error) {
      if (this.#waiting.size === 0 && !this.#owner.closed) this.#readiness.disarm();
      throw error;
    }
  }

  /** The next batch, borrowed. `assertUsable` is called before each look. */
  tryRecvBatch(options: WaitOptions, assertUsable: () => void): Promise<PacketBatch> {
    return this.#next(options, () => {
      assertUsable();
      this.assertOpen();
      return this.#seen(this.#reader.borrow());
    });
  }

  /** The next batch, owned. */
  recv(options: WaitOptions): Promise<PacketBatch> {
    return this.#next(options, () => this.#take());
  }

  /** The next batch, owned, if there is one, memory for it, and one left of this turn's. */
  tryRecv(): PacketBatch | null {
    this.assertOpen();
    return this.#turn.exhausted ? null : this.#counted(this.#take());
  }

  /** Owned batches until the end. `assertUsable` is called before each. */
  async *batches(assertUsable: () => void, options: WaitOptions = {}): AsyncGenerator<PacketBatch, void, undefined> {
    assertUsable();
    while (!this.#owner.closed) {
      let batch: PacketBatch;
      try {
        assertUsable();
        batch = await this.recv(options);
      } catch (error) {
        if (this.#owner.closed && error === this.#ended) return;
        throw error;
      }
      yield batch;
    }
  }

  /** The readiness that was asked for. */
  wake(): void {
    this.#waiting.wake();
  }

  /** Lets readers have what comes within `delayMs`, and rejects with `reason` once nothing is left. */
  endAfter(delayMs: number, reason: NetringError): void {
    clearTimeout(this.#lastBatch);
    this.#lastBatch = setTimeout(() => {
      this.#ended = reason;
      this.#waiting.wake();
    }, delayMs);
  }

  /** Rejects the waits there are. */
  fail(reason: NetringError): void {
    this.#waiting.fail(reason);
  }

  /** Its owner was closed: ends iterations, rejects all waits. */
  close(reason: NetringError): void {
    clearTimeout(this.#lastBatch);
    this.#ended = reason;
    this.#resting.fail(reason);
    this.#waiting.fail(reason);
  }

  assertOpen(): void {
    if (this.#owner.closed && this.#ended !== undefined) throw this.#ended;
    this.#owner.assertOpen();
  }

  #seen(batch: PacketBatch | null): PacketBatch | null {
    if (batch !== null) {
      this.#batchesSinceLook++;
      this.#packetsSinceLook += batch.length;
      this.#lastBatchFull = !batch.timedOut;
    }
    return batch;
  }

  #take(): PacketBatch | null {
    this.assertOpen();
    const taken = this.#reader.take();
    return this.#seen(typeof taken === 'string' ? null : taken);
  }

  async #next(options: WaitOptions, read: () => PacketBatch | null): Promise<PacketBatch> {
    if (this.#turn.exhausted) await nextTurn();
    for (;;) {
      options.signal?.throwIfAborted();
      const batch = this.#counted(read());
      if (batch !== null) return batch;
      await this.ready(options);
    }
  }

  #counted(batch: PacketBatch | null): PacketBatch | null {
    if (batch !== null) this.#turn.spend();
    return batch;
  }

  /** How long to leave a busy ring alone, in whole ms. */
  #gatheringTime(): number {
    const now = performance.now();
    const since = {
      elapsedMs: now - this.#lastLook,
      batches: this.#batchesSinceLook,
      packets: this.#packetsSinceLook,
      lastFull: this.#lastBatchFull,
    };
    this.#lastLook = now;
    this.#batchesSinceLook = 0;
    this.#packetsSinceLook = 0;
    return since.batches === 0 ? 0 : Math.max(0, Math.floor(Math.min(MOST_GATHERING_MS, this.#mostGathering(since))));
  }

  /** Live owned batches have reached `maxBufferedBytes`: waits, with the ring left alone, until the collector has returned some. */
  async #roomForBatches(options: WaitOptions): Promise<void> {
    for (let round = 0; this.#reader.stalled; round++) {
      this.#reader.reclaim(round);
      const rested = this.#resting.wait(options);
      // Also the turn of the loop on which Node runs the finalizers of what was just collected.
      const timer = setTimeout(() => this.#resting.wake(), RECLAIM_PAUSES[Math.min(round, RECLAIM_PAUSES.length - 1)]);
      try {
        await rested;
      } finally {
        clearTimeout(timer);
      }
    }
  }
}
