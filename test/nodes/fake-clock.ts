/** A clock that tests turn by hand. Its timers come `early` ms too soon, as Node's do by up to 1. */
import type { Clock } from '../../nodes/runtime/clock';

export class FakeClock implements Clock {
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];
  readonly #early: number;

  constructor(early = 0) {
    this.#early = early;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(ms - this.#early, 0), run };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  turn(): Promise<void> {
    return Promise.resolve();
  }

  get pending(): number {
    return this.#timers.length;
  }

  /** Lets time pass, and runs on the way what is due. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
  }
}
