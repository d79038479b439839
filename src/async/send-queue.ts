/** Calls that send, one after the other: each tries again when the kernel may have room, and keeps its place until it is done. */
import type { Stop } from '../sending/frame-sender';

/** Tries to send at most `budget` frames. `consumed` ones are dealt with. */
type Attempt = (budget: number) => { consumed: number; stop: Stop; done: boolean };

interface Job {
  attempt: Attempt;
  resolve: () => void;
  reject: (reason: Error) => void;
}

/** Frames in one native call, and before the event loop turns: some milliseconds' worth. */
const FRAMES_PER_TURN = 2048;
/** Pauses while a queue of the kernel is full that tells nobody when it has room, in ms. */
const LEAST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;

export class SendQueue {
  readonly #jobs: Job[] = [];
  readonly #awaitWritable: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The next turn of the loop brings a new budget. */
  #turnAwaited = false;
  #budget = FRAMES_PER_TURN;
  #pauseMs = LEAST_PAUSE_MS;
  /** Became full, and was told since that there is room. */
  #wasFull = false;

  /** `awaitWritable` asks for one `pump` when the socket takes frames again; without it only time helps. */
  constructor(awaitWritable?: () => void) {
    this.#awaitWritable = awaitWritable;
  }

  /** Resolves when `attempt` is done. An abort takes the call out, wherever it stands. */
  run(attempt: Attempt, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const forget = (): void => signal?.removeEventListener('abort', abort);
      const job: Job = {
        attempt,
        resolve: () => (forget(), resolve()),
        reject: (reason) => (forget(), reject(reason)),
      };
      const abort = (): void => {
        const place = this.#jobs.indexOf(job);
        if (place < 0) return;
        this.#jobs.splice(place, 1);
        job.reject(signal?.reason as Error);
        if (place === 0) this.pump();
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#jobs.push(job);
      // Behind others, or while the kernel has no room, its turn comes by itself.
      if (this.#jobs.length === 1) this.#advance();
    });
  }

  /** Goes on now: there may be room, or a reason to reject. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#advance();
  }

  /** Rejects everything that waits. */
  fail(reason: Error): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const job of this.#jobs.splice(0)) job.reject(reason);
  }

  #advance(): void {
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      if (!this.#hasBudget()) return;
      let outcome: ReturnType<Attempt>;
      try {
        outcome = job.attempt(this.#budget);
      } catch (error) {
        this.#jobs.shift();
        job.reject(error as Error);
        continue;
      }
      this.#budget -= outcome.consumed;
      if (outcome.consumed > 0) {
        this.#pauseMs = LEAST_PAUSE_MS;
        this.#wasFull = false;
      }
      if (outcome.done) {
        this.#jobs.shift();
        job.resolve();
      } else if (outcome.stop === 'full' || outcome.stop === 'congested') {
        return this.#waitForRoom(outcome.stop);
      } else if (outcome.stop !== 'none') {
        this.#jobs.shift();
        job.reject(outcome.stop);
      }
    }
  }

  /**
   * A full socket buffer makes the socket writable once it has room. A full queue of the interface (ENOBUFS) does not, and neither does a
   * full ring that is not the polled socket's: when the last answer brought no frame on its way, only time helps.
   */
  #waitForRoom(stop: 'full' | 'congested'): void {
    if (stop === 'full' && !this.#wasFull && this.#awaitWritable !== undefined) {
      this.#wasFull = true;
      this.#awaitWritable();
      return;
    }
    // Whether the process waits is for the handle to say, whose watch of the link keeps the loop alive.
    this.#timer ??= setTimeout(() => this.pump(), this.#pauseMs).unref();
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  /** A caller that sends batch after batch must not keep the event loop from turning. */
  #hasBudget(): boolean {
    if (!this.#turnAwaited) {
      this.#turnAwaited = true;
      setImmediate(() => this.#onTurn());
    }
    return this.#budget > 0;
  }

  #onTurn(): void {
    this.#turnAwaited = false;
    const spent = this.#budget <= 0;
    this.#budget = FRAMES_PER_TURN;
    if (spent) this.#advance();
  }
}
