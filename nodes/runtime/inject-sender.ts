/** Sends the frames of queued messages: in order, at the pace that is set, a bounded number a turn of the event loop. */
import { NetringError } from '../../src/errors';
import type { FullPolicy } from '../../src/options/values';
import type { Clock } from './clock';
import type { FrameSink } from './frame-sink';
import type { InjectMeter } from './inject-meter';
import type { Job, JobQueue } from './inject-queue';
import type { Pacer } from './pacer';

/** Frames in one call, and frames before the loop turns: a few milliseconds' worth. */
const FRAMES_PER_TURN = 2048;
/** Timers take at most 2^31 ms, and a recorded gap may be longer. */
const LONGEST_SLEEP_MS = 60_000;

interface Session {
  sink: FrameSink;
  abort: AbortController;
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
    this.#session = { sink, abort: new AbortController() };
    this.wake();
  }

  /** There is a job. */
  wake(): void {
    if (this.#loop !== undefined || this.#session === undefined || this.#queue.empty) return;
    this.#loop = this.#run(this.#session).then(() => {
      this.#loop = undefined;
      if (this.#queue.empty) this.#onDrained();
      // For a session that began while this loop was ending.
      this.wake();
    });
  }

  /** Ends what waits, and what is under way, with `reason`. */
  stop(reason: Error): void {
    this.#session?.abort.abort(reason);
    this.#session = undefined;
    const current = this.#loop === undefined ? undefined : this.#queue.first;
    for (const job of this.#queue.removeAllBut(current)) this.#end(job, reason);
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
      let reason: Error | undefined;
      try {
        await this.#send(job, session);
      } catch (error) {
        reason = error as Error;
      }
      this.#queue.remove();
      this.#end(job, reason);
      if (reason instanceof NetringError && !signal.aborted && (reason.code === 'ENXIO' || reason.code === 'ENODEV')) this.#failed(reason);
    }
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
    const result = await sink.sendBatch(job.frames.slice(first, first + count), { signal, fixChecksums: this.#settings.fixChecksums });
    job.next = first + count;
    job.report.sent += result.sent;
    job.report.bytes += result.bytes;
    this.#meter.send(result.sent, result.bytes);
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
