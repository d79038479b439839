/** A capture as a Node stream. */
import type { Capture } from '../capture';
import { keepLedger, ledger } from '../ledger';
import type { CaptureStats } from '../stats';
import type { AsyncCapture } from './async-capture';
import { BatchStream, type StreamSource } from './batch-stream';

/**
 * A `Readable` in object mode that yields owned `PacketBatch`es. Its back-pressure is real: nobody reads, and the kernel's ring fills and counts
 * what it drops. Destroying it closes the capture.
 */
export class PacketStream<S extends Capture = Capture> extends BatchStream {
  readonly #capture: AsyncCapture<S>;

  /** @internal Use `AsyncCapture.intoStream`. */
  constructor(capture: AsyncCapture<S>, source: StreamSource) {
    super(source);
    this.#capture = capture;
    keepLedger(this, { ledger: () => ledger(capture) });
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
}
