/** A capture on the event loop: waits for blocks without blocking, reports the link's state. */
import { EventEmitter } from 'node:events';
import type { PacketBatch } from '../batches/batch';
import { Capture, captureHandle, isCapture } from '../capture/capture';
import type { EbpfProgram } from '../capture/ebpf';
import { NetringError } from '../errors/errors';
import { shareLedger } from '../ledger';
import { LoopEvent } from '../native';
import type { Filter } from '../options/filter-program';
import type { PacketSource } from '../traits';
import { isXdpSocket, xdpHandle } from '../xdp/xdp-socket';
import { adopt, assertNotAdopted } from './adoption';
import { PacketStream } from './packet-stream';
import { ReceiveLoop, type ReadableGuard } from './receive-loop';
import { ForeignSource } from './sources/foreign-source';
import { CaptureSource, XdpSource } from './sources/ring-source';
import type { SourceHandle } from './sources/source-handle';
import type { WaitOptions } from './wait-list';

/** Events of `AsyncCapture`, `ChannelCapture` and `CaptureGroup`. */
export interface AsyncCaptureEvents {
  /** The link went down; waits stay pending. */
  down: [];
  /** The link came back. */
  up: [];
  /** The interface was deleted: waits reject once the ring is empty. Open a new capture when it returns. */
  gone: [NetringError];
  /** The socket, a thread or the source has failed. Nobody needs to listen: without a listener the error rejects what waits instead. */
  error: [NetringError];
}

/** The ring of a source that has one; undefined for others. */
export type SourceGeometry<S> = S extends { readonly geometry: infer Geometry } ? Geometry : undefined;
/** What a source counts. */
export type SourceStats<S extends PacketSource> = ReturnType<S['cumulativeStats']>;

/**
 * An async shell around a source of packets, which it takes over: a `Capture`, an `XdpSocket` that receives, or any other `PacketSource`. Open, it
 * keeps the process alive (see `unref`).
 *
 * All waits take `{ signal }` and are cancel-safe: an aborted wait loses no packet. One reader at a time gets each batch. What a source throws that
 * is not ours comes out of the call that read; of its link nothing is known.
 *
 * @example Owned batches until enough is seen, or ten seconds have passed
 * ```ts
 * import { AsyncCapture, Capture } from '@netring/node-red';
 *
 * await using capture = new AsyncCapture(Capture.builder({ interface: 'eth0', profile: 'balanced' }).build());
 * const signal = AbortSignal.timeout(10_000);
 * for (let packets = 0; packets < 1000;) {
 *   const batch = await capture.recv({ signal });
 *   packets += batch.length;
 *   console.log(`${batch}`);
 * }
 * ```
 */
export class AsyncCapture<S extends PacketSource = Capture>
  extends EventEmitter<AsyncCaptureEvents>
  implements AsyncIterable<PacketBatch>, AsyncDisposable
{
  readonly #handle: SourceHandle;
  readonly #receiving: ReceiveLoop;

  /** Takes `source` over: using it afterwards is a TypeError. Throws TypeError for what is no source. */
  constructor(source: S) {
    super();
    assertNotAdopted(source);
    const handle = (this.#handle = handleOf(source));
    handle.assertOpen();
    shareLedger(this, source);
    this.#receiving = new ReceiveLoop(handle.reader, handle, handle.registration, (since) => handle.mostGathering(since));
    handle.registration.watch((event, detail) => this.#onLoopEvent(event, detail));
    adopt(source);
  }

  /** A capture with netring's defaults, as `Capture.open`, which also tells what it throws. */
  static open(interfaceName: string): AsyncCapture {
    return new AsyncCapture(Capture.open(interfaceName));
  }

  /** The descriptor of the source; -1 after `close`. */
  get fd(): number {
    return this.#handle.fd;
  }
  /** Name of the interface now: a rename is followed. */
  get interface(): string {
    return this.#handle.interface;
  }
  /** Whether the interface is up and has a carrier. A source of your own is taken to be up until `close`. */
  get linkUp(): boolean {
    return this.#handle.linkUp;
  }
  /** The ring of the source as the kernel gave it; undefined for a source that has no `geometry`. */
  get geometry(): SourceGeometry<S> {
    return this.#handle.geometry as SourceGeometry<S>;
  }
  /** Options that were honoured only in part; none for a source of your own. */
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

  /**
   * The next batch, borrowed: valid until its `release()` or the next reading call.
   * Rejects as `readable` does, and with `signal.reason`.
   */
  async tryRecvBatch(options: WaitOptions = {}): Promise<PacketBatch> {
    return this.#receiving.tryRecvBatch(options, () => assertNotAdopted(this));
  }

  /**
   * The next batch, owned: one copy, valid for ever; the ring block has gone back already.
   * Rejects as `readable` does, and with `signal.reason`.
   */
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

  /**
   * A Readable of owned batches with back-pressure; takes this capture over and closes it when it ends. An abort destroys it with `signal.reason`.
   */
  intoStream(options: WaitOptions = {}): PacketStream<S> {
    assertNotAdopted(this);
    options.signal?.throwIfAborted();
    this.#receiving.assertOpen();
    adopt(this);
    return new PacketStream(this, { recv: (wait) => this.#receiving.recv(wait), close: () => this.#close() }, options);
  }

  /** Counters since the last call of this method. */
  stats(): SourceStats<S> {
    return this.#handle.stats() as SourceStats<S>;
  }
  /** Counters since open; readable after `close`. */
  cumulativeStats(): SourceStats<S> {
    return this.#handle.cumulativeStats() as SourceStats<S>;
  }

  /**
   * As `Capture.setFilter`: no batch read after it resolves holds a packet that the new filter refuses. TypeError for a source without filters.
   * Rejects with `Config` for a bad filter, which leaves the old one, and with `Io` / `ECANCELED` after `close`.
   */
  async setFilter(filter: Filter | null): Promise<void> {
    this.#receiving.assertOpen();
    this.#handle.setFilter(filter);
  }

  /** As `Capture.attachEbpfFilter`; TypeError for a source that is no capture. */
  async attachEbpfFilter(program: EbpfProgram): Promise<void> {
    this.#receiving.assertOpen();
    this.#handle.attachEbpfFilter(program);
  }

  /** As `Capture.attachFanoutEbpf`; TypeError for a source that is no capture. */
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
    if (!this.#handle.closed) this.#handle.registration.unref();
    return this;
  }
  /** Takes `unref` back: open, it keeps the process alive, as it does from the start. */
  ref(): this {
    if (!this.#handle.closed) this.#handle.registration.ref();
    return this;
  }

  /** Ends iterations, rejects pending waits with `Io` / `ECANCELED`, gives everything back; idempotent. */
  close(): void {
    assertNotAdopted(this);
    this.#close();
  }

  #close(): void {
    if (this.#handle.closed) return;
    const name = this.interface;
    this.#handle.close();
    this.#receiving.close(NetringError.io('ECANCELED', `the capture${name === '' ? '' : ` on ${name}`} was closed`, name));
  }

  /** `await using` closes it, as `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
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
        this.#receiving.endAfter(this.#handle.lastBatchMs, gone);
        this.emit('gone', gone);
        break;
      }
      case LoopEvent.Error:
        this.#report(NetringError.fromNative({ errno: detail, step: 'poll', interface: this.interface }));
    }
  }

  /** A failure of the socket is never silent: who listens is told, and otherwise whoever waits. */
  #report(error: NetringError): void {
    const heard = this.listenerCount('error') > 0;
    if (!heard || this.#handle.errorEndsWaits) this.#receiving.fail(error);
    if (heard) this.emit('error', error);
  }
}

function handleOf(source: PacketSource): SourceHandle {
  if (isCapture(source)) return new CaptureSource(captureHandle(source));
  if (isXdpSocket(source)) return new XdpSource(xdpHandle(source));
  return new ForeignSource(source);
}
