/** Messages of an inject-out node on their way to the kernel: one after the other, each answered once. */
import type { Frames } from './frames';

/** Payload of a report. The three counts add up to the frames of the input. */
export interface InjectReport {
  /** Frames the kernel took, and the sum of their lengths. */
  sent: number;
  bytes: number;
  /** Frames refused for what they are. */
  rejected: number;
  /** Frames given up: no room, no link, node stopped. */
  dropped: number;
}

/** One message: its frames, how far it has come, and whom to tell. */
export class Job {
  readonly frames: Frames;
  readonly report: InjectReport;
  /** Frames that are dealt with. */
  next = 0;
  #problem: Error | undefined;
  #problems: number;
  readonly #finish: (report: InjectReport, error: Error | undefined) => void;

  constructor(
    frames: Frames,
    refused: number,
    problem: Error | undefined,
    finish: (report: InjectReport, error: Error | undefined) => void,
  ) {
    this.frames = frames;
    this.report = { sent: 0, rejected: refused, dropped: 0, bytes: 0 };
    this.#problem = problem;
    this.#problems = refused;
    this.#finish = finish;
  }

  /** Notes `count` frames that were refused; the first problem is the one that is told. */
  reject(count: number, problem: Error): void {
    this.report.rejected += count;
    this.#problems += count;
    this.#problem ??= problem;
  }

  /** Gives up the next `count` frames. */
  drop(count: number): void {
    this.report.dropped += count;
    this.next += count;
  }

  /** Ends the job. What was not dealt with is dropped, because of `reason` when that is an error. */
  end(reason?: Error): void {
    this.drop(this.frames.length - this.next);
    const error = reason ?? this.#problem;
    const others = this.#problems - 1;
    if (error === this.#problem && error !== undefined && others > 0) error.message += ` (and ${others} more refused)`;
    this.#finish(this.report, error);
  }
}

export class JobQueue {
  readonly #maxBytes: number;
  readonly #jobs: Job[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get first(): Job | undefined {
    return this.#jobs[0];
  }
  /** Bytes of the frames of all jobs, the one under way included. */
  get bytes(): number {
    return this.#bytes;
  }
  get empty(): boolean {
    return this.#jobs.length === 0;
  }

  /** False when the job does not fit. */
  add(job: Job): boolean {
    if (this.#bytes + job.frames.byteLength > this.#maxBytes) return false;
    this.#jobs.push(job);
    this.#bytes += job.frames.byteLength;
    return true;
  }

  /** Takes the first job out, done or not. */
  remove(): void {
    const job = this.#jobs.shift();
    if (job !== undefined) this.#bytes -= job.frames.byteLength;
  }

  /** Takes out all jobs but the one under way. */
  removeAllBut(current: Job | undefined): Job[] {
    const others = this.#jobs.filter((job) => job !== current);
    this.#jobs.splice(0, this.#jobs.length, ...(current === undefined ? [] : [current]));
    this.#bytes = current?.frames.byteLength ?? 0;
    return others;
  }
}
