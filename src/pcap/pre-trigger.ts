/** What happened before: packets that are held back until something makes them worth keeping. */
import { Transform, type TransformCallback } from 'node:stream';
import type { PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import { knownOptions, type NamesOf } from '../options/known-options';
import { batchOf, lasting, type CaptureFileInput } from './file-encoder';
import { HeldPackets } from './held-packets';

/** Bounds of a `PreTrigger`: at least one of them. */
export interface PreTriggerOptions {
  /** Bytes that are held, 44 a packet besides its own: about what the packets take in a pcapng file. */
  maxBytes?: number;
  /** Packets are held that are not older than so many seconds before the newest, by their timestamps. */
  maxSeconds?: number;
}

const PRE_TRIGGER_OPTIONS: NamesOf<PreTriggerOptions> = { maxBytes: true, maxSeconds: true };

const WAITING_BATCHES = 4;

/**
 * A `Transform` of batches (or packet objects) to owned batches that holds back the newest packets. `trigger()` lets go of them, oldest first, and of
 * all that comes from then on, until `stop()`: in front of a `PcapngWriter` or a `RotatingWriter`, "the 10 MB before the alarm".
 *
 * Batches are held as they are when they are of 4 KiB or more and fill at least half of their memory; these count in the `maxBufferedBytes` of their
 * capture. Others are copied, small ones together into pieces of 64 KiB: what comes out is then fewer batches, each of packets of one interface. The
 * memory held is at most twice `maxBytes`, one batch and 192 KiB.
 *
 * @example The 10 MB before the alarm, and what comes after it
 * ```ts
 * import { createWriteStream } from 'node:fs';
 * import { pipeline } from 'node:stream/promises';
 * import { AsyncCapture, PcapngWriter, PreTrigger } from '@netring/node-red';
 *
 * const before = new PreTrigger({ maxBytes: 10_000_000 });
 * setTimeout(() => {
 *   console.log(`alarm: ${before.heldPackets} packets from before it`);
 *   before.trigger();
 * }, 300);
 * const stream = AsyncCapture.open('eth0').intoStream();
 * await pipeline(stream.take(10), before, new PcapngWriter(), createWriteStream('alarm.pcapng'));
 * ```
 */
export class PreTrigger extends Transform {
  readonly #held: HeldPackets;
  #live = false;
  /** Nothing can be let go of any more. */
  #over = false;

  /** Throws NetringError kind `Config`. */
  constructor(options: PreTriggerOptions) {
    super({ objectMode: true, highWaterMark: WAITING_BATCHES });
    const { maxBytes, maxSeconds } = knownOptions(options, PRE_TRIGGER_OPTIONS);
    if (maxBytes === undefined && maxSeconds === undefined)
      throw NetringError.config('maxBytes and maxSeconds are missing: one of them bounds what is held', 'maxBytes');
    if (maxBytes !== undefined && !(Number.isSafeInteger(maxBytes) && maxBytes > 0))
      throw NetringError.config(`maxBytes is ${maxBytes}: an integer from 1 on`, 'maxBytes');
    if (maxSeconds !== undefined && !(maxSeconds > 0 && Number.isFinite(maxSeconds)))
      throw NetringError.config(`maxSeconds is ${maxSeconds}: a number of seconds above 0`, 'maxSeconds');
    this.#held = new HeldPackets(maxBytes ?? Infinity, maxSeconds);
  }

  /** Whether packets pass. */
  get live(): boolean {
    return this.#live;
  }
  /** Packets that `trigger()` would let go of now. */
  get heldPackets(): number {
    return this.#held.length;
  }

  /** Lets go of what is held and of what comes. Does nothing while packets pass. */
  trigger(): void {
    if (this.#live || this.#over) return;
    this.#live = true;
    for (const batch of this.#held.take()) this.push(batch);
  }

  /** Holds packets back again, those that come from now on. */
  stop(): void {
    this.#live = false;
  }

  /** Takes a `CaptureFileInput`, otherwise as any `Writable`. A borrowed batch is copied, so that it may be released as soon as this returns. */
  override write(input: unknown, callback?: (error: Error | null | undefined) => void): boolean;
  /** As without an encoding, which has no meaning for packets. */
  override write(input: unknown, encoding?: BufferEncoding, callback?: (error: Error | null | undefined) => void): boolean;
  override write(input: unknown, ...rest: unknown[]): boolean {
    return super.write(lasting(input), ...(rest as []));
  }

  /** Ends it as any `Writable`. */
  override end(callback?: () => void): this;
  /** Takes one more input, as `write` does, and ends it. */
  override end(input: unknown, callback?: () => void): this;
  /** As without an encoding, which has no meaning for packets. */
  override end(input: unknown, encoding?: BufferEncoding, callback?: () => void): this;
  override end(input?: unknown, ...rest: unknown[]): this {
    // Node.js does not call `write` for it.
    return super.end(lasting(input), ...(rest as []));
  }

  /** @internal */
  override _transform(input: CaptureFileInput, _encoding: BufferEncoding, callback: TransformCallback): void {
    let batch: PacketBatch;
    try {
      batch = batchOf(input);
    } catch (error) {
      callback(error as Error);
      return;
    }
    if (this.#live) return callback(null, batch);
    if (batch.length > 0) this.#held.add(batch);
    callback();
  }

  /** @internal */
  override _flush(callback: TransformCallback): void {
    this.#end();
    callback();
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#end();
    callback(error);
  }

  #end(): void {
    this.#over = true;
    this.#held.clear();
  }
}
