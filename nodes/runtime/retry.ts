/** Tries again by itself: every second, every five seconds once a minute has passed without success. */
import type { Clock } from './clock';

const EAGER_MS = 1000;
const PATIENT_MS = 5000;
const EAGER_FOR_MS = 60_000;

export class Retry {
  readonly #clock: Clock;
  readonly #run: () => void;
  #since: number | undefined;
  #cancel: (() => void) | undefined;

  constructor(run: () => void, clock: Clock) {
    this.#run = run;
    this.#clock = clock;
  }

  /** Schedules the next attempt; does nothing while one is scheduled. */
  schedule(): void {
    if (this.#cancel !== undefined) return;
    const now = this.#clock.now();
    this.#since ??= now;
    this.#cancel = this.#clock.after(now - this.#since < EAGER_FOR_MS ? EAGER_MS : PATIENT_MS, () => {
      this.#cancel = undefined;
      this.#run();
    });
  }

  /** An attempt succeeded, or nobody wants any more. */
  reset(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#since = undefined;
  }
}
