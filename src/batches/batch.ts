/**
 * A batch of packets: one retired block of a receive ring, as columns over bytes.
 *
 * In a flow a batch is shared by reference between all branches, hence immutable: frozen, all state private, and a `Symbol.toStringTag` that
 * makes Node-RED's clone pass it through (lodash clones only objects whose tag it knows).
 */
import { inspect } from 'node:util';
import { decode, decodeAt, type DecodedPacket, type DecodedPacketObject } from '../decode/decode';
import { ARPHRD_ETHER } from '../interfaces/link-types';
import { Header, HEADER_WORDS, RECORD_WORDS, Word } from '../native/batch';
import type { TimestampSource } from '../options/values';
import { commonLinkType, frameParts, headerOf, packFrames, recordableParts, TWO_TO_32, type FrameLike } from './columns';
import { linkAddress, ownedPacket } from './owned-packet';
import { Packet, directionOf, TP_STATUS, type OwnedPacket, type PacketDirection, type Timestamp } from './packet';
import { encodePcapng } from '../pcap/pcapng-writer';

/** A VLAN tag: control information (priority, DEI, id) and the EtherType that announced it. */
export interface VlanTag {
  /** Priority (3 bits), DEI (1) and VLAN id (12), as IEEE 802.1Q lays them out. */
  tci: number;
  /** EtherType of the tag: 0x8100 (802.1Q), 0x88a8 (802.1ad). */
  tpid: number;
}

/** What JSON has of a batch. */
export interface BatchSummary {
  /** Name of the interface; empty when the frames came from elsewhere. */
  interface: string;
  /** As `PacketBatch.seqNum`. */
  seqNum: number;
  /** Number of packets in the batch. */
  packets: number;
  /** Captured bytes. */
  bytes: number;
  /** Time of the first packet. */
  tsFirst: Timestamp;
  /** Time of the last packet. */
  tsLast: Timestamp;
  /** The first 10 packets, a line each. */
  first: string[];
}

/** Where frames of a batch that is not captured are said to come from. */
export interface BatchOrigin {
  /** Name of the interface the frames came from; empty for none. */
  interface?: string;
  /** ARPHRD_* of the interface; by default that of the packet objects, 1 (Ethernet) where they tell none. */
  linkType?: number;
  /** What `seqNum` of the batch tells. Default 0. */
  seqNum?: number;
}

/** @internal What native calls need of a batch: see native/batch.ts for the layout. */
export interface BatchMemory {
  bytes: Uint8Array;
  index: Uint32Array;
}

interface BatchParts {
  bytes: Buffer;
  index: Uint32Array;
  /** A copy of the header's words: a borrowed header is overwritten by the next batch. */
  header: Uint32Array;
  interface: string;
  linkType: number;
  /** Given for borrowed batches. */
  release?: () => void;
}

/** Packets that the text of a batch shows: the editor shows that text for every message of a debug node. */
const PREVIEW = 10;

/** TP_STATUS_TS_RAW_HARDWARE and TP_STATUS_TS_SYS_HARDWARE; no bit, or TP_STATUS_TS_SOFTWARE, is the kernel's software clock. */
const TS_RAW_HARDWARE = 0x8000_0000;
const TS_SYS_HARDWARE = 0x4000_0000;

let memoryOf: (batch: PacketBatch) => BatchMemory;
let isBatch: (value: unknown) => value is PacketBatch;
let sliceOf: (batch: PacketBatch, first: number, end: number) => PacketBatch;

/**
 * A batch of packets: one retired block of a receive ring, or with latency `immediate` what had come by then. Columns over bytes, with no object for
 * a packet: `lengthAt(i)`, `dataAt(i)`, `timestampNsAt(i)` and the rest read packet `i`, from 0 to `length` - 1; iterating yields light `Packet`
 * views.
 *
 * A frame is as it was on the wire, without FCS: a VLAN tag that the kernel has taken out stands in it again.
 *
 * Borrowed batches (from `nextBatch`, `tryRecvBatch`, a guard) view the ring and end with `release()`, `using`, or the next reading call: every view
 * of them has length 0 then. Owned batches (from `recv`, iteration, streams, `PacketBatch.from`, `readPcap`) have memory of their own and live as
 * long as somebody holds them or a view of them; that memory counts in the `maxBufferedBytes` of their capture. Both are immutable.
 *
 * @example Bytes by length class, without an object for a packet
 * ```ts
 * import { AsyncCapture } from '@netring/node-red';
 *
 * await using capture = AsyncCapture.open('eth0');
 * const batch = await capture.recv();
 * let small = 0;
 * for (let i = 0; i < batch.length; i++) if (batch.originalLengthAt(i) < 128) small++;
 * console.log(`${small} of ${batch.length} packets have less than 128 bytes`);
 * const arp = batch.filter((packet) => packet.protocol === 0x0806);
 * console.log(`${arp}`, arp.toPcapng().length);
 * ```
 */
export class PacketBatch implements Iterable<Packet> {
  #index: Uint32Array;
  #bytes: Buffer;
  #count: number;
  readonly #header: Uint32Array;
  readonly #interface: string;
  readonly #linkType: number;
  #release: (() => void) | undefined;

  static {
    memoryOf = (batch) => ({ bytes: batch.#bytes, index: batch.#index });
    isBatch = (value): value is PacketBatch => typeof value === 'object' && value !== null && #index in value;
    sliceOf = (batch, first, end) => batch.#derive(batch.#index.subarray(first * RECORD_WORDS, end * RECORD_WORDS), batch.#bytes);
  }

  /** @internal Use a capture, `PacketBatch.from` or `readPcap`. */
  constructor(parts: BatchParts) {
    this.#index = parts.index;
    this.#bytes = parts.bytes;
    this.#header = parts.header;
    this.#count = parts.header[Header.Count]!;
    this.#interface = parts.interface;
    this.#linkType = parts.linkType;
    this.#release = parts.release;
    Object.freeze(this);
  }

  /** @internal An owned batch over a slab that the addon has filled: header, index, bytes. */
  static fromSlab(slab: ArrayBuffer, interfaceName: string, linkType: number): PacketBatch {
    const header = new Uint32Array(slab, 0, HEADER_WORDS);
    return new PacketBatch({
      header,
      index: new Uint32Array(slab, HEADER_WORDS * 4, header[Header.Count]! * RECORD_WORDS),
      bytes: Buffer.from(slab, header[Header.BytesOffset]),
      interface: interfaceName,
      linkType,
    });
  }

  /** @internal A batch over frames that already lie in memory, not copied: `index` is laid out as native/batch.ts says. */
  static over(bytes: Uint8Array, index: Uint32Array, origin: BatchOrigin): PacketBatch {
    return new PacketBatch({
      header: headerOf(index, origin.seqNum ?? 0),
      index,
      bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      interface: origin.interface ?? '',
      linkType: origin.linkType ?? ARPHRD_ETHER,
    });
  }

  /**
   * A batch made of frames, their bytes copied. What a packet object does not tell is filled in: the time with 0, the lengths by its bytes.
   * Throws TypeError when an element is neither bytes nor a packet object, for a `timestamp` or an `originalLength` that is none, and for packet objects of
   * different link types.
   */
  static from(frames: Iterable<FrameLike>, origin: BatchOrigin = {}): PacketBatch {
    const list = Array.from(frames, recordableParts);
    const { bytes, index } = packFrames(list);
    return PacketBatch.over(bytes, index, { ...origin, linkType: origin.linkType ?? commonLinkType(list) });
  }

  /** @internal A batch to be sent: nobody looks at its times, so they may be anything. */
  static toSend(frames: Iterable<FrameLike>): PacketBatch {
    const { bytes, index } = packFrames(Array.from(frames, frameParts));
    return PacketBatch.over(bytes, index, {});
  }

  /** Makes Node-RED's clone pass a batch on by reference. */
  get [Symbol.toStringTag](): string {
    return 'PacketBatch';
  }

  /** Number of packets; 0 after `release()` of a borrowed batch. */
  get length(): number {
    return this.#count;
  }
  /** Sum of the captured lengths in bytes. */
  get byteLength(): number {
    return this.#count === 0 ? 0 : this.#header[Header.ByteLength]!;
  }
  /** Sum of the lengths on the wire in bytes. */
  get originalByteLength(): number {
    return this.#header[Header.OriginalHigh]! * TWO_TO_32 + this.#header[Header.OriginalLow]!;
  }
  /** Name of the interface at the time of capture; empty when the frames came from elsewhere. */
  get interface(): string {
    return this.#interface;
  }
  /** ARPHRD_* of the interface: 1 for Ethernet, 772 for loopback, 65534 for raw IP; of a file 0x10000 + LINKTYPE where there is no ARPHRD for it. */
  get linkType(): number {
    return this.#linkType;
  }
  /** The kernel's block sequence number. With latency immediate the batches are numbered. Gaps do not tell losses: the kernel freezes a full ring and counts, see the statistics. */
  get seqNum(): number {
    return this.#header[Header.SequenceHigh]! * TWO_TO_32 + this.#header[Header.SequenceLow]!;
  }
  /** Index of the member of a capture group that has read it; 0 for what comes from elsewhere. `seqNum` counts for each member. */
  get member(): number {
    return this.#header[Header.Member]!;
  }
  /** The block was retired by its timeout, not because it was full. With latency immediate: the batch is all that had come by then. */
  get timedOut(): boolean {
    return (this.#header[Header.Flags]! & 1) !== 0;
  }
  /** Time of the first packet, as the block header has it. */
  get tsFirst(): Timestamp {
    return { sec: this.#header[Header.FirstSeconds]!, nsec: this.#header[Header.FirstNanoseconds]! };
  }
  /** Time of the last packet, as the block header has it. */
  get tsLast(): Timestamp {
    return { sec: this.#header[Header.LastSeconds]!, nsec: this.#header[Header.LastNanoseconds]! };
  }
  /** The clock that all packets of the batch were stamped with; `software` when they differ. */
  get clock(): TimestampSource {
    const bits = TS_RAW_HARDWARE | TS_SYS_HARDWARE;
    let common = bits;
    for (let i = 0; i < this.#count; i++) common &= this.#index[i * RECORD_WORDS + Word.Status]!;
    if (this.#count === 0 || (common & bits) === 0) return 'software';
    return (common & TS_RAW_HARDWARE) !== 0 ? 'raw-hardware' : 'sys-hardware';
  }
  /**
   * The memory the frames lie in, for walking without a view per packet: frame `i` is `bytes[offsetAt(i)]` up to `+ lengthAt(i)`.
   * Other bytes between the frames are undefined.
   */
  get bytes(): Buffer {
    return this.#bytes;
  }
  /** Whether this batch views the ring and ends with `release()`. */
  get borrowed(): boolean {
    return this.#release !== undefined;
  }

  /** Byte offset of frame `i` in `bytes`. Throws RangeError outside 0 to length - 1, as all the accessors do. */
  offsetAt(i: number): number {
    return this.#word(i, Word.Offset);
  }
  /** Captured length in bytes. */
  lengthAt(i: number): number {
    return this.#word(i, Word.Length);
  }
  /** Length on the wire in bytes. */
  originalLengthAt(i: number): number {
    return this.#word(i, Word.OriginalLength);
  }
  /** The frame: a view, not a copy. */
  dataAt(i: number): Buffer {
    const record = this.#record(i);
    const offset = this.#index[record]!;
    return this.#bytes.subarray(offset, offset + this.#index[record + Word.Length]!);
  }
  /** Seconds and nanoseconds since the epoch, of the clock that `clock` names. */
  timestampAt(i: number): Timestamp {
    const record = this.#record(i);
    return { sec: this.#index[record + Word.Seconds]!, nsec: this.#index[record + Word.Nanoseconds]! };
  }
  /** Nanoseconds since the epoch. */
  timestampNsAt(i: number): bigint {
    const record = this.#record(i);
    return BigInt(this.#index[record + Word.Seconds]!) * 1_000_000_000n + BigInt(this.#index[record + Word.Nanoseconds]!);
  }
  /** The kernel's `tp_status` bits. */
  statusAt(i: number): number {
    return this.#word(i, Word.Status);
  }
  /** What the frame was to the interface: for this machine, for another one, sent by it (`sll_pkttype` of packet(7)). */
  directionAt(i: number): PacketDirection {
    return directionOf((this.#word(i, Word.Meta) >>> 16) & 0xff);
  }
  /** The kernel's flow hash; 0 unless `fillRxhash` is on. */
  rxhashAt(i: number): number {
    return this.#word(i, Word.RxHash);
  }
  /** The outermost VLAN tag, if the kernel had stripped it (it stands in the bytes again). */
  vlanAt(i: number): VlanTag | null {
    const record = this.#record(i);
    if ((this.#index[record + Word.Status]! & TP_STATUS.VLAN_VALID) === 0) return null;
    const word = this.#index[record + Word.Vlan]!;
    return { tci: word & 0xffff, tpid: word >>> 16 };
  }
  /** EtherType as the kernel classified the frame, host byte order. */
  protocolAt(i: number): number {
    return this.#word(i, Word.Meta) & 0xffff;
  }
  /** Link-layer source address, lower-case hexadecimal with colons; empty when there is none. */
  sourceAddressAt(i: number): string {
    return linkAddress(this.#index, this.#record(i));
  }
  /** The layers of packet `i`, as views that read from its bytes. Never throws on bytes, whatever they hold. */
  decodeAt(i: number): DecodedPacket {
    const record = this.#record(i);
    return decodeAt(this.#bytes, this.#index[record]!, this.#index[record + Word.Length]!, this.#linkType);
  }
  /** Packet `i` as a light view. */
  packet(i: number): Packet {
    this.#record(i);
    return new Packet(this, i);
  }

  /** @internal Packet `i` as plain data, its bytes copied. */
  ownedAt(i: number): OwnedPacket {
    return ownedPacket(this.#index, this.#record(i), Buffer.from(this.dataAt(i)), this.#linkType);
  }

  /** Light views of the packets in their order, valid as long as the batch is. */
  *[Symbol.iterator](): Generator<Packet, void, undefined> {
    for (let i = 0; i < this.#count; i++) yield new Packet(this, i);
  }

  /** The packets at `indices`, in that order. Shares the bytes of an owned batch, copies those of a borrowed one. */
  select(indices: Iterable<number>): PacketBatch {
    // Array.from makes an empty list of anything else.
    if (typeof indices?.[Symbol.iterator] !== 'function') throw new TypeError(`indices are ${inspect(indices)}, no list of packet numbers`);
    const chosen = Array.from(indices, (i) => this.#record(i));
    if (this.borrowed) return this.#compact(chosen);
    const index = new Uint32Array(chosen.length * RECORD_WORDS);
    chosen.forEach((record, k) => index.set(this.#index.subarray(record, record + RECORD_WORDS), k * RECORD_WORDS));
    return this.#derive(index, this.#bytes);
  }

  /** The packets for which `keep` returns true. */
  filter(keep: (packet: Packet, index: number) => boolean): PacketBatch {
    const chosen: number[] = [];
    for (let i = 0; i < this.#count; i++) if (keep(new Packet(this, i), i)) chosen.push(i);
    return this.select(chosen);
  }

  /** A batch with bytes of its own, laid out without gaps: they may be edited in place through `dataAt`. */
  copy(): PacketBatch {
    return this.#compact(Array.from({ length: this.#count }, (_, i) => i * RECORD_WORDS));
  }

  /** A copy that outlives a borrowed batch, or that lets go of an owned batch's slab. */
  toOwned(): PacketBatch {
    return this.copy();
  }

  /** The packets as plain objects with copied bytes. */
  toArray(): OwnedPacket[] {
    return Array.from({ length: this.#count }, (_, i) => this.ownedAt(i));
  }

  /** The packets as plain objects with copied bytes and their layers: the form in which a node sends them with `output: 'decoded'`. */
  toDecoded(): DecodedPacketObject[] {
    return Array.from(this, (packet) => {
      const owned = packet.toOwned();
      return decode(owned.data, this.#linkType).addTo(owned);
    });
  }

  /** The batch as a complete pcapng file: nanosecond times, interface name, direction. */
  toPcapng(): Buffer {
    return encodePcapng([this]);
  }

  /** Gives the ring block of a borrowed batch back; every view of it has length 0 from then on. Does nothing on an owned batch. */
  release(): void {
    if (this.#release === undefined) return;
    const release = this.#release;
    this.#release = undefined;
    this.#count = 0;
    this.#index = new Uint32Array(0);
    release();
  }

  /** `using` releases a borrowed batch, as `release`. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** A line about the batch and one for each of its first packets. */
  toString(): string {
    return [this.#summary(), ...this.#preview().map((line) => `  ${line}`), ...this.#more()].join('\n');
  }

  #summary(): string {
    const from = this.#interface === '' ? '' : ` ${this.#interface}`;
    return `PacketBatch${from} #${this.seqNum}: ${this.#count} ${this.#count === 1 ? 'packet' : 'packets'}, ${this.byteLength} bytes`;
  }

  /** A small summary with a line for each of the first packets, never the bytes. */
  toJSON(): BatchSummary {
    return {
      interface: this.#interface,
      seqNum: this.seqNum,
      packets: this.#count,
      bytes: this.byteLength,
      tsFirst: this.tsFirst,
      tsLast: this.tsLast,
      first: this.#preview(),
    };
  }

  /** What `console.log` shows: `toString`. */
  [inspect.custom](): string {
    return this.toString();
  }

  #preview(): string[] {
    return Array.from({ length: Math.min(this.#count, PREVIEW) }, (_, i) => new Packet(this, i).toString());
  }

  #more(): string[] {
    return this.#count > PREVIEW ? [`  and ${this.#count - PREVIEW} more`] : [];
  }

  /** The index holds exactly the records of this batch, so its own bounds are the check: a fifth off the cost of a loop over a batch. */
  #word(i: number, word: Word): number {
    const value = this.#index[i * RECORD_WORDS + word];
    return value === undefined ? this.#record(i) : value;
  }

  /** Where the record of packet `i` begins. */
  #record(i: number): number {
    if (i >>> 0 !== i || i >= this.#count) {
      const ended = this.#count === 0 ? ' (a borrowed one has none once it is released or the next is read; toOwned() keeps them)' : '';
      throw new RangeError(`packet index ${i} is out of range: the batch has ${this.#count} packets${ended}`);
    }
    return i * RECORD_WORDS;
  }

  #compact(records: readonly number[]): PacketBatch {
    const total = records.reduce((sum, record) => sum + this.#index[record + Word.Length]!, 0);
    const bytes = Buffer.allocUnsafeSlow(total);
    const index = new Uint32Array(records.length * RECORD_WORDS);
    let offset = 0;
    records.forEach((record, k) => {
      const start = this.#index[record]!;
      const length = this.#index[record + Word.Length]!;
      this.#bytes.copy(bytes, offset, start, start + length);
      index.set(this.#index.subarray(record, record + RECORD_WORDS), k * RECORD_WORDS);
      index[k * RECORD_WORDS] = offset;
      offset += length;
    });
    return this.#derive(index, bytes);
  }

  /** A batch over other packets of this one's block. */
  #derive(index: Uint32Array, bytes: Buffer): PacketBatch {
    const header = headerOf(index, this.seqNum);
    header[Header.Flags] = this.#header[Header.Flags]!;
    header[Header.Member] = this.#header[Header.Member]!;
    return new PacketBatch({ header, index, bytes, interface: this.#interface, linkType: this.#linkType });
  }
}

/** @internal */
export function batchMemory(batch: PacketBatch): BatchMemory {
  return memoryOf(batch);
}

/** Whether a value is a `PacketBatch`; true across realms, such as the sandbox of a function node. */
export function isPacketBatch(value: unknown): value is PacketBatch {
  return isBatch(value);
}

/** @internal Packets `first` up to `end`, at no price a packet: index and bytes are shared, so that of a borrowed batch ends with it. */
export function sliceBatch(batch: PacketBatch, first: number, end: number): PacketBatch {
  return first === 0 && end === batch.length ? batch : sliceOf(batch, first, end);
}
