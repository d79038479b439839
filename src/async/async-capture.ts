/** A capture on the event loop: waits for blocks without blocking, reports the link's state. */
import { EventEmitter } from 'node:events';
import type { PacketBatch } from '../batch';
import { Capture, captureHandle } from '../capture';
import type { CaptureHandle } from '../capture-handle';
import type { EbpfProgram } from '../ebpf';
import { NetringError } from '../errors';
import { LoopEvent, type NativeCaptureGeometry } from '../native';
import type { Filter } from '../options/filter-program';
import type { CaptureStats } from '../stats';
import { adopt, assertNotAdopted } from './adoption';
import { PacketStream } from './packet-stream';
import { ReceiveLoop, type ReadableGuard, type Yield } from './receive-loop';
import type { WaitOptions } from './wait-list';

export interface AsyncCaptureEvents {
  /** The link went down; waits stay pending. */
  down: [];
  up: [];
  /** The interface was deleted: waits reject once the ring is empty. Open a new capture when it returns. */
  gone: [NetringError];
  error: [NetringError];
}

/** How much later than its timeout a block may come to be retired, in ms. */
const RETIRE_SLACK_MS = 20;

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
  readonly #receiving: ReceiveLoop;

  /** Takes `source` over: using it afterwards is a TypeError. */
  constructor(source: S) {
    super();
    assertNotAdopted(source);
    this.#handle = captureHandle(source);
    const { reader, native: ring } = this.#handle;
    this.#receiving = new ReceiveLoop(reader, this.#handle, ring, (since) => this.#mostGathering(since));
    ring.watch((event, detail) => this.#onLoopEvent(event, detail));
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
    await this.#receiving.ready(options);
    return this.#receiving.guard;
  }

  /** The next batch, borrowed: valid until its `release()` or the next reading call. */
  async tryRecvBatch(options: WaitOptions = {}): Promise<PacketBatch> {
    return this.#receiving.tryRecvBatch(options, () => assertNotAdopted(this));
  }

  /** The next batch, owned: one copy, valid for ever; the ring block has gone back already. */
  async recv(options: WaitOptions = {}): Promise<PacketBatch> {
    assertNotAdopted(this);
    return this.#receiving.recv(options);
  }

  /**
   * The next batch, owned, if there is one and memory for it; never waits. Null too once 16 batches have been read in this turn of the event loop, so
   * that a loop around it ends and the rest of the process gets its turn; `recv` and `readable` go on in the next one.
   */
  tryRecv(): PacketBatch | null {
    assertNotAdopted(this);
    return this.#receiving.tryRecv();
  }

  /** Owned batches until `close`; leaving the loop keeps the capture open. */
  [Symbol.asyncIterator](): AsyncGenerator<PacketBatch, void, undefined> {
    return this.#receiving.batches(() => assertNotAdopted(this));
  }

  /** A Readable of owned batches with back-pressure; takes this capture over and closes it when it ends. */
  intoStream(): PacketStream<S> {
    assertNotAdopted(this);
    this.#receiving.assertOpen();
    adopt(this);
    return new PacketStream(this, { recv: (options) => this.#receiving.recv(options), close: () => this.#close() });
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
    this.#receiving.assertOpen();
    this.#handle.setFilter(filter);
  }

  /** As `Capture.attachEbpfFilter`. */
  async attachEbpfFilter(program: EbpfProgram): Promise<void> {
    this.#receiving.assertOpen();
    this.#handle.attachEbpfFilter(program);
  }

  /** As `Capture.attachFanoutEbpf`. */
  async attachFanoutEbpf(program: EbpfProgram): Promise<void> {
    this.#receiving.assertOpen();
    this.#handle.attachFanoutEbpf(program);
  }

  /** Takes the filter away, classic or eBPF; no error when there is none. */
  async detachFilter(): Promise<void> {
    return this.setFilter(null);
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
    this.#handle.close();
    this.#receiving.close(NetringError.io('ECANCELED', `the capture on ${this.interface} was closed`, this.interface));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /**
   * No longer than a packet may still wait after its block was filled, for the timeout is the highest latency the ring adds; and at most an eighth of
   * the time in which the ring fills up.
   */
  #mostGathering({ elapsedMs, batches, lastFull }: Yield): number {
    if (!lastFull) return 0;
    const { geometry, settings } = this.#handle;
    const perBlock = elapsedMs / batches;
    return Math.min(settings.blockTimeoutMs - perBlock, (perBlock * geometry.blockCount) / 8);
  }

  #onLoopEvent(event: LoopEvent, detail: number): void {
    switch (event) {
      case LoopEvent.Ready:
        this.#receiving.wake();
        break;
      case LoopEvent.Down:
        this.emit('down');
        break;
      case LoopEvent.Up:
        this.emit('up');
        break;
      case LoopEvent.Gone: {
        const gone = NetringError.io('ENODEV', `interface ${this.interface} is gone`, this.interface);
        // The block that was being filled is retired by its timeout as ever: readers get it before they find the end.
        this.#receiving.endAfter(this.#handle.settings.blockTimeoutMs + RETIRE_SLACK_MS, gone);
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
    else this.#receiving.fail(error);
  }
}
