/** What a node does at intervals. */
import type { Clock } from './clock';
import type { QuietLog } from './log';

export class Ticker {
  readonly #clock: Clock;
  readonly #log: QuietLog;
  #cancels: (() => void)[] = [];

  constructor(clock: Clock, log: QuietLog) {
    this.#clock = clock;
    this.#log = log;
  }

  every(ms: number, run: () => void): void {
    let cancel = (): void => undefined;
    let next = this.#clock.now() + ms;
    const tick = (): void => {
      // By the clock, so that a late tick does not delay those after it; one that is late by whole intervals stands for them. A timer of Node's
      // may also be a fraction of a millisecond early, and must not come for the same interval again.
      const now = this.#clock.now();
      do next += ms;
      while (next <= now);
      cancel = this.#clock.after(next - now, tick);
      try {
        run();
      } catch (error) {
        this.#log.error(String(error));
      }
    };
    cancel = this.#clock.after(ms, tick);
    this.#cancels.push(() => cancel());
  }

  stop(): void {
    for (const cancel of this.#cancels.splice(0)) cancel();
  }
}
