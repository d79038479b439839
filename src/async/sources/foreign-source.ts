/** A `PacketSource` that somebody else has made as the source of an `AsyncCapture`: waits rest on its descriptor. */
import { isPacketBatch, type PacketBatch } from '../../batches/batch';
import type { Taken } from '../../batches/batch-reader';
import { NetringError } from '../../errors/errors';
import { LoopEvent, native, type LoopListener, type NativeFdWatch } from '../../native';
import type { Filter } from '../../options/filter-program';
import type { CaptureStats } from '../../capture/capture-stats';
import type { PacketSource } from '../../traits';
import type { Reader } from '../receive-loop';
import type { Registration, SourceHandle } from './source-handle';

/** Longest pause before a descriptor is looked at again that was readable with no batch behind it, in ms. */
const LONGEST_PAUSE_MS = 32;

export class ForeignSource implements SourceHandle {
  readonly reader: Reader;
  readonly registration: Registration;
  readonly lastBatchMs = 0;
  readonly errorEndsWaits = true;
  readonly #source: PacketSource;
  readonly #watch: NativeFdWatch;
  /** Times in a row that the descriptor was readable and there was no batch. */
  #fruitless = 0;
  #closed = false;

  /** Throws TypeError for what is no `PacketSource`, `NetringError` for a descriptor that is not open or cannot be polled. */
  constructor(source: PacketSource) {
    const { fd } = source;
    if (!Number.isInteger(fd) || fd < 0)
      throw new TypeError(`the source's fd ${String(fd)} is no file descriptor: it is not open (AsyncCapture.open(name) opens a capture)`);
    for (const name of ['nextBatch', 'stats', 'cumulativeStats'] as const)
      if (typeof source[name] !== 'function') throw new TypeError(`the source has no method ${name}`);
    this.#source = source;
    this.#watch = new (native().FdWatch)(fd);
    this.reader = { borrow: () => this.#next(), take: () => this.#take(), stalled: false, reclaim: () => undefined };
    this.registration = {
      watch: (listener) => this.#listen(listener),
      arm: (delayMs) => this.#arm(delayMs),
      disarm: () => this.#watch.disarm(),
      ref: () => this.#watch.ref(),
      unref: () => this.#watch.unref(),
    };
  }

  get closed(): boolean {
    return this.#closed;
  }
  get fd(): number {
    return this.#closed ? -1 : this.#source.fd;
  }
  /** Empty for a source that does not say. */
  get interface(): string {
    return this.#source.interface ?? '';
  }
  /** Only the source knows more: it is taken to be up. */
  get linkUp(): boolean {
    return !this.#closed;
  }
  get geometry(): unknown {
    return (this.#source as { readonly geometry?: unknown }).geometry;
  }
  get warnings(): readonly string[] {
    return [];
  }

  mostGathering(): number {
    return 0;
  }

  stats(): CaptureStats {
    return this.#source.stats();
  }
  cumulativeStats(): CaptureStats {
    return this.#source.cumulativeStats();
  }

  setFilter(filter: Filter | null): void {
    const source = this.#source as { setFilter?: (filter: Filter | null) => void };
    if (typeof source.setFilter !== 'function') throw new TypeError('the source has no method setFilter');
    source.setFilter(filter);
  }
  attachEbpfFilter(): never {
    throw new TypeError('attachEbpfFilter needs a capture');
  }
  attachFanoutEbpf(): never {
    throw new TypeError('attachFanoutEbpf needs a capture');
  }

  assertOpen(): void {
    if (this.#closed) throw NetringError.io('ECANCELED', 'the source is closed', this.interface);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    this.#source.close?.();
  }

  #listen(listener: LoopListener): void {
    try {
      this.#watch.watch((event, detail) => {
        if (event === LoopEvent.Ready) this.#fruitless++;
        listener(event, detail);
      });
    } catch (error) {
      this.#watch.close();
      throw error;
    }
  }

  /** A descriptor that stays readable must not make the loop spin. */
  #arm(delayMs = 0): void {
    this.#watch.arm(this.#fruitless < 2 ? delayMs : Math.min(2 ** (this.#fruitless - 2), LONGEST_PAUSE_MS));
  }

  #next(): PacketBatch | null {
    const batch = this.#source.nextBatch() as unknown;
    if (batch === null || batch === undefined) return null;
    if (!isPacketBatch(batch)) throw new TypeError('nextBatch of the source has returned neither a PacketBatch nor null');
    this.#fruitless = 0;
    return batch;
  }

  #take(): Taken {
    const batch = this.#next();
    if (batch === null) return 'empty';
    if (!batch.borrowed) return batch;
    try {
      return batch.toOwned();
    } finally {
      batch.release();
    }
  }
}
