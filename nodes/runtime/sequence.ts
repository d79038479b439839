/** Steps of a node that take effect one after the other: starts, stops, filters. */
export class Sequence {
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  /** Settles as `step` does. A step whose turn comes after `close` is left out. */
  add(step: () => void | Promise<void>): Promise<void> {
    const done = this.#last.then(() => (this.#closed ? undefined : step()));
    this.#last = done.catch(() => undefined);
    return done;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when the step under way has ended. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#last;
  }
}
