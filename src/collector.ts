/**
 * Asks V8 for a garbage collection.
 *
 * A slab returns to its pool when its ArrayBuffer is collected, and V8 collects only when something allocates. A process that sits idle with
 * forgotten batches would therefore look out of memory for ever, so a capture at its limit asks before it calls the memory held.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const MIN_INTERVAL_MS = 1000;

let collect: (() => void) | undefined;
let last = -Infinity;

/** Collects, unless the process did so for this reason within the last second. Returns whether it did. */
export function requestCollection(): boolean {
  const now = performance.now();
  if (now - last < MIN_INTERVAL_MS) return false;
  collect ??= exposeCollector();
  collect();
  last = performance.now();
  return true;
}

/** The flag only decides whether a new context gets a `gc` function, so it is on for the making of one context. */
function exposeCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return gc;
}
