/** Capture files as a stream of batches. */
import { setImmediate as turn } from 'node:timers/promises';
import { isUint8Array } from 'node:util/types';
import { interruptible } from '../async/interruptible';
import type { PacketBatch } from '../batches/batch';
import { knownOptions, type NamesOf } from '../options/known-options';
import { CaptureParser } from './capture-parser';
import { fileChunks, type Chunk } from './file-chunks';
import type { FileInterface } from './file-window';

/** A path, the file itself, or its bytes as they come: a `Readable`, or any iterable of Buffers that do not change afterwards. */
export type PcapInput = string | URL | Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Options of `readPcap`. */
export interface ReadPcapOptions {
  /** Aborting ends the iteration with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

const READ_PCAP_OPTIONS: NamesOf<ReadPcapOptions> = { signal: true };

/** Batches that are parsed before the event loop turns, some megabytes' worth. */
const BATCHES_A_TURN = 16;

/**
 * Reads a capture file: pcap (microseconds, nanoseconds, or the modified form with 24 bytes before each packet) or pcapng, in either byte order,
 * recognised by its first bytes. Owned batches of one interface and at most 1024 packets come in the order of the file and share its bytes.
 *
 * A block or a packet has at most 16 MiB, a section at most 65,536 interfaces and 1 MiB of their names. So what is held of a file besides its batches is
 * bounded too, whatever the file claims: 36 MiB for the interfaces, and three blocks, 48 MiB, while the longest comes in pieces behind another one
 * (measured with files made for it, pieces of 4 KiB). The iteration throws `NetringError` kind `Io`, code
 * `ERR_TRUNCATED_FILE` or `ERR_INVALID_FILE`, with the byte offset, after the packets before that place; the file system's error when there is no
 * such file. Throws TypeError for an input of another type.
 *
 * @example Every packet of a file
 * ```ts
 * import { PacketBatch, readPcap } from '@netring/node-red';
 *
 * const file = PacketBatch.from([Buffer.from('ffffffffffff02000000000188b5', 'hex')], { interface: 'eth0' }).toPcapng();
 * const reader = readPcap(file); // or its path, or a stream of its bytes
 * for await (const batch of reader) {
 *   for (const packet of batch) console.log(`${batch.interface} ${packet}`);
 * }
 * console.log(reader.format, reader.packets); // pcapng 1
 * ```
 */
export function readPcap(input: PcapInput, options: ReadPcapOptions = {}): PcapReader {
  return new PcapReader(input, knownOptions(options, READ_PCAP_OPTIONS));
}

/** What `readPcap` gives: to be iterated once. Leaving the loop closes the file, or destroys the stream. */
export class PcapReader implements AsyncIterable<PacketBatch> {
  readonly #parser = new CaptureParser();
  readonly #batches: AsyncGenerator<PacketBatch, void, undefined>;
  #packets = 0;

  /** @internal Use `readPcap`. */
  constructor(input: PcapInput, { signal }: ReadPcapOptions) {
    this.#batches = this.#read(chunksOf(input, signal), signal);
  }

  /** Undefined until the first bytes are read. */
  get format(): 'pcap' | 'pcapng' | undefined {
    return this.#parser.format;
  }
  /** The interfaces that the present section of the file has described so far; a pcap file has one, without a name. */
  get interfaces(): readonly FileInterface[] {
    return this.#parser.interfaces;
  }
  /** Packets given out so far. */
  get packets(): number {
    return this.#packets;
  }
  /** Bytes of the file read so far. */
  get bytes(): number {
    return this.#parser.length;
  }

  /** The batches in the order of the file. There is one iteration: a loop that is left ends it. */
  [Symbol.asyncIterator](): AsyncGenerator<PacketBatch, void, undefined> {
    return this.#batches;
  }

  async *#read(chunks: AsyncIterable<Chunk>, signal: AbortSignal | undefined): AsyncGenerator<PacketBatch, void, undefined> {
    let sinceTurn = 0;
    for await (const { bytes, headroom } of chunks) {
      if (!isUint8Array(bytes)) throw new TypeError(`a capture file is read from bytes, a chunk of it is ${typeof bytes}`);
      this.#parser.push(bytes, headroom);
      for (let batch = this.#parser.next(); batch !== undefined; batch = this.#parser.next()) {
        signal?.throwIfAborted();
        this.#packets += batch.length;
        yield batch;
        if (++sinceTurn % BATCHES_A_TURN === 0) await turn();
      }
    }
    signal?.throwIfAborted();
    this.#parser.finish();
  }
}

function chunksOf(input: PcapInput, signal: AbortSignal | undefined): AsyncIterable<Chunk> {
  if (isUint8Array(input)) return foreign([input]);
  if (typeof input === 'string' || input instanceof URL) return interruptible(fileChunks(input), signal);
  if (typeof input !== 'object' || input === null || !(Symbol.asyncIterator in input || Symbol.iterator in input))
    throw new TypeError('readPcap takes a path, a Buffer, a Readable or an iterable of Buffers');
  return foreign(interruptible(input, signal));
}

/** Memory that is not ours. */
async function* foreign(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Chunk> {
  for await (const bytes of chunks) yield { bytes, headroom: 0 };
}
