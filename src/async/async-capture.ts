/** A capture on the event loop: waits for blocks without blocking, reports the link's state. */
import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { PacketBatch } from '../batch';
import { Capture, captureHandle } from '../capture';
import type { CaptureHandle } from '../capture-handle';
import { NetringError } from '../errors';
import { LoopEvent, type NativeCaptureGeometry } from '../native';
import type { Filter } from '../options/filter-program';
import type { CaptureStats } from '../stats';
import { adopt, assertNotAdopted } from './adoption';
import { PacketStream } from './packet-stream';
import { WaitList, type WaitOptions } from './wait-list';

export interface AsyncCaptureEvents {
  /** The link went down; waits stay pending. */
  down: [];
  up: [];
  /** The interface was deleted: waits reject once the ring is empty. Open a new capture when it returns. */
  gone: [NetringError];
  error: [NetringError];
}

/**
 * Batches handed out before the event loop is let turn: a source at full rate would otherwise starve timers and sockets, and the slabs of owned
 * batches, which return on a turn of the loop, would pile up (1500-byte packets read by `tryRecv` without such a bound: 455 MB instead of 232).
 */
const BATCHES_PER_TURN = 16;

/**
 * Longest pause for more blocks to gather, in ms. A wake-up finds all caches cold and costs 60 us and more, which is dear for one block of 1,600
 * packets every 1.4 ms: with 4 ms borrowed packets of 64 bytes took 94 ns, with 8 ms 76 (C: 21).
 */
const MOST_GATHERING_MS = 8;

/** How much later than its timeout a block may come to be retired, in ms. */
const RETIRE_SLACK_MS = 20;

/** Pauses between looks at the memory while live owned batches fill `maxBufferedBytes`, in ms. */
const RECLAIM_PAUSES = [2, 5, 10, 20, 50, 100] as const;

/** What `readable()` resolves to: the right to look for batches. */
export interface ReadableGuard {
  /** The next retired block as a borrowed batch, or null when there is none (any more). */
  nextBatch(): PacketBatch | null;
}

/**
 * An async shell around a `Capture`, which it takes over. Open, it keeps the process alive (see `unref`).
 *
 * All waits take `{ signal }` and are cancel-safe: an aborted wait loses no packet. One reader at a time gets each batch.
 */
export class AsyncCapture<S extends Capture = Capture>
  extends EventEmitter<AsyncCaptureEvents>
  implements AsyncIterable<PacketBatch>, AsyncDisposable
{
  readonly #handle: CaptureHandle;
  readonly #waiting = new WaitList();
  readonly #closing = new AbortController();
  #ended: NetringError | undefined;
  #readThisTurn = 0;
  #lastLook = 0;
  #blocksSinceLook = 0;
  #lastBlockFull = false;
  #lastBlock: NodeJS.Timeout | undefined;

  /** Takes `source` over: using it afterwards is a TypeError. */
  constructor(source: S) {
    super();
    assertNotAdopted(source);
    this.#handle = captureHandle(source);
    this.#handle.native.watch((event, detail) => this.#onLoopEvent(event, detail));
    adopt(source);
  }

  static open(interfaceName: string): AsyncCapture {
    return new AsyncCapture(Capture.open(interfaceName));
  }

  get fd(): number {
    return this.#handle.fd;
  }
  /** Name of the interface now: a rename is followed. */
  get interface(): string {
    return this.#handle.interface;
  }
  get linkUp(): boolean {
    return this.#handle.linkUp;
  }
  get geometry(): NativeCaptureGeometry {
    return this.#handle.geometry;
  }
  get warnings(): readonly string[] {
    return this.#handle.warnings;
  }

  /**
   * Resolves on a later turn of the event loop, once a block is retired (or live owned batches leave room again).
   * Rejects with `Io`: `ECANCELED` after `close`, `ENODEV` when the interface is gone.
   */
  async readable(options: WaitOptions = {}): Promise<ReadableGuard> {
    assertNotAdopted(this);
    await this.#ready(options);
    return { nextBatch: () => (this.#handle.closed ? null : this.#seen(this.#handle.borrow())) };
  }

  /** The next batch, borrowed: valid until its `release()` or the next reading call. */
  async tryRecvBatch(options: WaitOptions = {}): Promise<PacketBatch> {
    return this.#next(options, () => this.#borrow());
  }

  /** The next batch, owned: one copy, valid for ever; the ring block has gone back already. */
  async recv(options: WaitOptions = {}): Promise<PacketBatch> {
    assertNotAdopted(this);
    return this.#recv(options);
  }

  /**
   * The next batch, owned, if there is one and memory for it; never waits. Null too once 16 batches have been read in this turn of the event loop, so
   * that a loop around it ends and the rest of the process gets its turn; `recv` and `readable` go on in the next one.
   */
  tryRecv(): PacketBatch | null {
    assertNotAdopted(this);
    this.#assertOpen();
    return this.#readThisTurn < BATCHES_PER_TURN ? this.#counted(this.#take()) : null;
  }

  /** Owned batches until `close`; leaving the loop keeps the capture open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<PacketBatch, void, undefined> {
    assertNotAdopted(this);
    while (!this.#handle.closed) {
      let batch: PacketBatch;
      try {
        batch = await this.recv();
      } catch (error) {
        if (this.#handle.closed && error === this.#ended) return;
        throw error;
      }
      yield batch;
    }
  }

  /** A Readable of owned batches with back-pressure; takes this capture over and closes it when it ends. */
  intoStream(): PacketStream<S> {
    assertNotAdopted(this);
    this.#assertOpen();
    adopt(this);
    return new PacketStream(this, { recv: (options) => this.#recv(options), close: () => this.#close() });
  }

  /** Counters since the last call of this method. */
  stats(): CaptureStats {
    return this.#handle.stats();
  }
  /** Counters since open; readable after `close`. */
  cumulativeStats(): CaptureStats {
    return this.#handle.cumulativeStats();
  }

  /** As `Capture.setFilter`: no batch read after it resolves holds a packet that the new filter refuses. */
  async setFilter(filter: Filter | null): Promise<void> {
    this.#assertOpen();
    this.#handle.setFilter(filter);
  }

  /** Lets the process end although the capture is open. */
  unref(): this {
    if (!this.#handle.closed) this.#handle.native.unref();
    return this;
  }
  ref(): this {
    if (!this.#handle.closed) this.#handle.native.ref();
    return this;
  }

  /** Ends iterations, rejects pending waits with `Io` / `ECANCELED`, gives everything back; idempotent. */
  close(): void {
    assertNotAdopted(this);
    this.#close();
  }

  #close(): void {
    if (this.#handle.closed) return;
    clearTimeout(this.#lastBlock);
    this.#handle.close();
    this.#end(NetringError.io('ECANCELED', `the capture on ${this.interface} was closed`, this.interface));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #borrow(): PacketBatch | null {
    assertNotAdopted(this);
    this.#assertOpen();
    return this.#seen(this.#handle.borrow());
  }

  #seen(batch: PacketBatch | null): PacketBatch | null {
    if (batch !== null) {
      this.#blocksSinceLook++;
      this.#lastBlockFull = !batch.timedOut;
    }
    return batch;
  }

  #take(): PacketBatch | null {
    this.#assertOpen();
    const taken = this.#handle.take();
    return this.#seen(typeof taken === 'string' ? null : taken);
  }

  #recv(options: WaitOptions): Promise<PacketBatch> {
    return this.#next(options, () => this.#take());
  }

  async #next(options: WaitOptions, read: () => PacketBatch | null): Promise<PacketBatch> {
    if (this.#readThisTurn >= BATCHES_PER_TURN) await nextTurn();
    for (;;) {
      options.signal?.throwIfAborted();
      const batch = this.#counted(read());
      if (batch !== null) return batch;
      await this.#ready(options);
    }
  }

  #counted(batch: PacketBatch | null): PacketBatch | null {
    if (batch !== null && this.#readThisTurn++ === 0)
      setImmediate(() => {
        this.#readThisTurn = 0;
      });
    return batch;
  }

  async #ready(options: WaitOptions): Promise<void> {
    options.signal?.throwIfAborted();
    this.#assertOpen();
    if (this.#handle.stalled) return this.#roomForBatches(options);
    if (this.#ended !== undefined) throw this.#ended;
    const ready = this.#waiting.wait(options);
    this.#handle.native.arm(this.#gatheringTime());
    try {
      await ready;
    } catch (error) {
      if (this.#waiting.size === 0 && !this.#handle.closed) this.#handle.native.disarm();
      throw error;
    }
  }

  /**
   * How long to leave a busy ring alone, in whole ms: not while its blocks are retired by their timeout; no longer than a packet may still wait
   * after its block was filled, for the timeout is the highest latency the ring adds; and at most an eighth of the time in which the ring fills up.
   */
  #gatheringTime(): number {
    const now = performance.now();
    const perBlock = (now - this.#lastLook) / this.#blocksSinceLook;
    const busy = this.#blocksSinceLook > 0 && this.#lastBlockFull;
    this.#lastLook = now;
    this.#blocksSinceLook = 0;
    if (!busy) return 0;
    const { geometry, settings } = this.#handle;
    return Math.max(0, Math.floor(Math.min(MOST_GATHERING_MS, settings.blockTimeoutMs - perBlock, (perBlock * geometry.blockCount) / 8)));
  }

  /** Live owned batches have reached `maxBufferedBytes`: waits, with the ring left alone, until the collector has returned some. */
  async #roomForBatches({ signal }: WaitOptions): Promise<void> {
    const ends = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    for (let round = 0; this.#handle.stalled; round++) {
      this.#handle.reclaim(round);
      try {
        // Also the turn of the loop on which Node runs the finalizers of what was just collected.
        await pause(RECLAIM_PAUSES[Math.min(round, RECLAIM_PAUSES.length - 1)], undefined, { signal: ends });
      } catch {
        signal?.throwIfAborted();
        this.#assertOpen();
      }
    }
  }

  #onLoopEvent(event: LoopEvent, detail: number): void {
    switch (event) {
      case LoopEvent.Ready:
        this.#waiting.wake();
        break;
      case LoopEvent.Down:
        this.emit('down');
        break;
      case LoopEvent.Up:
        this.emit('up');
        break;
      case LoopEvent.Gone: {
        const gone = NetringError.io('ENODEV', `interface ${this.interface} is gone`, this.interface);
        // The block that was being filled is retired by its timeout as ever: readers get it, and then find `#ended`.
        this.#lastBlock = setTimeout(() => {
          this.#ended = gone;
          this.#waiting.wake();
        }, this.#handle.settings.blockTimeoutMs + RETIRE_SLACK_MS);
        this.emit('gone', gone);
        break;
      }
      case LoopEvent.Error:
        this.#report(NetringError.fromNative({ errno: detail, step: 'poll', interface: this.interface }));
    }
  }

  /** A failure of the socket is never silent: who listens is told, and otherwise whoever waits. */
  #report(error: NetringError): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
    else this.#waiting.fail(error);
  }

  #end(reason: NetringError): void {
    this.#ended = reason;
    this.#closing.abort(reason);
    this.#waiting.fail(reason);
  }

  #assertOpen(): void {
    if (this.#handle.closed)
      throw this.#ended ?? NetringError.io('ECANCELED', `the capture on ${this.interface} is closed`, this.interface);
  }
}
