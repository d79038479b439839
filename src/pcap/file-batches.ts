/** Gathers the packets of a capture file into batches that share the file's bytes. */
import { PacketBatch } from '../batch';
import { RECORD_WORDS, Word } from '../native';
import { isEthernet } from './link-types';

/** Where packets of a file came from. */
export interface FileOrigin {
  /** Empty when the file does not tell. */
  interface: string;
  linkType: number;
}

/** One packet: where its bytes stand in the file and what the file tells about it. */
export interface FilePacket {
  offset: number;
  length: number;
  originalLength: number;
  sec: number;
  nsec: number;
  /** `sll_pkttype` */
  packetType: number;
}

const MAX_PACKETS = 1024;
/** Keeps offsets within a batch far from the 32 bits they have, whatever the size of the file. */
const MAX_SPAN = 4 * 1024 * 1024;
const MAX_SECONDS = 0xffff_ffff;
const ETHERNET_HEADER = 14;

export class FileBatches {
  readonly #bytes: Uint8Array;
  readonly #batches: PacketBatch[] = [];
  /** Records of the batch under way; copied out to its own length when the batch is full. */
  readonly #index = new Uint32Array(MAX_PACKETS * RECORD_WORDS);
  #count = 0;
  #origin: FileOrigin = { interface: '', linkType: 0 };
  #start = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  add(origin: FileOrigin, packet: FilePacket): void {
    const { offset, length } = packet;
    if (this.#count === MAX_PACKETS || offset + length - this.#start > MAX_SPAN || !sameOrigin(origin, this.#origin)) this.#flush();
    if (this.#count === 0) {
      this.#origin = origin;
      this.#start = offset;
    }
    this.#end = offset + length;
    const record = this.#count++ * RECORD_WORDS;
    const protocol = isEthernet(origin.linkType) && length >= ETHERNET_HEADER ? this.#etherType(offset) : 0;
    this.#index[record + Word.Offset] = offset - this.#start;
    this.#index[record + Word.Length] = length;
    this.#index[record + Word.OriginalLength] = Math.max(packet.originalLength, length);
    // Times outside the 32 bits of a batch's seconds (1970 to 2106) stay at its ends.
    this.#index[record + Word.Seconds] = Math.min(Math.max(packet.sec, 0), MAX_SECONDS);
    this.#index[record + Word.Nanoseconds] = packet.nsec;
    this.#index[record + Word.Meta] = protocol | (packet.packetType << 16);
  }

  /** The batches in the order of the file. */
  finish(): PacketBatch[] {
    this.#flush();
    return this.#batches;
  }

  #flush(): void {
    if (this.#count === 0) return;
    const index = this.#index.slice(0, this.#count * RECORD_WORDS);
    const bytes = this.#bytes.subarray(this.#start, this.#end);
    this.#batches.push(PacketBatch.over(bytes, index, { ...this.#origin, seqNum: this.#batches.length }));
    this.#count = 0;
  }

  #etherType(offset: number): number {
    return (this.#bytes[offset + 12]! << 8) | this.#bytes[offset + 13]!;
  }
}

/** By value: files strung together describe the same interface again in every section. */
function sameOrigin(a: FileOrigin, b: FileOrigin): boolean {
  return a === b || (a.linkType === b.linkType && a.interface === b.interface);
}
