/** An injector on the event loop: waits for room without blocking, keeps the order of calls, reports the link's state. */
import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { NetringError } from '../errors';
import { frameInput, type SendInput } from '../frame-input';
import { Injector, injectorHandle, type SendOptions } from '../injector';
import { assertTimeout, type InjectorHandle, type Stop } from '../injector-handle';
import { LoopEvent, SendResult } from '../native';
import { assertFrame, type TxSlot } from '../tx-slot';
import { adopt, assertNotAdopted } from './adoption';
import { SendQueue } from './send-queue';
import type { WaitOptions } from './wait-list';

export interface AsyncInjectorEvents {
  /** The link went down; what waits to be sent rejects with `ENETDOWN`. */
  down: [];
  up: [];
  /** The interface was deleted; what waits to be sent rejects. Open a new injector when it returns. */
  gone: [NetringError];
  error: [NetringError];
}

/** What became of the frames of one call. */
export interface SendReport {
  /** Frames the kernel took. */
  sent: number;
  /** Frames refused for their length, or by the kernel. */
  rejected: number;
  /** Sum of the lengths of the sent frames in bytes. */
  bytes: number;
  /**
   * The first rejected frame: its place in the input, its length, and the longest frame that the link takes, in bytes. Never in a report of
   * `flush`, which has no input.
   */
  firstRejected?: { index: number; length: number; limit: number };
}

export interface AsyncSendOptions extends SendOptions, WaitOptions {
  /** Filled in as the frames go, so that it tells how far the call came also when its promise rejects. */
  report?: SendReport | undefined;
}

/** Node.js fires a timer for longer than this at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * An async shell around an `Injector`, which it takes over. Open, it keeps the process alive (see `unref`).
 *
 * Calls are served in their order. They wait while the kernel has no room; without a link they reject at once and keep nothing back.
 */
export class AsyncInjector<S extends Injector = Injector> extends EventEmitter<AsyncInjectorEvents> implements AsyncDisposable {
  readonly #handle: InjectorHandle;
  readonly #queue: SendQueue;
  #gone: NetringError | undefined;

  /** Takes `source` over: using it afterwards is a TypeError. */
  constructor(source: S) {
    super();
    assertNotAdopted(source);
    this.#handle = injectorHandle(source);
    this.#handle.assertOpen();
    this.#queue = new SendQueue(() => this.#handle.native.arm());
    this.#handle.native.watch((event, detail) => this.#onLoopEvent(event, detail));
    adopt(source);
    this.#handle.slots.reclaim();
  }

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
  get linkUp(): boolean {
    return this.#handle.linkUp;
  }
  get warnings(): readonly string[] {
    return this.#handle.warnings;
  }
  /** Longest frame the link takes now, in bytes: MTU + 14. With an 802.1Q tag 4 more. */
  get maxFrameLength(): number {
    return this.#handle.maxFrameLength;
  }
  /** Longest frame a slot holds, in bytes. Frames of `send` and `sendBatch` are bound by the link alone. */
  get frameCapacity(): number {
    return this.#handle.frameCapacity;
  }
  /** Slots of the ring: `frameCount` rounded up to whole blocks. */
  get frameCount(): number {
    return this.#handle.frameCount;
  }
  /** Slots that wait for `flush`, or that the kernel is sending. */
  get pendingCount(): number {
    return this.#handle.pendingCount;
  }
  get availableSlots(): number {
    return this.#handle.availableSlots;
  }
  /** Frames refused since open: for their length, or by the kernel. */
  get rejectedSlots(): number {
    return this.#handle.rejectedSlots;
  }

  /**
   * The next slot for a frame of `length` bytes, or null when the ring is full: await `flush` then. Once sent, it leaves with the next try of
   * any call, before frames of `sendBatch` that still wait. Throws as `Injector.allocate`.
   */
  allocate(length: number): TxSlot | null {
    return this.#handle.slots.allocate(length);
  }

  /** Resolves when the kernel has taken the frame. Rejects with RangeError for a length that the link does not take, else as `sendBatch`. */
  async send(frame: Uint8Array, options: AsyncSendOptions = {}): Promise<void> {
    assertFrame(frame);
    const { firstRejected: bad } = await this.sendBatch(frame, options);
    if (bad !== undefined)
      throw new RangeError(`a frame of ${bad.length} bytes does not fit: ${this.interface} takes 14 to ${bad.limit} bytes`);
  }

  /**
   * Resolves when the kernel has taken all frames but those it refused. The frames' memory must not change until then, and a borrowed batch
   * not be released.
   * Rejects with TypeError for an input of another type; with `Io`: `ENETDOWN` without a link, `ENODEV` when the interface is gone, `ECANCELED`
   * after `close`; with `signal.reason`. `report` tells what had been sent before.
   */
  async sendBatch(input: SendInput, options: AsyncSendOptions = {}): Promise<SendReport> {
    const frames = frameInput(input);
    const report = Object.assign(options.report ?? {}, { sent: 0, rejected: 0, bytes: 0 });
    delete (report as SendReport).firstRejected;
    const fixChecksums = options.fixChecksums ?? true;
    let next = 0;
    await this.#enqueue(options, (budget) => {
      const stop = this.#handle.transmit(frames, next, Math.min(frames.count, next + budget), fixChecksums);
      this.#account(report);
      const consumed = this.#handle.result[SendResult.Consumed]!;
      next += consumed;
      return { consumed, stop, done: next === frames.count };
    });
    return report;
  }

  /** Resolves when the kernel has taken the ring's frames, with what became of those since the last flush. Rejects as `sendBatch`. */
  async flush(options: WaitOptions = {}): Promise<SendReport> {
    const report: SendReport = { sent: 0, rejected: 0, bytes: 0 };
    await this.#enqueue(options, () => {
      const stop = this.#handle.flush();
      this.#account(report);
      return { consumed: this.#handle.result[SendResult.Consumed]!, stop, done: stop === 'none' };
    });
    return report;
  }

  /**
   * Flushes, and resolves when the kernel holds no frame of this injector any more. Rejects with `Io` / `ETIMEDOUT` after `timeoutMs`, with
   * TypeError when that is no number, else as `sendBatch`.
   */
  async waitDrained(timeoutMs = Infinity, { signal }: WaitOptions = {}): Promise<void> {
    assertTimeout(timeoutMs);
    signal?.throwIfAborted();
    const end = new AbortController();
    const abort = (): void => end.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    // Unref-ed, and so are the pauses: an open injector keeps the loop alive by itself, or shall not.
    const late = (): void => end.abort(this.#handle.notDrainedError(timeoutMs));
    const timer = timeoutMs > LONGEST_TIMER_MS ? undefined : setTimeout(late, Math.max(timeoutMs, 0)).unref();
    try {
      await this.flush({ signal: end.signal });
      for (let ms = 1; ; ms = Math.min(2 * ms, 20)) {
        this.#assertUsable();
        if (this.#handle.drained) return;
        await pause(ms, undefined, { ref: false });
        end.signal.throwIfAborted();
      }
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Lets the process end although the injector is open. */
  unref(): this {
    if (!this.#handle.closed) this.#handle.native.unref();
    return this;
  }
  ref(): this {
    if (!this.#handle.closed) this.#handle.native.ref();
    return this;
  }

  /** Rejects what waits to be sent with `Io` / `ECANCELED`, gives everything back; idempotent. */
  close(): void {
    if (this.#handle.closed) return;
    const name = this.interface;
    this.#handle.close();
    this.#queue.fail(NetringError.io('ECANCELED', `the injector on ${name} was closed`, name));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #enqueue(options: WaitOptions, attempt: (budget: number) => { consumed: number; stop: Stop; done: boolean }): Promise<void> {
    this.#assertUsable();
    return this.#queue.run(attempt, options.signal);
  }

  /** Adds one call's result to a report. */
  #account(report: SendReport): void {
    const { result } = this.#handle;
    if (result[SendResult.FirstRejected]! >= 0 && report.firstRejected === undefined) {
      report.firstRejected = {
        index: result[SendResult.FirstRejected]!,
        length: result[SendResult.FirstRejectedLength]!,
        limit: this.#handle.native.maxFrameLength,
      };
    }
    report.sent += result[SendResult.Sent]!;
    report.rejected += result[SendResult.Rejected]!;
    report.bytes += result[SendResult.Bytes]!;
  }

  #onLoopEvent(event: LoopEvent, detail: number): void {
    switch (event) {
      case LoopEvent.Ready:
        this.#queue.pump();
        break;
      case LoopEvent.Down:
        // The next try of what waits finds the link down and rejects.
        this.#queue.pump();
        this.emit('down');
        break;
      case LoopEvent.Up:
        this.emit('up');
        break;
      case LoopEvent.Gone:
        this.#gone = this.#handle.goneError();
        this.#queue.fail(this.#gone);
        this.emit('gone', this.#gone);
        break;
      case LoopEvent.Error:
        this.#report(NetringError.fromNative({ errno: detail, step: 'poll', interface: this.interface }));
    }
  }

  /** A failure of the socket is never silent: who listens is told, and otherwise whoever waits. */
  #report(error: NetringError): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
    else this.#queue.fail(error);
  }

  #assertUsable(): void {
    this.#handle.assertOpen();
    if (this.#gone !== undefined) throw this.#gone;
  }
}
