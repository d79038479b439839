/** Capture files as Node streams: batches in, bytes out. */
import { Transform, type TransformCallback } from 'node:stream';
import { knownOptions } from '../options/known-options';
import { batchOf, lasting, type CaptureFileInput, type FileEncoder } from './file-encoder';
import { FileMemory } from './file-memory';
import { PCAP_OPTIONS, PcapEncoder, type PcapOptions } from './pcap-encoder';
import { PCAPNG_OPTIONS, PcapngEncoder, type PcapngOptions } from './pcapng-encoder';

/** Batches that may wait to be encoded, and bytes that may wait to be read. */
const WAITING_BATCHES = 4;
const WAITING_BYTES = 1024 * 1024;

/** Asks, in its place among the batches, for the counters of the interfaces. */
const STATISTICS = Symbol('statistics');

abstract class CaptureFileWriter<E extends FileEncoder> extends Transform {
  readonly #encoder: E;
  readonly #memory = new FileMemory();
  #packets = 0;
  #bytes = 0;

  /** @internal */
  protected constructor(encoder: E) {
    super({ writableObjectMode: true, writableHighWaterMark: WAITING_BATCHES, readableHighWaterMark: WAITING_BYTES });
    this.#encoder = encoder;
  }

  /** Packets written so far. */
  get packets(): number {
    return this.#packets;
  }
  /** Bytes of the file so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a `CaptureFileInput`, otherwise as any `Writable`. A borrowed batch that would have to wait is copied, so that it may be released as soon as this returns. */
  override write(input: unknown, callback?: (error: Error | null | undefined) => void): boolean;
  /** As without an encoding, which has no meaning for packets. */
  override write(input: unknown, encoding?: BufferEncoding, callback?: (error: Error | null | undefined) => void): boolean;
  override write(input: unknown, ...rest: unknown[]): boolean {
    return super.write(this.#kept(input), ...(rest as []));
  }

  /** Ends it as any `Writable`. */
  override end(callback?: () => void): this;
  /** Takes one more input, as `write` does, and ends it. */
  override end(input: unknown, callback?: () => void): this;
  /** As without an encoding, which has no meaning for packets. */
  override end(input: unknown, encoding?: BufferEncoding, callback?: () => void): this;
  override end(input?: unknown, ...rest: unknown[]): this {
    // Node.js does not call `write` for it.
    return super.end(this.#kept(input), ...(rest as []));
  }

  /** @internal */
  override _transform(input: unknown, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#respond(callback, () => {
      if (input === STATISTICS) return this.encodeStatistics(this.#encoder);
      const batch = batchOf(input as CaptureFileInput);
      this.#packets += batch.length;
      return batch.length === 0 ? undefined : this.#encoder.encode(batch, this.#memory.allocate);
    });
  }

  /** @internal */
  override _flush(callback: TransformCallback): void {
    this.#respond(callback, () => this.#encoder.finish());
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#memory.close();
    callback(error);
  }

  /** @internal */
  protected encodeStatistics(encoder: E): Buffer | undefined {
    void encoder;
    return undefined;
  }

  /** What is encoded at once need not be copied. */
  #kept(input: unknown): unknown {
    return this.writableLength > 0 || this.writableCorked > 0 ? lasting(input) : input;
  }

  #respond(callback: TransformCallback, encode: () => Buffer | undefined): void {
    let bytes: Buffer | undefined;
    try {
      bytes = encode();
    } catch (error) {
      callback(error as Error);
      return;
    }
    this.#bytes += bytes?.length ?? 0;
    const piece = bytes === undefined || bytes.length === 0 ? undefined : bytes;
    if (this.#memory.turnIsDue) setImmediate(callback, null, piece);
    else callback(null, piece);
  }
}

/**
 * Batches or packet objects in, a pcap file out: nanoseconds, one link type. Neither interfaces nor directions have a place in it; `PcapngWriter`
 * has. A file without packets is one too.
 *
 * Fails with `NetringError` kind `Config` on packets of another link type than the first, with TypeError on what is no packet.
 *
 * @example The first 96 bytes of each packet
 * ```ts
 * import { createWriteStream } from 'node:fs';
 * import { pipeline } from 'node:stream/promises';
 * import { AsyncCapture, PcapWriter } from '@netring/node-red';
 *
 * const stream = AsyncCapture.open('eth0').intoStream();
 * const writer = new PcapWriter({ snapLen: 96 });
 * await pipeline(stream.take(3), writer, createWriteStream('eth0.pcap'));
 * console.log(writer.packets, writer.bytes);
 * ```
 */
export class PcapWriter extends CaptureFileWriter<PcapEncoder> {
  /** Throws NetringError kind `Config`. */
  constructor(options: PcapOptions = {}) {
    super(new PcapEncoder(knownOptions(options, PCAP_OPTIONS)));
  }
}

/**
 * Batches or packet objects in, a pcapng file out: nanoseconds, every interface with its name and link type, directions, losses where they
 * happened, and the counters of the interfaces at the end.
 *
 * Fails with TypeError on what is no packet, with RangeError on counters that are no counts.
 *
 * @example With what the kernel has dropped
 * ```ts
 * import { createWriteStream } from 'node:fs';
 * import { pipeline } from 'node:stream/promises';
 * import { AsyncCapture, PcapngWriter } from '@netring/node-red';
 *
 * const stream = AsyncCapture.open('eth0').intoStream();
 * const writer = new PcapngWriter({ comment: 'before the upgrade', statistics: () => stream.cumulativeStats() });
 * await pipeline(stream.take(3), writer, createWriteStream('eth0.pcapng'));
 * console.log(writer.packets, writer.bytes);
 * ```
 */
export class PcapngWriter extends CaptureFileWriter<PcapngEncoder> {
  /** Throws NetringError kind `Config`, RangeError for a text of more than 65535 bytes. */
  constructor(options: PcapngOptions = {}) {
    super(new PcapngEncoder(knownOptions(options, PCAPNG_OPTIONS)));
  }

  /** Writes the counters of all interfaces as they are when the batches before are written. They are written at the end in any case. */
  writeStatistics(): boolean {
    return super.write(STATISTICS);
  }

  /** @internal */
  protected override encodeStatistics(encoder: PcapngEncoder): Buffer {
    return encoder.statistics();
  }
}
