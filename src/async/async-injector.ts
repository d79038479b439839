/** An injector on the event loop: waits for room without blocking, keeps the order of calls, reports the link's state. */
import { EventEmitter } from 'node:events';
import { NetringError } from '../errors/errors';
import type { SendInput } from '../sending/frame-input';
import { Injector, injectorHandle } from '../injector/injector';
import type { InjectorHandle } from '../injector/injector-handle';
import { keepLedger } from '../ledger';
import { LoopEvent } from '../native';
import type { TxSlot } from '../sending/tx-slot';
import { adopt, assertNotAdopted } from './adoption';
import { SendLoop, type AsyncSendOptions, type SendReport } from './send-loop';
import type { WaitOptions } from './wait-list';

/** Events of `AsyncInjector`. */
export interface AsyncInjectorEvents {
  /** The link went down; what waits to be sent rejects with `ENETDOWN`. */
  down: [];
  /** The link came back. */
  up: [];
  /** The interface was deleted; what waits to be sent rejects. Open a new injector when it returns. */
  gone: [NetringError];
  /** The socket has failed. Nobody needs to listen: without a listener the error rejects what waits instead. */
  error: [NetringError];
}

/**
 * An async shell around an `Injector`, which it takes over. Open, it keeps the process alive (see `unref`).
 *
 * Calls are served in their order. They wait while the kernel has no room; without a link they reject at once and keep nothing back.
 *
 * @example Waits for room instead of failing
 * ```ts
 * import { AsyncInjector, Injector } from '@netring/node-red';
 *
 * await using injector = new AsyncInjector(Injector.open('eth0'));
 * const frames = Array.from({ length: 1000 }, () => Buffer.from('ffffffffffff02000000000188b5', 'hex'));
 * const { sent, rejected } = await injector.sendBatch(frames);
 * console.log(sent, rejected); // 1000 0
 * ```
 */
export class AsyncInjector<S extends Injector = Injector> extends EventEmitter<AsyncInjectorEvents> implements AsyncDisposable {
  readonly #handle: InjectorHandle;
  readonly #sending: SendLoop;

  /** Takes `source` over: using it afterwards is a TypeError, as is anything else than an `Injector`. */
  constructor(source: S) {
    super();
    if (!(source instanceof Injector)) throw new TypeError(`${String(source)} is no Injector: AsyncInjector.open(name) opens one`);
    assertNotAdopted(source);
    this.#handle = injectorHandle(source);
    keepLedger(this, this.#handle);
    this.#handle.assertOpen();
    this.#sending = new SendLoop(this.#handle.sender, () => this.#handle.native.arm());
    this.#handle.native.watch((event, detail) => this.#onLoopEvent(event, detail));
    adopt(source);
    this.#handle.sender.slots.reclaim();
  }

  /** An injector with netring's defaults, as `Injector.open`: 256 slots of 2048 bytes. Throws `NetringError` as it does. */
  static open(interfaceName: string): AsyncInjector {
    return new AsyncInjector(Injector.open(interfaceName));
  }

  /** The file descriptor of the socket that sends batches; -1 after `close`. */
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
  /** Options that were honoured only in part. */
  get warnings(): readonly string[] {
    return this.#handle.warnings;
  }
  /** Longest frame the link takes now, in bytes: MTU + 14. With an 802.1Q tag 4 more. */
  get maxFrameLength(): number {
    return this.#handle.sender.maxFrameLength;
  }
  /** Longest frame a slot holds, in bytes. Frames of `send` and `sendBatch` are bound by the link alone. */
  get frameCapacity(): number {
    return this.#handle.sender.frameCapacity;
  }
  /** Slots of the ring: `frameCount` rounded up to whole blocks. */
  get frameCount(): number {
    return this.#handle.sender.frameCount;
  }
  /** Slots that wait for `flush`, or that the kernel is sending. */
  get pendingCount(): number {
    return this.#handle.sender.pendingCount;
  }
  /** Slots that are free. Each call looks at every slot of the ring. */
  get availableSlots(): number {
    return this.#handle.sender.availableSlots;
  }
  /** Frames refused since open: for their length, or by the kernel. */
  get rejectedSlots(): number {
    return this.#handle.sender.rejectedSlots;
  }

  /**
   * The next slot for a frame of `length` bytes, or null when the ring is full: await `flush` then. Once sent, it leaves with the next try of
   * any call, before frames of `sendBatch` that still wait. Throws as `Injector.allocate`.
   */
  allocate(length: number): TxSlot | null {
    return this.#handle.sender.slots.allocate(length);
  }

  /** Resolves when the kernel has taken the frame. Rejects with RangeError for a length that the link does not take, else as `sendBatch`. */
  send(frame: Uint8Array, options: AsyncSendOptions = {}): Promise<void> {
    return this.#sending.send(frame, options);
  }

  /**
   * Resolves when the kernel has taken all frames but those it refused. The frames' memory must not change until then, and a borrowed batch
   * not be released.
   * Rejects with TypeError for an input of another type; with `Io`: `ENETDOWN` without a link, `ENODEV` when the interface is gone, `ECANCELED`
   * after `close`; with `signal.reason`. `report` tells what had been sent before.
   */
  sendBatch(input: SendInput, options: AsyncSendOptions = {}): Promise<SendReport> {
    return this.#sending.sendBatch(input, options);
  }

  /** Resolves when the kernel has taken the ring's frames, with what became of those since the last flush. Rejects as `sendBatch`. */
  flush(options: WaitOptions = {}): Promise<SendReport> {
    return this.#sending.flush(options);
  }

  /**
   * Flushes, and resolves when the kernel holds no frame of this injector any more. Rejects with `Io` / `ETIMEDOUT` after `timeoutMs`, with
   * TypeError when that is no number, else as `sendBatch`.
   */
  waitDrained(timeoutMs = Infinity, options: WaitOptions = {}): Promise<void> {
    return this.#sending.waitDrained(timeoutMs, options);
  }

  /** Lets the process end although the injector is open. */
  unref(): this {
    if (!this.#handle.closed) this.#handle.native.unref();
    return this;
  }
  /** Takes `unref` back: open, it keeps the process alive, as it does from the start. */
  ref(): this {
    if (!this.#handle.closed) this.#handle.native.ref();
    return this;
  }

  /** Rejects what waits to be sent with `Io` / `ECANCELED`, gives everything back; idempotent. */
  close(): void {
    if (this.#handle.closed) return;
    const name = this.interface;
    this.#handle.close();
    this.#sending.fail(NetringError.io('ECANCELED', `the injector on ${name} was closed`, name));
  }

  /** `await using` closes it, as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #onLoopEvent(event: LoopEvent, detail: number): void {
    switch (event) {
      case LoopEvent.Ready:
        this.#sending.pump();
        break;
      case LoopEvent.Down:
        // The next try of what waits finds the link down and rejects.
        this.#sending.pump();
        this.emit('down');
        break;
      case LoopEvent.Up:
        this.emit('up');
        break;
      case LoopEvent.Gone: {
        const gone = this.#handle.sender.goneError();
        this.#sending.gone(gone);
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
    else this.#sending.fail(error);
  }
}
