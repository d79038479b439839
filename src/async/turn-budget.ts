/** How much is handed out before the event loop is let turn: a source at full rate would otherwise starve timers and sockets. */
export class TurnBudget {
  readonly #most: number;
  #spent = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Nothing is left of this turn's; the next one brings a new budget. */
  get exhausted(): boolean {
    return this.#spent >= this.#most;
  }

  spend(amount = 1): void {
    const first = this.#spent === 0;
    this.#spent += amount;
    if (first) setImmediate(() => (this.#spent = 0));
  }
}
