/** Iteration that an abort ends, whatever the source waits for. */
import type { Readable } from 'node:stream';

/**
 * What `source` gives, until `signal` is aborted: then it throws `signal.reason` at once, in a wait as after a value was given out. A stream is destroyed
 * by that. Another iterator cannot be interrupted: its pending step is left alone, and it is told to return without being waited for.
 */
export async function* interruptible<T>(source: AsyncIterable<T> | Iterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  signal?.throwIfAborted();
  let giveUp: (reason: unknown) => void = () => undefined;
  const abort = (): void => {
    giveUp(signal?.reason);
    if (isReadable(source)) source.destroy();
  };
  signal?.addEventListener('abort', abort, { once: true });
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let given = false;
  try {
    for (;;) {
      // Not a race with one promise of the abort: that would hold every value it ever lost to.
      const step = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        giveUp = reject;
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      if (step.done === true) return;
      given = true;
      yield step.value;
      given = false;
      // The event came to nobody while the value was out.
      signal?.throwIfAborted();
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    const leave = async (): Promise<void> => void (await iterator.return?.());
    // Not awaited: behind a step that never ends this would not either.
    if (signal?.aborted) leave().catch(() => undefined);
    else if (given) await leave();
  }
}

/** Whether an input is a stream of Node.js. */
function isReadable(input: object): input is Readable {
  return 'destroy' in input && 'pipe' in input;
}
