/** Sending on the event loop: waits for room without blocking, keeps the order of calls, reports what became of their frames. */
import { setTimeout as pause } from 'node:timers/promises';
import type { NetringError } from '../errors/errors';
import { frameInput, type SendInput } from '../sending/frame-input';
import { assertTimeout, type FrameSender, type Stop } from '../sending/frame-sender';
import type { SendOptions } from '../injector/injector';
import { SendResult } from '../native';
import { assertFrame } from '../sending/tx-slot';
import { SendQueue } from './send-queue';
import type { WaitOptions } from './wait-list';

/** What became of the frames of one call. */
export interface SendReport {
  /** Frames the kernel took. */
  sent: number;
  /** Frames refused for their length, or by the kernel. */
  rejected: number;
  /** Sum of the lengths of the sent frames in bytes. */
  bytes: number;
  /** The first rejected frame. Never in a report of `flush`, which has no input. */
  firstRejected?: {
    /** Its place in the input, from 0 on. */
    index: number;
    /** Its length in bytes. */
    length: number;
    /** The longest frame that the link takes, in bytes. */
    limit: number;
  };
}

/** Options of the sending calls of `AsyncInjector` and `AsyncXdpSocket`. */
export interface AsyncSendOptions extends SendOptions, WaitOptions {
  /** Filled in as the frames go, so that it tells how far the call came also when its promise rejects. */
  report?: SendReport | undefined;
}

/** Node.js fires a timer for longer than this at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class SendLoop {
  readonly #sender: FrameSender;
  readonly #queue: SendQueue;
  #gone: NetringError | undefined;

  /** `awaitWritable` asks for one `pump` when the socket takes frames again; left out when nothing tells of that. */
  constructor(sender: FrameSender, awaitWritable?: () => void) {
    this.#sender = sender;
    this.#queue = new SendQueue(awaitWritable);
  }

  async send(frame: Uint8Array, options: AsyncSendOptions): Promise<void> {
    assertFrame(frame);
    const { firstRejected: bad } = await this.sendBatch(frame, options);
    if (bad !== undefined)
      throw new RangeError(`a frame of ${bad.length} bytes does not fit: ${this.#sender.interface} takes 14 to ${bad.limit} bytes`);
  }

  async sendBatch(input: SendInput, options: AsyncSendOptions): Promise<SendReport> {
    const frames = frameInput(input);
    const report = Object.assign(options.report ?? {}, { sent: 0, rejected: 0, bytes: 0 });
    delete (report as SendReport).firstRejected;
    const fixChecksums = options.fixChecksums ?? true;
    let next = 0;
    await this.#enqueue(options, (budget) => {
      const stop = this.#sender.transmit(frames, next, Math.min(frames.count, next + budget), fixChecksums);
      this.#account(report);
      const consumed = this.#sender.result[SendResult.Consumed]!;
      next += consumed;
      // All consumed, and still not done: the last frames of an AF_XDP ring, which the device had no room for yet.
      return { consumed, stop, done: next === frames.count && stop === 'none' };
    });
    return report;
  }

  async flush(options: WaitOptions): Promise<SendReport> {
    const report: SendReport = { sent: 0, rejected: 0, bytes: 0 };
    await this.#enqueue(options, () => {
      const stop = this.#sender.flush();
      this.#account(report);
      return { consumed: this.#sender.result[SendResult.Consumed]!, stop, done: stop === 'none' };
    });
    return report;
  }

  async waitDrained(timeoutMs: number, { signal }: WaitOptions): Promise<void> {
    assertTimeout(timeoutMs);
    signal?.throwIfAborted();
    const end = new AbortController();
    const abort = (): void => end.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    // Unref-ed, and so are the pauses: an open handle keeps the loop alive by itself, or shall not.
    const late = (): void => end.abort(this.#sender.notDrainedError(timeoutMs));
    const timer = timeoutMs > LONGEST_TIMER_MS ? undefined : setTimeout(late, Math.max(timeoutMs, 0)).unref();
    try {
      await this.flush({ signal: end.signal });
      for (let ms = 1; ; ms = Math.min(2 * ms, 20)) {
        this.#assertUsable();
        if (this.#sender.drained) return;
        // It rejects with an error of its own, not with the reason.
        await pause(ms, undefined, { ref: false, signal: end.signal }).catch(() => end.signal.throwIfAborted());
      }
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Goes on now: there may be room, or a link that is down to reject for. */
  pump(): void {
    this.#queue.pump();
  }

  /** The interface was deleted: rejects what waits, and all that comes. */
  gone(reason: NetringError): void {
    this.#gone = reason;
    this.#queue.fail(reason);
  }

  /** Rejects what waits. */
  fail(reason: NetringError): void {
    this.#queue.fail(reason);
  }

  #enqueue(options: WaitOptions, attempt: (budget: number) => { consumed: number; stop: Stop; done: boolean }): Promise<void> {
    this.#assertUsable();
    return this.#queue.run(attempt, options.signal);
  }

  /** Adds one call's result to a report. */
  #account(report: SendReport): void {
    const { result } = this.#sender;
    if (result[SendResult.FirstRejected]! >= 0 && report.firstRejected === undefined) {
      report.firstRejected = {
        index: result[SendResult.FirstRejected]!,
        length: result[SendResult.FirstRejectedLength]!,
        limit: this.#sender.maxFrameLength,
      };
    }
    report.sent += result[SendResult.Sent]!;
    report.rejected += result[SendResult.Rejected]!;
    report.bytes += result[SendResult.Bytes]!;
  }

  #assertUsable(): void {
    this.#sender.assertOpen();
    if (this.#gone !== undefined) throw this.#gone;
  }
}
