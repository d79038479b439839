/** A source of packets as a Node stream. */
import type { Capture } from '../capture/capture';
import { shareLedger } from '../ledger';
import type { PacketSource } from '../traits';
import type { AsyncCapture, SourceStats } from './async-capture';
import { BatchStream, type StreamSource } from './batch-stream';
import type { WaitOptions } from './wait-list';

/**
 * A `Readable` in object mode that yields owned `PacketBatch`es. Its back-pressure is real: nobody reads, and the kernel's ring fills and counts
 * what it drops. Destroying it closes the capture.
 *
 * @example A slow consumer under pipeline()
 * ```ts
 * import { Writable } from 'node:stream';
 * import { pipeline } from 'node:stream/promises';
 * import { AsyncCapture, type PacketBatch } from '@netring/node-red';
 *
 * const slow = new Writable({
 *   objectMode: true,
 *   write(batch: PacketBatch, _encoding, done) {
 *     console.log(`${batch.length} packets`);
 *     setTimeout(done, 100);
 *   },
 * });
 * const stream = AsyncCapture.open('eth0').intoStream();
 * await pipeline(stream.take(3), slow);
 * console.log(`${stream.cumulativeStats()}`);
 * ```
 */
export class PacketStream<S extends PacketSource = Capture> extends BatchStream {
  readonly #capture: AsyncCapture<S>;

  /** @internal Use `AsyncCapture.intoStream`. */
  constructor(capture: AsyncCapture<S>, source: StreamSource, options: WaitOptions) {
    super(source, options);
    this.#capture = capture;
    shareLedger(this, capture);
  }

  /** The capture underneath, for its events and `setFilter`; reading or closing it is a TypeError. */
  get capture(): AsyncCapture<S> {
    return this.#capture;
  }
  /** As `stats` of the capture: counters since the last call of either. Packets count when the stream reads them, up to 4 batches ahead. */
  stats(): SourceStats<S> {
    return this.#capture.stats();
  }
  /** Counters since open; readable after the stream has ended. */
  cumulativeStats(): SourceStats<S> {
    return this.#capture.cumulativeStats();
  }
}
