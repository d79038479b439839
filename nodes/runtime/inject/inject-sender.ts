/** Sends the frames of queued messages: in order, at the pace that is set, a bounded number a turn of the event loop. */
import type { SendReport } from '../../../src/async/send-loop';
import type { PacketBatch } from '../../../src/batches/batch';
import { NetringError } from '../../../src/errors/errors';
import type { FullPolicy } from '../../../src/options/values';
import type { Pacer } from '../../../src/replay/pacer';
import type { Clock } from '../clock';
import type { FrameSink } from '../frame-sink';
import type { InjectMeter } from './inject-meter';
import type { Job, JobQueue } from './inject-queue';

/** Frames in one call, and frames before the loop turns: a few milliseconds' worth. */
const FRAMES_PER_TURN = 2048;
const ETHERNET_HEADER = 14;
/** Timers take at most 2^31 ms, and a recorded gap may be longer. */
const LONGEST_SLEEP_MS = 60_000;

interface Session {
  sink: FrameSink;
  abort: AbortController;
  /** Jobs that end with the session. */
  rest: { job: Job; reason: Error }[];
}

export class InjectSender {
  readonly #queue: JobQueue;
  readonly #pacer: Pacer;
  readonly #meter: InjectMeter;
  readonly #settings: { onFull: FullPolicy; fixChecksums: boolean };
  readonly #clock: Clock;
  readonly #failed: (error: NetringError) => void;
  #session: Session | undefined;
  #loop: Promise<void> | undefined;
  /** Session and job of the loop. */
  #running: Session | undefined;
  #current: Job | undefined;
  #sinceTurn = 0;
  #onDrained: () => void = () => undefined;

  /** `failed` is told when the interface is gone. */
  constructor(
    queue: JobQueue,
    pacer: Pacer,
    meter: InjectMeter,
    settings: { onFull: FullPolicy; fixChecksums: boolean },
    clock: Clock,
    failed: (error: NetringError) => void,
  ) {
    this.#queue = queue;
    this.#pacer = pacer;
    this.#meter = meter;
    this.#settings = settings;
    this.#clock = clock;
    this.#failed = failed;
  }

  /** Sends through `sink` from now on. */
  start(sink: FrameSink): void {
    if (this.#session?.sink === sink) return;
    this.#session = { sink, abort: new AbortController(), rest: [] };
    this.wake();
  }

  /** There is a job. */
  wake(): void {
    const session = this.#session;
    if (this.#loop !== undefined || session === undefined || this.#queue.empty) return;
    this.#running = session;
    this.#loop = this.#run(session).then(() => {
      this.#loop = undefined;
      this.#running = undefined;
      if (this.#queue.empty) this.#onDrained();
      // For a session that began while this loop was ending.
      this.wake();
    });
  }

  /** Ends what waits, and what is under way, with `reason`; in order, so a running loop ends the rest after its own job. */
  stop(reason: Error): void {
    this.#session?.abort.abort(reason);
    this.#session = undefined;
    const rest = this.#queue.removeAllBut(this.#current);
    for (const job of rest)
      if (this.#running === undefined) this.#end(job, reason);
      else this.#running.rest.push({ job, reason });
  }

  /** Resolves when nothing waits any more, at the latest after `ms`. */
  async drained(ms: number): Promise<void> {
    if (this.#queue.empty || this.#session === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(ms, resolve);
      this.#onDrained = () => {
        cancel();
        resolve();
      };
    });
    this.#onDrained = () => undefined;
  }

  /** Resolves when the loop has ended. */
  async idle(): Promise<void> {
    await this.#loop;
  }

  async #run(session: Session): Promise<void> {
    const { signal } = session.abort;
    let idle = true;
    for (let job = this.#queue.first; job !== undefined && !signal.aborted; job = this.#queue.first) {
      this.#pacer.begin(idle);
      idle = false;
      this.#current = job;
      let reason: Error | undefined;
      try {
        await this.#send(job, session);
      } catch (error) {
        reason = error as Error;
      }
      this.#current = undefined;
      this.#queue.remove();
      this.#end(job, reason);
      if (signal.aborted) break;
      if (reason instanceof NetringError && (reason.code === 'ENXIO' || reason.code === 'ENODEV')) this.#failed(reason);
    }
    for (const { job, reason } of session.rest) this.#end(job, reason);
  }

  async #send(job: Job, { sink, abort: { signal } }: Session): Promise<void> {
    const { frames } = job;
    while (job.next < frames.length) {
      signal.throwIfAborted();
      const limit = Math.min(FRAMES_PER_TURN - this.#sinceTurn, frames.runEnd(job.next) - job.next);
      const { count, waitMs } = this.#pacer.take(frames, job.next, limit);
      if (count === 0) {
        await this.#sleep(Math.min(waitMs, LONGEST_SLEEP_MS), signal);
        this.#sinceTurn = 0;
        continue;
      }
      await this.#transmit(job, count, sink, signal);
      this.#sinceTurn += count;
      if (this.#sinceTurn < FRAMES_PER_TURN) continue;
      await this.#clock.turn();
      this.#sinceTurn = 0;
    }
  }

  async #transmit(job: Job, count: number, sink: FrameSink, signal: AbortSignal): Promise<void> {
    const first = job.next;
    const frames = job.frames.slice(first, first + count);
    const report: SendReport = { sent: 0, rejected: 0, bytes: 0 };
    try {
      if (this.#settings.onFull === 'wait') await sink.sendBatch(frames, { signal, fixChecksums: this.#settings.fixChecksums, report });
      else await this.#sendAtOnce(sink, frames, report);
    } finally {
      job.next += report.sent + report.rejected;
      job.report.sent += report.sent;
      job.report.bytes += report.bytes;
      this.#meter.send(report.sent, report.bytes);
      this.#meter.reject(report.rejected);
      const { firstRejected } = report;
      if (firstRejected !== undefined) job.reject(report.rejected, refusal(job.frames.nameOf(first + firstRejected.index), firstRejected));
    }
    const dropped = first + count - job.next;
    job.drop(dropped);
    this.#meter.drop(dropped);
  }

  /** The injector tries before it returns its promise. An abort right after that leaves out what found no room. */
  async #sendAtOnce(sink: FrameSink, frames: PacketBatch | readonly Uint8Array[], report: SendReport): Promise<void> {
    const noRoom = new AbortController();
    const sending = sink.sendBatch(frames, { signal: noRoom.signal, fixChecksums: this.#settings.fixChecksums, report });
    noRoom.abort();
    try {
      await sending;
    } catch (error) {
      if (error !== noRoom.signal.reason) throw error;
    }
  }

  #end(job: Job, reason: Error | undefined): void {
    this.#meter.drop(job.frames.length - job.next);
    job.end(reason);
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.#clock.after(ms, wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

function refusal(name: string, { length, limit }: NonNullable<SendReport['firstRejected']>): Error {
  const inRange = length >= ETHERNET_HEADER && length <= limit;
  const rule = inRange ? 'the kernel refused it' : `a frame has ${ETHERNET_HEADER} to ${limit} bytes here, 4 more with an 802.1Q tag`;
  return new RangeError(`${name} is ${length} bytes long: ${rule}`);
}
