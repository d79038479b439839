/** Gathers the packets of a capture file into batches that share the file's bytes. No object a packet: files have millions. */
import { PacketBatch } from '../batches/batch';
import { RECORD_WORDS, Word } from '../native/batch';
import type { FileWindow } from './file-window';
import { isEthernet } from '../interfaces/link-types';
import { LEAST_RECORD } from './limits';

/** Where packets of a file came from. */
export interface FileOrigin {
  /** Empty when the file does not tell. */
  interface: string;
  linkType: number;
}

const MAX_PACKETS = 1024;
/** Keeps offsets within a batch far from the 32 bits they have, whatever the size of the file. */
const MAX_SPAN = 4 * 1024 * 1024;
const MAX_SECONDS = 0xffff_ffff;
const ETHERNET_HEADER = 14;
const NOWHERE: FileOrigin = { interface: '', linkType: 0 };

export class BatchBuilder {
  /** Records of batches, one batch after the other. */
  #index = new Uint32Array(0);
  /** Word at which those of the batch under way begin. */
  #first = 0;
  #count = 0;
  #origin = NOWHERE;
  #ethernet = false;
  #start = 0;
  #end = 0;
  #taken = 0;
  #refused = false;

  /** Whether a packet waits for the batch to be taken. */
  get refused(): boolean {
    return this.#refused;
  }

  /**
   * Adds the packet whose bytes stand at `offset` of the window. False, and nothing added, when the batch under way cannot hold it: it is full, or
   * from another interface. `packetType` is a `sll_pkttype`.
   */
  add(
    window: FileWindow,
    origin: FileOrigin,
    offset: number,
    length: number,
    originalLength: number,
    sec: number,
    nsec: number,
    packetType: number,
  ): boolean {
    if (this.#count === 0) {
      this.#makeRoom(window.bytes.length - offset);
      this.#origin = origin;
      this.#ethernet = isEthernet(origin.linkType);
      this.#start = offset;
    } else if (this.#count === MAX_PACKETS || offset + length - this.#start > MAX_SPAN || !sameOrigin(origin, this.#origin)) {
      this.#refused = true;
      return false;
    }
    this.#end = offset + length;
    const index = this.#index;
    const record = this.#first + this.#count++ * RECORD_WORDS;
    const { bytes } = window;
    const protocol = this.#ethernet && length >= ETHERNET_HEADER ? (bytes[offset + 12]! << 8) | bytes[offset + 13]! : 0;
    index[record + Word.Offset] = offset - this.#start;
    index[record + Word.Length] = length;
    index[record + Word.OriginalLength] = Math.max(originalLength, length);
    // Times outside the 32 bits of a batch's seconds (1970 to 2106) stay at its ends.
    index[record + Word.Seconds] = Math.min(Math.max(sec, 0), MAX_SECONDS);
    index[record + Word.Nanoseconds] = nsec;
    index[record + Word.Meta] = protocol | (packetType << 16);
    return true;
  }

  /** The packets added since the last call, over the window's bytes; undefined when there are none. */
  take(window: FileWindow): PacketBatch | undefined {
    this.#refused = false;
    if (this.#count === 0) return undefined;
    const end = this.#first + this.#count * RECORD_WORDS;
    const index = this.#index.subarray(this.#first, end);
    this.#first = end;
    const bytes = window.bytes.subarray(this.#start, this.#end);
    this.#count = 0;
    return PacketBatch.over(bytes, index, { ...this.#origin, seqNum: this.#taken++ });
  }

  /** For as many records as a batch may have, or as so many bytes of a file can hold: a small file shall not cost much memory. */
  #makeRoom(bytes: number): void {
    const words = Math.min(MAX_PACKETS, Math.ceil(bytes / LEAST_RECORD) + 1) * RECORD_WORDS;
    if (this.#index.length - this.#first >= words) return;
    this.#index = new Uint32Array(words);
    this.#first = 0;
  }
}

/** By value: files strung together describe the same interface again in every section. */
function sameOrigin(a: FileOrigin, b: FileOrigin): boolean {
  return a === b || (a.linkType === b.linkType && a.interface === b.interface);
}
