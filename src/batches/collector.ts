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

/** Bytes of slabs after which the young generation is collected. */
const COLLECT_STEP = 16 << 20;

/** Tries with the young generation alone: what survives some of them has left it. */
const MINOR_ROUNDS = 5;

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

/** Keeps the slabs of one source of owned batches going round. */
export class SlabCollector {
  readonly #step: number;
  #collectAt = Infinity;
  #collections = 0;

  /** `mostBytes`: the limit of the source, `maxBufferedBytes`. */
  constructor(mostBytes: number) {
    this.#step = Math.min(COLLECT_STEP, mostBytes / 4);
  }

  /** Full collections asked for by `reclaim`. */
  get collections(): number {
    return this.#collections;
  }

  /**
   * Collects the young generation whenever so much more has come to be held. A flow that keeps nothing then goes round in few slabs, never reaches
   * the limit only because V8 has not collected yet, and is spared the full collections that V8 does by its own measure, one per 64 MiB: a flow with
   * frames of 1500 bytes took 480 instead of 1450 ns a packet. Returns whether it has collected: the slabs return on a turn of the event loop.
   */
  collectInTime(heldBytes: number): boolean {
    this.#collectAt = Math.min(this.#collectAt, heldBytes + this.#step);
    if (heldBytes < this.#collectAt) return false;
    this.#collectAt = heldBytes + this.#step;
    requestMinorCollection();
    return true;
  }

  /**
   * At the memory limit, before it calls the memory held: gives the collector a chance to return the slabs of forgotten batches. `round` counts the
   * calls since the limit was reached: first the young generation, then everything, at most once a second.
   */
  reclaim(round: number): void {
    if (round > 0 && requestCollection()) this.#collections++;
    else if (round < MINOR_ROUNDS) requestMinorCollection();
  }
}

/**
 * The flag only decides whether a new context gets a `gc` function, so it is on for the making of one context. It is the whole process's: another thread
 * that does the same may take it away in between.
 */
function exposeCollector(): Collect {
  for (;;) {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('globalThis.gc') as Collect | undefined;
    setFlagsFromString('--no-expose-gc');
    if (gc !== undefined) return gc;
  }
}
