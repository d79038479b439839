/** Owned batches as a Node stream. */
import { Readable } from 'node:stream';
import type { Capture } from '../capture';
import type { CaptureStats } from '../stats';
import type { AsyncCapture } from './async-capture';

/** Batches read ahead of a slow consumer; beyond it the ring is left to fill. */
const HIGH_WATER_MARK = 4;

/**
 * A `Readable` in object mode that yields owned `PacketBatch`es. Its back-pressure is real: nobody reads, and the kernel's ring fills and counts
 * what it drops. Destroying it closes the capture.
 */
export class PacketStream<S extends Capture = Capture> extends Readable {
  readonly #capture: AsyncCapture<S>;
  readonly #ending = new AbortController();
  #reading = false;

  constructor(capture: AsyncCapture<S>) {
    super({ objectMode: true, highWaterMark: HIGH_WATER_MARK });
    this.#capture = capture;
  }

  /** The capture underneath, for its events and `setFilter`. */
  get capture(): AsyncCapture<S> {
    return this.#capture;
  }
  stats(): CaptureStats {
    return this.#capture.stats();
  }
  cumulativeStats(): CaptureStats {
    return this.#capture.cumulativeStats();
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    void this.#pump();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#ending.abort(error ?? undefined);
    this.#capture.close();
    callback(error);
  }

  async #pump(): Promise<void> {
    try {
      while (this.push(await this.#capture.recv({ signal: this.#ending.signal })));
    } catch (error) {
      if (!this.#ending.signal.aborted) this.destroy(error as Error);
    } finally {
      this.#reading = false;
    }
  }
}
