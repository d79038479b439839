/** Promises that wait for the same readiness, each with its own abort signal. */

interface Waiter {
  resolve: () => void;
  reject: (reason: unknown) => void;
  forget: () => void;
}

export interface WaitOptions {
  /** Aborting rejects the wait with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

export class WaitList {
  readonly #waiters = new Set<Waiter>();

  get size(): number {
    return this.#waiters.size;
  }

  /** Resolves with the next `wake`. */
  wait({ signal }: WaitOptions = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = { resolve, reject, forget: () => signal?.removeEventListener('abort', abort) };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  wake(): void {
    this.#settle((waiter) => waiter.resolve());
  }

  fail(reason: unknown): void {
    this.#settle((waiter) => waiter.reject(reason));
  }

  #settle(settle: (waiter: Waiter) => void): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) {
      waiter.forget();
      settle(waiter);
    }
  }
}
