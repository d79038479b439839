/** Bounded waiting. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves to the predicate's first value that is not falsy; rejects with `what` after `ms`. For what offers no event to await. */
export async function until<T>(predicate: () => T | Promise<T>, ms: number, what: string): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await predicate();
    if (value) return value as NonNullable<Exclude<T, false>>;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(5);
  }
}

/** The promise's value, or a rejection with `what` after `ms`. */
export async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs the body; resolves to its value and to the ms that it took while this process could run, those taken off for which it was held up. For what only
 * waits: what blocks the loop by itself counts as held up.
 */
export async function timed<T>(body: () => Promise<T>): Promise<[value: T, ms: number]> {
  const begin = performance.now();
  const [value, heldUp] = await withHoldUps(body);
  return [value, performance.now() - begin - heldUp];
}

/** Runs the body; resolves to its value and to the ms for which it could not run: how late timers of this process were, beyond what they always are. */
export async function withHoldUps<T>(body: () => Promise<T>): Promise<[value: T, heldUpMs: number]> {
  let heldUp = 0;
  let last = performance.now();
  const look = (): void => {
    const now = performance.now();
    heldUp += Math.max(0, now - last - 3);
    last = now;
  };
  const timer = setInterval(look, 1);
  try {
    const value = await body();
    look();
    return [value, heldUp];
  } finally {
    clearInterval(timer);
  }
}
