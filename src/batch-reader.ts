/** Reads batches off what receives, one borrowed or any number owned, and keeps their memory in bounds. */
import { PacketBatch } from './batch';
import { requestCollection, requestMinorCollection } from './collector';
import { HEADER_WORDS, Header, RECORD_WORDS, type NativeReceiver } from './native';
import type { Owner } from './owner';

const WAIT_SLICE_MS = 100;

/** Bytes of slabs after which the young generation is collected. */
const COLLECT_STEP = 16 << 20;

/** Tries with the young generation alone: what survives some of them has left it. */
const MINOR_ROUNDS = 5;

/** What came of a try to read a batch. */
export type Taken = PacketBatch | 'empty' | 'stalled';

export class BatchReader {
  readonly #receiver: NativeReceiver;
  readonly #owner: Owner;
  readonly #linkType: number;
  readonly #maxBufferedBytes: number;
  #borrowed: PacketBatch | undefined;
  #header: Uint32Array | undefined;
  #index: Uint32Array | undefined;
  #stalled = false;
  #collections = 0;
  #collectAt = Infinity;

  /** `linkType` is the ARPHRD_* that the batches have. */
  constructor(receiver: NativeReceiver, owner: Owner, linkType: number, maxBufferedBytes: number) {
    this.#receiver = receiver;
    this.#owner = owner;
    this.#linkType = linkType;
    this.#maxBufferedBytes = maxBufferedBytes;
  }

  /** Full garbage collections asked for by `reclaim`. */
  get collections(): number {
    return this.#collections;
  }

  /** The next batch, borrowed; ends the one before. */
  borrow(): PacketBatch | null {
    this.#owner.assertOpen();
    this.#borrowed?.release();
    const block = this.#receiver.borrow();
    if (block === null) return null;
    const index = (this.#index ??= this.#receiver.index);
    const header = (this.#header ??= this.#receiver.header).slice(0, HEADER_WORDS);
    const batch = new PacketBatch({
      header,
      index: index.subarray(0, header[Header.Count]! * RECORD_WORDS),
      bytes: Buffer.from(block),
      interface: this.#owner.interface,
      linkType: this.#linkType,
      release: () => {
        this.#borrowed = undefined;
        this.#receiver.release();
      },
    });
    this.#borrowed = batch;
    return batch;
  }

  /** Ends the batch that is out, if one is. */
  release(): void {
    this.#borrowed?.release();
  }

  /** The next batch, owned. */
  take(): Taken {
    this.#owner.assertOpen();
    this.#borrowed?.release();
    const slab = this.#receiver.take();
    if (slab === null) return 'empty';
    this.#stalled = slab === undefined;
    if (slab === undefined) return 'stalled';
    this.#collectInTime();
    return PacketBatch.fromSlab(slab, this.#owner.interface, this.#linkType);
  }

  /** Whether the last `take` found live owned batches at `maxBufferedBytes`, and they still are. */
  get stalled(): boolean {
    if (this.#stalled && !this.#owner.closed) this.#stalled = !this.#receiver.hasRoom;
    return this.#stalled && !this.#owner.closed;
  }

  /**
   * Collects the young generation whenever so much more has come to be held. A flow that keeps nothing then goes round in few slabs, never reaches
   * the limit only because V8 has not collected yet, and is spared the full collections that V8 does by its own measure, one per 64 MiB: a flow with
   * frames of 1500 bytes took 480 instead of 1450 ns a packet.
   */
  #collectInTime(): void {
    const step = Math.min(COLLECT_STEP, this.#maxBufferedBytes / 4);
    const held = this.#receiver.bufferedBytes;
    this.#collectAt = Math.min(this.#collectAt, held + step);
    if (held < this.#collectAt) return;
    this.#collectAt = held + step;
    requestMinorCollection();
  }

  /**
   * At the memory limit, before it calls the memory held: gives the collector a chance to return the slabs of forgotten batches. `round` counts the
   * calls since the limit was reached: first the young generation, then everything, at most once a second.
   */
  reclaim(round: number): void {
    if (round > 0 && requestCollection()) this.#collections++;
    else if (round < MINOR_ROUNDS) requestMinorCollection();
  }

  /** BLOCKS THE THREAD until there is a batch; false after the timeout. -1 waits for ever. */
  wait(timeoutMs: number): boolean {
    this.#owner.assertOpen();
    // A batch that is out would count as readable and make the wait spin.
    this.#borrowed?.release();
    // In slices: a worker that is terminated, or a process that exits, can only end between two calls.
    for (let rest = timeoutMs < 0 ? Infinity : timeoutMs; ;) {
      const start = performance.now();
      if (this.#receiver.wait(Math.min(Math.ceil(rest), WAIT_SLICE_MS))) return true;
      rest -= performance.now() - start;
      if (rest <= 0) return false;
    }
  }

  /** As `borrow`, after waiting up to `timeoutMs` milliseconds. Throws TypeError when that is no number. */
  borrowBlocking(timeoutMs: number): PacketBatch | null {
    return this.wait(checkTimeout(timeoutMs)) ? this.borrow() : null;
  }
}

function checkTimeout(timeoutMs: number): number {
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) throw new TypeError(`timeoutMs must be a number, not ${String(timeoutMs)}`);
  return timeoutMs < 0 ? -1 : Math.min(timeoutMs, 0x7fff_ffff);
}
