/** Reads batches off what receives, one borrowed or any number owned, and keeps their memory in bounds. */
import { PacketBatch } from './batch';
import { SlabCollector } from './collector';
import { HEADER_WORDS, Header, RECORD_WORDS, type NativeReceiver } from '../native';
import type { Owner } from '../owner';

const WAIT_SLICE_MS = 100;

/** What came of a try to read a batch. */
export type Taken = PacketBatch | 'empty' | 'stalled';

export class BatchReader {
  readonly #receiver: NativeReceiver;
  readonly #owner: Owner;
  readonly #linkType: number;
  readonly #collector: SlabCollector;
  /** Called whenever `take` finds no memory. */
  onStalled: (() => void) | undefined;
  #borrowed: PacketBatch | undefined;
  #header: Uint32Array | undefined;
  #index: Uint32Array | undefined;
  #stalled = false;

  /** `linkType` is the ARPHRD_* that the batches have. */
  constructor(receiver: NativeReceiver, owner: Owner, linkType: number, maxBufferedBytes: number) {
    this.#receiver = receiver;
    this.#owner = owner;
    this.#linkType = linkType;
    this.#collector = new SlabCollector(maxBufferedBytes);
  }

  /** Full garbage collections asked for by `reclaim`. */
  get collections(): number {
    return this.#collector.collections;
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
    if (slab === undefined) {
      this.onStalled?.();
      return 'stalled';
    }
    this.#collector.collectInTime(this.#receiver.bufferedBytes);
    return PacketBatch.fromSlab(slab, this.#owner.interface, this.#linkType);
  }

  /** Whether the last `take` found live owned batches at `maxBufferedBytes`, and they still are. */
  get stalled(): boolean {
    if (this.#stalled && !this.#owner.closed) this.#stalled = !this.#receiver.hasRoom;
    return this.#stalled && !this.#owner.closed;
  }

  /** At the memory limit: see `SlabCollector.reclaim`. */
  reclaim(round: number): void {
    this.#collector.reclaim(round);
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
