/** The one owner of a receive ring's native object, behind `Capture` and its async shells. */
import { PacketBatch } from './batch';
import { requestCollection, requestMinorCollection } from './collector';
import { NetringError } from './errors';
import { HEADER_WORDS, Header, native, RECORD_WORDS, type NativeCapture, type NativeCaptureGeometry } from './native';
import { assertLinkType } from './link-types';
import { packFilter, parseFilter, withSnapLen, type Filter } from './options/filter-program';
import type { CaptureSettings } from './options/generated/builders';
import { toNativeCaptureConfig } from './options/validate';
import { readCaptureStats, type CaptureStats } from './stats';

const WAIT_SLICE_MS = 100;

/** Bytes of slabs after which the young generation is collected. */
const COLLECT_STEP = 16 << 20;

/** Tries with the young generation alone: what survives some of them has left it. */
const MINOR_ROUNDS = 5;

/** What came of a try to read a block. */
export type Taken = PacketBatch | 'empty' | 'stalled';

export class CaptureHandle {
  readonly settings: CaptureSettings;
  readonly native: NativeCapture;
  readonly geometry: NativeCaptureGeometry;
  readonly warnings: readonly string[];
  #borrowed: PacketBatch | undefined;
  #header: Uint32Array | undefined;
  #index: Uint32Array | undefined;
  #previous: CaptureStats;
  #last: CaptureStats | undefined;
  #stalled = false;
  #collections = 0;
  #collectAt = Infinity;
  #interfaceName: string;

  constructor(settings: CaptureSettings, warnings: readonly string[]) {
    this.settings = settings;
    this.native = new (native().Capture)(toNativeCaptureConfig(settings));
    this.geometry = this.native.geometry;
    this.warnings = [...warnings, ...this.geometry.warnings];
    this.#interfaceName = settings.interface;
    try {
      assertLinkType(this.geometry.linkType, settings.interface);
      this.#previous = this.cumulativeStats();
    } catch (error) {
      this.native.close();
      throw error;
    }
  }

  get closed(): boolean {
    return this.#last !== undefined;
  }

  /** -1 after `close`. */
  get fd(): number {
    return this.closed ? -1 : this.native.fd;
  }

  get linkUp(): boolean {
    return !this.closed && this.native.linkUp;
  }

  /** The interface's name now: a rename is followed. */
  get interface(): string {
    if (!this.closed) this.#interfaceName = this.native.interfaceName;
    return this.#interfaceName;
  }

  /** The next retired block as a borrowed batch; ends the one before. */
  borrow(): PacketBatch | null {
    this.#assertOpen();
    this.#borrowed?.release();
    const block = this.native.borrow();
    if (block === null) return null;
    const index = (this.#index ??= this.native.index);
    const header = (this.#header ??= this.native.header).slice(0, HEADER_WORDS);
    const batch = new PacketBatch({
      header,
      index: index.subarray(0, header[Header.Count]! * RECORD_WORDS),
      bytes: Buffer.from(block),
      interface: this.interface,
      linkType: this.geometry.linkType,
      release: () => {
        this.#borrowed = undefined;
        this.native.release();
      },
    });
    this.#borrowed = batch;
    return batch;
  }

  /** The next retired block as an owned batch. */
  take(): Taken {
    this.#assertOpen();
    this.#borrowed?.release();
    const slab = this.native.take();
    if (slab === null) return 'empty';
    this.#stalled = slab === undefined;
    if (slab === undefined) return 'stalled';
    this.#collectInTime();
    return PacketBatch.fromSlab(slab, this.interface, this.geometry.linkType);
  }

  /** Whether the last `take` found live owned batches at `maxBufferedBytes`, and they still are. */
  get stalled(): boolean {
    if (this.#stalled && !this.closed) this.#stalled = !this.native.hasRoom;
    return this.#stalled && !this.closed;
  }

  /**
   * Collects the young generation whenever so much more has come to be held. A flow that keeps nothing then goes round in few slabs, never reaches
   * the limit only because V8 has not collected yet, and is spared the full collections that V8 does by its own measure, one per 64 MiB: a flow with
   * frames of 1500 bytes took 480 instead of 1450 ns a packet.
   */
  #collectInTime(): void {
    const step = Math.min(COLLECT_STEP, this.settings.maxBufferedBytes / 4);
    const held = this.native.bufferedBytes;
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

  wait(timeoutMs: number): boolean {
    this.#assertOpen();
    // A block that is out would count as readable and make the wait spin.
    this.#borrowed?.release();
    // In slices: a worker that is terminated, or a process that exits, can only end between two calls.
    for (let rest = timeoutMs < 0 ? Infinity : timeoutMs; ;) {
      const start = performance.now();
      if (this.native.wait(Math.min(Math.ceil(rest), WAIT_SLICE_MS))) return true;
      rest -= performance.now() - start;
      if (rest <= 0) return false;
    }
  }

  setFilter(filter: Filter | null): void {
    this.#assertOpen();
    this.native.setFilter(packFilter(withSnapLen(filter === null ? [] : parseFilter(filter), this.settings.snapLen)));
  }

  /** Since the last call. */
  stats(): CaptureStats {
    const now = this.cumulativeStats();
    const delta = now.since(this.#previous);
    this.#previous = now;
    return delta;
  }

  /** Since open; the last totals after `close`. */
  cumulativeStats(): CaptureStats {
    return this.#last ?? readCaptureStats(this.native, this.#collections);
  }

  close(): void {
    if (this.closed) return;
    this.#borrowed?.release();
    this.#interfaceName = this.native.interfaceName;
    this.#last = readCaptureStats(this.native, this.#collections);
    this.native.close();
  }

  #assertOpen(): void {
    if (this.closed) throw NetringError.io('ECANCELED', `the capture on ${this.#interfaceName} is closed`, this.#interfaceName);
  }
}
