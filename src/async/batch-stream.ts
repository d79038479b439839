/** Owned batches as a Node stream, whatever they come from. */
import { Readable } from 'node:stream';
import type { PacketBatch } from '../batches/batch';
import type { WaitOptions } from './wait-list';

/** Batches read ahead of a slow consumer; beyond it the ring is left to fill. */
const HIGH_WATER_MARK = 4;

/** @internal What the stream may do that its source allows nobody else any more. */
export interface StreamSource {
  recv(options: WaitOptions): Promise<PacketBatch>;
  close(): void;
}

/** A `Readable` in object mode that yields owned `PacketBatch`es, and closes what they come from when it is destroyed. */
export class BatchStream extends Readable {
  readonly #source: StreamSource;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => void this.destroy(this.#signal?.reason as Error);
  #reading = false;

  /** @internal */
  constructor(source: StreamSource, { signal }: WaitOptions) {
    super({ objectMode: true, highWaterMark: HIGH_WATER_MARK });
    this.#source = source;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** @internal */
  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    void this.#pump();
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#signal?.removeEventListener('abort', this.#abort);
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
