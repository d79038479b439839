/** Messages of an inject-out node on their way to the kernel: one after the other, each answered once. */
import type { Frames } from '../frames';

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

/**
 * What a message that waits takes besides its frames: the job, the message itself, the closures that answer it (640 to 1110 bytes
 * of heap, measured with Node.js 20). Without it a queue of messages that hold no frame, or a short one, would outgrow the heap long before it
 * counted as full.
 */
export const MESSAGE_BYTES = 1024;

export class JobQueue {
  readonly #maxBytes: number;
  /** From `#head` on; before it, places that are given up together, since shifting an array of some ten thousand moves all of it each time. */
  readonly #jobs: (Job | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get first(): Job | undefined {
    return this.#jobs[this.#head];
  }
  /** What all jobs take, the one under way included: the bytes of their frames, and `MESSAGE_BYTES` each. */
  get bytes(): number {
    return this.#bytes;
  }
  /** Frames of all jobs that are not dealt with. */
  get frames(): number {
    return this.#jobs.reduce((sum, job) => sum + (job === undefined ? 0 : job.frames.length - job.next), 0);
  }
  get length(): number {
    return this.#jobs.length - this.#head;
  }
  get empty(): boolean {
    return this.length === 0;
  }

  /** False when the frames do not fit. Only messages that wait already count with more than their frames: an idle queue takes `maxBytes` of frames. */
  add(job: Job): boolean {
    if (this.#bytes + job.frames.byteLength > this.#maxBytes) return false;
    this.#jobs.push(job);
    this.#bytes += sizeOf(job);
    return true;
  }

  /** Takes the first job out, done or not. */
  remove(): void {
    const job = this.first;
    if (job === undefined) return;
    this.#bytes -= sizeOf(job);
    this.#jobs[this.#head++] = undefined;
    if (this.#head * 2 < this.#jobs.length) return;
    this.#jobs.splice(0, this.#head);
    this.#head = 0;
  }

  /** Takes out all jobs but the one under way. */
  removeAllBut(current: Job | undefined): Job[] {
    const others = this.#jobs.filter((job) => job !== undefined && job !== current) as Job[];
    this.#jobs.splice(0, this.#jobs.length, ...(current === undefined ? [] : [current]));
    this.#head = 0;
    this.#bytes = current === undefined ? 0 : sizeOf(current);
    return others;
  }
}

function sizeOf(job: Job): number {
  return MESSAGE_BYTES + job.frames.byteLength;
}
