/** Promises that wait for the same readiness, each with its own abort signal. */

interface Waiter {
  resolve: () => void;
  reject: (reason: unknown) => void;
  forget: () => void;
}

/** What every wait takes. */
export interface WaitOptions {
  /** Aborting rejects the wait with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

export class WaitList {
  #waiters: Waiter[] = [];

  get size(): number {
    return this.#waiters.length;
  }

  /** Resolves with the next `wake`. */
  wait({ signal }: WaitOptions = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = { resolve, reject, forget: () => signal?.removeEventListener('abort', abort) };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  wake(): void {
    for (const waiter of this.#takeAll()) waiter.resolve();
  }

  fail(reason: unknown): void {
    for (const waiter of this.#takeAll()) waiter.reject(reason);
  }

  #takeAll(): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.forget();
    return waiters;
  }
}
