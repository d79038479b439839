/** Memory for the large pieces in which capture files are read and written. */
import { SlabCollector } from '../batches/collector';
import { nativeIfPresent, type NativeSlabMemory } from '../native';

/** Smaller pieces come from Node.js: to collect one costs more than that. */
const LEAST = 64 * 1024;
/** Slabs under live pieces at which Node.js gives the rest: somebody keeps them, and V8 shall know. */
const MOST_LIVE = 64 * 1024 * 1024;
/**
 * Of which a quarter is the step in which the young generation is collected. At twice that V8 may come to collect everything all the time, since the
 * pieces weigh more than a small heap (a file of 64-byte packets: 0.3 to 1.2 GB per CPU second, now 0.9 to 1.3).
 */
const COLLECTED_AT = 32 * 1024 * 1024;

/**
 * Pieces are forgotten as fast as they are filled, by whom is not known: their memory goes round as that of owned batches does, by way of the
 * collector. Fresh memory costs page faults and zeroing, and V8 collects everything every 64 MiB of it.
 */
export class FileMemory {
  readonly #collector = new SlabCollector(COLLECTED_AT);
  #slabs: NativeSlabMemory | undefined;
  #closed = false;
  #collected = false;

  /** So many bytes; what is in them does not matter. */
  readonly allocate = (size: number): Buffer => {
    if (size < LEAST || this.#closed) return Buffer.allocUnsafe(size);
    this.#slabs ??= slabMemory();
    if (this.#slabs === undefined || this.#slabs.liveBytes >= MOST_LIVE) return Buffer.allocUnsafeSlow(size);
    const slab = this.#slabs.take(size);
    if (slab === null) return Buffer.allocUnsafeSlow(size);
    if (this.#collector.collectInTime(this.#slabs.liveBytes)) this.#collected = true;
    return Buffer.from(slab);
  };

  /** True once after a collection. What was collected returns on the next turn of the event loop, for which a loop that never turns should wait. */
  get turnIsDue(): boolean {
    const due = this.#collected;
    this.#collected = false;
    return due;
  }

  /** Keeps nothing for later any more. */
  close(): void {
    this.#closed = true;
    this.#slabs?.close();
    this.#slabs = undefined;
  }
}

function slabMemory(): NativeSlabMemory | undefined {
  const addon = nativeIfPresent();
  return addon && new addon.SlabMemory();
}
