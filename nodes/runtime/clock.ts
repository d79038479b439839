/** Time as the controllers see it, so that tests can turn it by hand. */
export interface Clock {
  /** Milliseconds on a clock that never jumps. */
  now(): number;
  /** Returns the function that cancels. */
  after(ms: number, run: () => void): () => void;
  /** The next turn of the event loop. */
  turn(): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};
