/** Owned batches as a Node stream. */
import { Readable } from 'node:stream';
import type { Capture } from '../capture';
import type { CaptureStats } from '../stats';
import type { PacketBatch } from '../batch';
import type { AsyncCapture } from './async-capture';
import type { WaitOptions } from './wait-list';

/** Batches read ahead of a slow consumer; beyond it the ring is left to fill. */
const HIGH_WATER_MARK = 4;

/** What the stream may do that its capture allows nobody else any more. */
interface StreamSource {
  recv(options: WaitOptions): Promise<PacketBatch>;
  close(): void;
}

/**
 * A `Readable` in object mode that yields owned `PacketBatch`es. Its back-pressure is real: nobody reads, and the kernel's ring fills and counts
 * what it drops. Destroying it closes the capture.
 */
export class PacketStream<S extends Capture = Capture> extends Readable {
  readonly #capture: AsyncCapture<S>;
  readonly #source: StreamSource;
  readonly #ending = new AbortController();
  #reading = false;

  /** @internal Use `AsyncCapture.intoStream`. */
  constructor(capture: AsyncCapture<S>, source: StreamSource) {
    super({ objectMode: true, highWaterMark: HIGH_WATER_MARK });
    this.#capture = capture;
    this.#source = source;
  }

  /** The capture underneath, for its events and `setFilter`; reading or closing it is a TypeError. */
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
    this.#source.close();
    callback(error);
  }

  async #pump(): Promise<void> {
    try {
      while (this.push(await this.#source.recv({ signal: this.#ending.signal })));
    } catch (error) {
      if (!this.#ending.signal.aborted) this.destroy(error as Error);
    } finally {
      this.#reading = false;
    }
  }
}
