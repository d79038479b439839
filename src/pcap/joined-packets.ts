/** Packets of small batches in one piece of memory. */
import { batchMemory, PacketBatch } from '../batches/batch';
import { headerOf } from '../batches/columns';
import { Header, RECORD_WORDS, Word } from '../native';

/** Bytes of a piece. */
const JOINED_BYTES = 64 * 1024;

const RECORD_BYTES = RECORD_WORDS * 4;

/** Packets one after the other that may come out as one batch, with what they have in common; the rest is that of the first. */
interface Run extends Pick<PacketBatch, 'interface' | 'member' | 'seqNum' | 'timedOut'> {
  first: number;
  linkType: number;
}

/**
 * Copies packets into one piece of memory, since a batch of one packet takes a kilobyte besides it. Records lie from the front, frames from the back, so
 * that a piece is full when they meet, whatever the sizes of the packets.
 */
export class JoinedPackets {
  #index = new Uint32Array(JOINED_BYTES / 4);
  #bytes = Buffer.from(this.#index.buffer);
  /** Where the frames begin. */
  #low = JOINED_BYTES;
  #length = 0;
  #runs: Run[] = [];

  /** Packets in it. */
  get length(): number {
    return this.#length;
  }
  /** Their records: see native/batch.ts for the layout. Those behind the last are undefined. */
  get index(): Uint32Array {
    return this.#index;
  }

  /** Copies packets of `batch` from `first` on. Returns the index of the first that has no room any more. */
  append(batch: PacketBatch, first: number): number {
    const { index } = batchMemory(batch);
    const before = this.#length;
    let i = first;
    for (; i < batch.length; i++) {
      const record = i * RECORD_WORDS;
      const start = index[record]!;
      const length = index[record + Word.Length]!;
      const low = this.#low - length;
      if (low < (this.#length + 1) * RECORD_BYTES) break;
      batch.bytes.copy(this.#bytes, low, start, start + length);
      const to = this.#length++ * RECORD_WORDS;
      for (let word = 0; word < RECORD_WORDS; word++) this.#index[to + word] = index[record + word]!;
      this.#index[to] = low;
      this.#low = low;
    }
    if (this.#length > before) this.#begin(before, batch);
    return i;
  }

  /** Gives back what it has no packets for when that is more than half of it. Nothing can be appended any more. */
  close(): void {
    const spare = this.#low - this.#length * RECORD_BYTES;
    if (spare <= JOINED_BYTES / 2) return;
    // Records are of whole words, frames are not.
    const cut = spare - (spare % 4);
    const index = new Uint32Array((JOINED_BYTES - cut) / 4);
    index.set(this.#index.subarray(0, this.#length * RECORD_WORDS));
    for (let record = 0; record < this.#length * RECORD_WORDS; record += RECORD_WORDS) index[record]! -= cut;
    const bytes = Buffer.from(index.buffer);
    this.#bytes.copy(bytes, this.#low - cut, this.#low);
    this.#index = index;
    this.#bytes = bytes;
    this.#low -= cut;
  }

  /** Forgets the packets, so that others may take their place. Returns whether it has all of its memory for them. */
  empty(): boolean {
    this.#length = 0;
    this.#low = this.#bytes.length;
    this.#runs = [];
    return this.#low === JOINED_BYTES;
  }

  /** The packets from `first` on as batches that share the memory, one for each interface and capture that they came from in a row. */
  batches(first: number): PacketBatch[] {
    return this.#runs.flatMap((run, k) => {
      const end = this.#runs[k + 1]?.first ?? this.#length;
      const from = Math.max(first, run.first);
      if (from >= end) return [];
      const index = this.#index.subarray(from * RECORD_WORDS, end * RECORD_WORDS);
      const header = headerOf(index, run.seqNum);
      header[Header.Flags] = run.timedOut ? 1 : 0;
      header[Header.Member] = run.member;
      return [new PacketBatch({ header, index, bytes: this.#bytes, interface: run.interface, linkType: run.linkType })];
    });
  }

  #begin(first: number, batch: PacketBatch): void {
    const { interface: name, member, seqNum, timedOut } = batch;
    const linkType = batch.linkType;
    const last = this.#runs.at(-1);
    if (last?.interface === name && last.member === member && last.linkType === linkType) return;
    this.#runs.push({ first, interface: name, member, seqNum, timedOut, linkType });
  }
}
