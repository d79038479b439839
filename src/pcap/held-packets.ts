/** The newest packets of a stream of batches. */
import { batchMemory, sliceBatch, type PacketBatch } from '../batches/batch';
import { RECORD_WORDS, Word } from '../native';
import { JoinedPackets } from './joined-packets';
import { isBefore, shifted } from './packet-range';

/** What a packet takes besides its bytes: its record in memory, and as much in a pcapng file. */
const PACKET_OVERHEAD = RECORD_WORDS * 4;

/** Smaller batches are joined: copying packets costs ten times as much as holding the batch, and what a batch takes besides them is little from here on. */
const JOINED_BELOW = 4096;
/** What a batch takes besides its packets. */
const BATCH_OVERHEAD = 1024;

/** Packets that lie in one piece of memory, and those that came after them: a list, whose head goes at no price however long it is. */
interface Piece {
  /** Their batch, or what small batches were joined in. */
  packets: PacketBatch | JoinedPackets;
  next: Piece | undefined;
}

/** Holds owned batches up to `maxBytes`, 44 a packet besides its own included, and `maxSeconds` before the newest. */
export class HeldPackets {
  readonly #maxBytes: number;
  readonly #maxSeconds: number | undefined;
  #oldest: Piece | undefined;
  #newest: Piece | undefined;
  /** Packets of the oldest piece that are not wanted any more. */
  #gone = 0;
  /** Memory for the next small batches: that of the last ones that went. */
  #spare: JoinedPackets | undefined;
  #length = 0;
  #bytes = 0;

  constructor(maxBytes: number, maxSeconds: number | undefined) {
    this.#maxBytes = maxBytes;
    this.#maxSeconds = maxSeconds;
  }

  /** Packets that are held. */
  get length(): number {
    return this.#length;
  }

  /** Holds the packets of `batch`, of which there is one at least, and lets go of those that are too many or too old by it. */
  add(batch: PacketBatch): void {
    const size = batch.byteLength + batch.length * PACKET_OVERHEAD;
    if (size < JOINED_BELOW) this.#join(batch);
    else this.#append(size * 2 < batch.bytes.buffer.byteLength + BATCH_OVERHEAD ? batch.copy() : batch);
    this.#length += batch.length;
    this.#bytes += size;
    this.#drop(batch);
  }

  /** What is held, oldest first. Nothing is held any more. */
  take(): PacketBatch[] {
    const batches: PacketBatch[] = [];
    let first = this.#gone;
    for (let piece = this.#oldest; piece !== undefined; piece = piece.next) {
      const { packets } = piece;
      batches.push(...(packets instanceof JoinedPackets ? packets.batches(first) : [sliceBatch(packets, first, packets.length)]));
      first = 0;
    }
    this.clear();
    return batches;
  }

  /** Nothing is held any more. */
  clear(): void {
    this.#oldest = this.#newest = this.#spare = undefined;
    this.#gone = this.#length = this.#bytes = 0;
  }

  #join(batch: PacketBatch): void {
    const open = this.#newest?.packets;
    let first = open instanceof JoinedPackets ? open.append(batch, 0) : 0;
    while (first < batch.length) {
      const joined = this.#spare ?? new JoinedPackets();
      this.#spare = undefined;
      first = joined.append(batch, first);
      this.#append(joined);
    }
  }

  #append(packets: PacketBatch | JoinedPackets): void {
    const last = this.#newest;
    this.#newest = { packets, next: undefined };
    if (last === undefined) this.#oldest = this.#newest;
    else last.next = this.#newest;
    if (last?.packets instanceof JoinedPackets) last.packets.close();
  }

  /** The oldest piece goes when nothing of it is wanted any more. */
  #drop(newest: PacketBatch): void {
    const limit = this.#maxSeconds === undefined ? undefined : shifted(newest.tsLast, -this.#maxSeconds);
    while (this.#oldest !== undefined) {
      const { packets, next } = this.#oldest;
      const index = packets instanceof JoinedPackets ? packets.index : batchMemory(packets).index;
      while (this.#gone < packets.length && (this.#bytes > this.#maxBytes || (limit && isBefore(index, this.#gone, limit)))) {
        this.#bytes -= index[this.#gone++ * RECORD_WORDS + Word.Length]! + PACKET_OVERHEAD;
        this.#length--;
      }
      if (this.#gone < packets.length) return;
      this.#oldest = next;
      this.#gone = 0;
      if (next === undefined) this.#newest = undefined;
      if (packets instanceof JoinedPackets && packets.empty()) this.#spare = packets;
    }
  }
}
