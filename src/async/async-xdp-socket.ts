/** An AF_XDP socket on the event loop: waits for frames and for room without blocking, reports the link's state. */
import { EventEmitter } from 'node:events';
import type { PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import type { SendInput } from '../sending/frame-input';
import { keepLedger } from '../ledger';
import { LoopEvent } from '../native';
import type { Filter } from '../options/filter-program';
import type { TxSlot } from '../sending/tx-slot';
import { XdpSocket, xdpHandle } from '../xdp/xdp-socket';
import type { XdpHandle } from '../xdp/xdp-handle';
import type { XdpSocketStats, XdpStats } from '../xdp/xdp-stats';
import { adopt, assertNotAdopted } from './adoption';
import { gatheringOfChunks } from './gathering';
import { ReceiveLoop, type ReadableGuard } from './receive-loop';
import { SendLoop, type AsyncSendOptions, type SendReport } from './send-loop';
import type { WaitOptions } from './wait-list';
import { XdpStream } from './xdp-stream';

/** Events of `AsyncXdpSocket`. */
export interface AsyncXdpSocketEvents {
  /** The link went down: waits for frames stay pending, what waits to be sent rejects with `ENETDOWN`. */
  down: [];
  /** The link came back. */
  up: [];
  /** The interface was deleted: waits for frames reject once nothing is left to read, what waits to be sent rejects. */
  gone: [NetringError];
  /** The socket has failed. Nobody needs to listen: without a listener the error rejects what waits instead. */
  error: [NetringError];
}

/**
 * An async shell around an `XdpSocket`, which it takes over. Open, it keeps the process alive (see `unref`).
 *
 * Reading is as with an `AsyncCapture`, sending as with an `AsyncInjector`: waits are cancel-safe, one reader at a time gets each batch, calls that
 * send are served in their order. What the socket's mode leaves out rejects with TypeError.
 *
 * @example Sends frames back to where they came from
 * ```ts
 * import { AsyncXdpSocket, XdpSocket } from '@netring/node-red';
 *
 * await using socket = new AsyncXdpSocket(XdpSocket.builder({ interface: 'eth0', frameCount: 2048, filter: 'ether proto 0x88b5' }).build());
 * let echoed = 0;
 * for await (const batch of socket) {
 *   const echo = batch.copy();
 *   for (const { data } of echo) {
 *     const sender = Buffer.from(data.subarray(6, 12));
 *     data.copyWithin(6, 0, 6);
 *     data.set(sender, 0);
 *   }
 *   echoed += (await socket.sendBatch(echo)).sent;
 *   if (echoed >= 100) break;
 * }
 * console.log(echoed >= 100); // true
 * ```
 */
export class AsyncXdpSocket<S extends XdpSocket = XdpSocket>
  extends EventEmitter<AsyncXdpSocketEvents>
  implements AsyncIterable<PacketBatch>, AsyncDisposable
{
  readonly #handle: XdpHandle;
  /** Left out by the modes that do not receive, and that do not send. */
  readonly #receiveLoop: ReceiveLoop | undefined;
  readonly #sendLoop: SendLoop | undefined;

  /** Takes `source` over: using it afterwards is a TypeError. */
  constructor(source: S) {
    super();
    assertNotAdopted(source);
    const handle = (this.#handle = xdpHandle(source));
    handle.assertOpen();
    if (handle.receives)
      this.#receiveLoop = new ReceiveLoop(handle.receiver(), handle, handle.native, (since) => gatheringOfChunks(since, handle.rxFrames));
    // Nothing tells of room: what the device is done with makes no descriptor writable.
    if (handle.sends) this.#sendLoop = new SendLoop(handle.sender());
    handle.native.watch((event, detail) => this.#onLoopEvent(event, detail));
    adopt(source);
    keepLedger(this, handle);
    if (handle.sends) handle.sender().slots.reclaim();
  }

  /** A socket with netring's defaults, as `XdpSocket.open`: queue 0, 4096 chunks of 4096 bytes. Throws `NetringError` as it does. */
  static open(interfaceName: string): AsyncXdpSocket {
    return new AsyncXdpSocket(XdpSocket.open(interfaceName));
  }

  /** File descriptor that is readable when a frame waits: the socket's, with several queues one for all of them; -1 after `close`. */
  get fd(): number {
    return this.#handle.fd;
  }
  /** Name of the interface now: a rename is followed. */
  get interface(): string {
    return this.#handle.interface;
  }
  /** Whether the interface is up and has a carrier. */
  get linkUp(): boolean {
    return this.#handle.linkUp;
  }
  /** Options that were honoured only in part, or that are likely not meant. */
  get warnings(): readonly string[] {
    return this.#handle.warnings;
  }
  /** Ids of the queues that the socket is bound to. */
  get queues(): readonly number[] {
    return this.#handle.queues;
  }
  /** Whether the kernel copies frames, as it says itself. */
  get boundMode(): 'copy' | 'zerocopy' {
    return this.#handle.boundMode;
  }
  /** Where the program of this socket runs: in the driver, or after it (skb); null when the socket has none. */
  get attachMode(): 'driver' | 'skb' | null {
    return this.#handle.attachMode;
  }
  /** Whether the program is still attached, which others may detach; true when the socket has none, false after `close`. */
  get attached(): boolean {
    return this.#handle.attached;
  }
  /** Longest frame the link takes now, in bytes: MTU + 14. With an 802.1Q tag 4 more. */
  get maxFrameLength(): number {
    return this.#handle.slots.maxFrameLength;
  }
  /** Longest frame a chunk holds for sending, in bytes. */
  get frameCapacity(): number {
    return this.#handle.slots.frameCapacity;
  }
  /** Chunks for sending. */
  get frameCount(): number {
    return this.#handle.slots.frameCount;
  }
  /** Frames that wait for `flush`, or that the kernel is sending. */
  get pendingCount(): number {
    return this.#handle.slots.pendingCount;
  }
  /** Chunks for sending that are free. */
  get availableSlots(): number {
    return this.#handle.slots.availableSlots;
  }
  /** Frames refused since open: for their length, or by the kernel. */
  get rejectedSlots(): number {
    return this.#handle.slots.rejectedSlots;
  }

  /**
   * Resolves on a later turn of the event loop, once a frame waits (or live owned batches leave room again).
   * Rejects with `Io`: `ECANCELED` after `close`, `ENODEV` when the interface is gone.
   */
  async readable(options: WaitOptions = {}): Promise<ReadableGuard> {
    const receiving = this.#receiving();
    await receiving.ready(options);
    return receiving.guard;
  }

  /**
   * The next batch, borrowed: valid until its `release()` or the next reading call.
   * Rejects as `readable` does, and with `signal.reason`.
   */
  async tryRecvBatch(options: WaitOptions = {}): Promise<PacketBatch> {
    return this.#receiving().tryRecvBatch(options, () => assertNotAdopted(this));
  }

  /**
   * The next batch, owned: one copy, valid for ever; its chunks have gone back already.
   * Rejects as `readable` does, and with `signal.reason`.
   */
  async recv(options: WaitOptions = {}): Promise<PacketBatch> {
    return this.#receiving().recv(options);
  }

  /** The next batch, owned, if there is one and memory for it; never waits. Null too once 16 batches have been read in this turn of the event loop. */
  tryRecv(): PacketBatch | null {
    return this.#receiving().tryRecv();
  }

  /** Owned batches until `close`; leaving the loop keeps the socket open. */
  [Symbol.asyncIterator](): AsyncGenerator<PacketBatch, void, undefined> {
    return this.#receiving().batches(() => assertNotAdopted(this));
  }

  /** A Readable of owned batches with back-pressure; takes this socket's receiving over and closes it when it ends. An abort destroys it with `signal.reason`. */
  intoStream(options: WaitOptions = {}): XdpStream<S> {
    const receiving = this.#receiving();
    options.signal?.throwIfAborted();
    receiving.assertOpen();
    adopt(this);
    return new XdpStream(this, { recv: (options) => receiving.recv(options), close: () => this.#close() }, options);
  }

  /**
   * The next chunk for a frame of `length` bytes, or null when all are taken: await `flush` then. Once sent, it leaves with the next try of any call,
   * before frames of `sendBatch` that still wait. Throws as `XdpSocket.allocate`.
   */
  allocate(length: number): TxSlot | null {
    return this.#handle.sender().slots.allocate(length);
  }

  /** Resolves when the kernel has taken the frame. Rejects with RangeError for a length that the link does not take, else as `sendBatch`. */
  async send(frame: Uint8Array, options: AsyncSendOptions = {}): Promise<void> {
    return this.#sending().send(frame, options);
  }

  /**
   * Resolves when the kernel has taken all frames but those it refused. The frames' memory must not change until then, and a borrowed batch
   * not be released.
   * Rejects with TypeError for an input of another type; with `Io`: `ENETDOWN` without a link, `ENODEV` when the interface is gone, `ECANCELED`
   * after `close`; with `signal.reason`. `report` tells what had been sent before.
   */
  async sendBatch(input: SendInput, options: AsyncSendOptions = {}): Promise<SendReport> {
    return this.#sending().sendBatch(input, options);
  }

  /** Resolves when the kernel has taken the frames that wait, with what became of those since the last flush. Rejects as `sendBatch`. */
  async flush(options: WaitOptions = {}): Promise<SendReport> {
    return this.#sending().flush(options);
  }

  /**
   * Flushes, and resolves when the kernel holds no frame of this socket any more. Rejects with `Io` / `ETIMEDOUT` after `timeoutMs`, with
   * TypeError when that is no number, else as `sendBatch`.
   */
  async waitDrained(timeoutMs = Infinity, options: WaitOptions = {}): Promise<void> {
    return this.#sending().waitDrained(timeoutMs, options);
  }

  /** Counters of both directions since the last call of this method. */
  stats(): XdpSocketStats {
    return this.#handle.stats();
  }
  /** Counters of both directions since open; readable after `close`. */
  cumulativeStats(): XdpSocketStats {
    return this.#handle.cumulativeStats();
  }
  /** The kernel's six counters since open; readable after `close`. */
  statistics(): XdpStats {
    return this.#handle.statistics();
  }

  /** As `XdpSocket.setFilter`: no batch read after it resolves holds a frame that the new filter refuses. */
  async setFilter(filter: Filter | null): Promise<void> {
    this.#handle.setFilter(filter);
  }

  /** Lets the process end although the socket is open. */
  unref(): this {
    if (!this.#handle.closed) this.#handle.native.unref();
    return this;
  }
  /** Takes `unref` back: open, it keeps the process alive, as it does from the start. */
  ref(): this {
    if (!this.#handle.closed) this.#handle.native.ref();
    return this;
  }

  /** Ends iterations, rejects everything that waits with `Io` / `ECANCELED`, gives everything back; idempotent. */
  close(): void {
    assertNotAdopted(this);
    this.#close();
  }

  /** `await using` closes it, as `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #close(): void {
    if (this.#handle.closed) return;
    this.#handle.close();
    const closed = NetringError.io('ECANCELED', `the XDP socket on ${this.interface} was closed`, this.interface);
    this.#receiveLoop?.close(closed);
    this.#sendLoop?.fail(closed);
  }

  /** Throws TypeError when a stream has taken the reading over, or the mode leaves it out. */
  #receiving(): ReceiveLoop {
    assertNotAdopted(this);
    if (this.#receiveLoop === undefined) this.#handle.receiver();
    return this.#receiveLoop!;
  }

  #sending(): SendLoop {
    if (this.#sendLoop === undefined) this.#handle.sender();
    return this.#sendLoop!;
  }

  #onLoopEvent(event: LoopEvent, detail: number): void {
    switch (event) {
      case LoopEvent.Ready:
        this.#receiveLoop?.wake();
        break;
      case LoopEvent.Down:
        // The next try of what waits finds the link down and rejects.
        this.#sendLoop?.pump();
        this.emit('down');
        break;
      case LoopEvent.Up:
        this.emit('up');
        break;
      case LoopEvent.Gone: {
        const gone = NetringError.io('ENODEV', `interface ${this.interface} is gone`, this.interface);
        this.#receiveLoop?.endAfter(0, gone);
        this.#sendLoop?.gone(gone);
        this.emit('gone', gone);
        break;
      }
      case LoopEvent.Error:
        this.#report(NetringError.fromNative({ errno: detail, step: 'poll', interface: this.interface }));
    }
  }

  /** A failure of the socket is never silent: who listens is told, and otherwise whoever waits. */
  #report(error: NetringError): void {
    if (this.listenerCount('error') > 0) return void this.emit('error', error);
    this.#receiveLoop?.fail(error);
    this.#sendLoop?.fail(error);
  }
}
