/**
 * Asks V8 for garbage collections.
 *
 * A slab returns to its pool when its ArrayBuffer is collected, and V8 collects by its own measure: nothing on an idle loop, and under load
 * everything, after some 70 MiB of slabs. Left to itself a process that sits idle with forgotten batches would look out of memory for ever, and a
 * capture with a small limit would stall although its flow keeps nothing (64 MiB at 250,000 packets/s: 5 % lost; 16 MiB: 68 %).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options?: { type: 'minor' }) => void;

const MIN_INTERVAL_MS = 1000;

let collect: Collect | undefined;
let last = -Infinity;

/** Collects everything, unless the process did so for this reason within the last second. Returns whether it did. */
export function requestCollection(): boolean {
  const now = performance.now();
  if (now - last < MIN_INTERVAL_MS) return false;
  collect ??= exposeCollector();
  collect();
  last = performance.now();
  return true;
}

/** Collects the young generation, where batches that a flow lets go of at once still are: about a millisecond. */
export function requestMinorCollection(): void {
  collect ??= exposeCollector();
  collect({ type: 'minor' });
}

/** The flag only decides whether a new context gets a `gc` function, so it is on for the making of one context. */
function exposeCollector(): Collect {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return gc;
}
