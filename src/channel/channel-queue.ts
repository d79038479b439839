/** Packets out of a channel's native queue: they cross many at a time and are handed out one by one. */
import { CHANNEL_BATCH_OFFSET, Header, HEADER_WORDS, RECORD_WORDS, Word, type NativeChannel } from '../native';
import { SlabCollector } from '../batches/collector';
import { ownedPacket } from '../batches/owned-packet';
import type { OwnedPacket } from '../batches/packet';

/** Bytes of copied packets that share one buffer, as in Node's own pool. */
const CHUNK_BYTES = 8192;

export class ChannelQueue {
  readonly #native: NativeChannel;
  readonly #linkType: number;
  readonly #collector: SlabCollector;
  readonly #consumed: Int32Array;
  readonly #header: Uint32Array;
  readonly #index: Uint32Array;
  readonly #memory: Buffer;
  /** Where the frames of the batch begin in the memory, and where they end. */
  #frames = 0;
  #framesEnd = 0;
  #next = 0;
  #end = 0;
  /** Memory of their own for some frames of the batch, or all, and which part of them it has. */
  #chunk = Buffer.alloc(0);
  #chunkBegin = 0;
  #chunkEnd = 0;
  #packets = 0;
  #bytes = 0;

  /** `linkType` is the ARPHRD_* that the packets have. */
  constructor(native: NativeChannel, linkType: number, maxBufferedBytes: number) {
    const { memory } = native;
    this.#native = native;
    this.#linkType = linkType;
    this.#collector = new SlabCollector(maxBufferedBytes);
    this.#consumed = new Int32Array(memory, 0, 1);
    this.#header = new Uint32Array(memory, CHANNEL_BATCH_OFFSET, HEADER_WORDS);
    const records = CHANNEL_BATCH_OFFSET + HEADER_WORDS * 4;
    this.#index = new Uint32Array(memory, records, Math.floor((memory.byteLength - records) / 4));
    this.#memory = Buffer.from(memory);
  }

  /** Packets handed out so far. */
  get packets(): number {
    return this.#packets;
  }
  /** Sum of their lengths on the wire. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The next packet of the batch that was fetched last; null when all have been handed out. */
  next(): OwnedPacket | null {
    if (this.#next === this.#end) return null;
    const record = this.#next++ * RECORD_WORDS;
    const packet = ownedPacket(this.#index, record, this.#data(record), this.#linkType);
    this.#bytes += packet.originalLength;
    // Another packet may come in for this one.
    Atomics.store(this.#consumed, 0, ++this.#packets | 0);
    return packet;
  }

  /** Fetches the next batch and tells its packets; 0 when the queue is empty. */
  fetch(): number {
    const frames = this.#native.take();
    this.#next = 0;
    this.#end = frames === false ? 0 : this.#header[Header.Count]!;
    this.#framesEnd = this.#header[Header.ByteLength]!;
    this.#chunkBegin = 0;
    this.#chunkEnd = 0;
    if (typeof frames === 'boolean') {
      this.#frames = CHANNEL_BATCH_OFFSET + this.#header[Header.BytesOffset]!;
    } else {
      this.#collector.collectInTime(this.#native.bytesOut);
      this.#chunk = Buffer.from(frames);
      this.#chunkEnd = this.#framesEnd;
    }
    return this.#end;
  }

  #data(record: number): Buffer {
    const begin = this.#index[record]!;
    const end = begin + this.#index[record + Word.Length]!;
    if (end > this.#chunkEnd) this.#copyFrom(begin, Math.max(end, Math.min(begin + CHUNK_BYTES, this.#framesEnd)));
    return this.#chunk.subarray(begin - this.#chunkBegin, end - this.#chunkBegin);
  }

  #copyFrom(begin: number, end: number): void {
    this.#chunk = Buffer.allocUnsafeSlow(end - begin);
    this.#memory.copy(this.#chunk, 0, this.#frames + begin, this.#frames + end);
    this.#chunkBegin = begin;
    this.#chunkEnd = end;
  }
}
