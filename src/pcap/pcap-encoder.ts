/** Encodes batches as a pcap file: little-endian, nanoseconds, one link type. */
import type { PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import type { NamesOf } from '../options/known-options';
import { keptLength, type Allocate, type FileEncoder } from './file-encoder';
import { fileLinkType } from './link-types';
import { encodePcapRecords, pcapRecordsRoom } from './packet-encoders';
import { FILE_HEADER, Magic, RECORD_HEADER } from './pcap-format';

/** Options of `PcapWriter`. */
export interface PcapOptions {
  /** Bytes of each packet that are kept; 0, the default, keeps all of them. Its original length is told in any case. */
  snapLen?: number;
  /** LINKTYPE_* of the file. Default: that of the first batch, 1 (Ethernet) when there is none. */
  linkType?: number;
}

export const PCAP_OPTIONS: NamesOf<PcapOptions> = { snapLen: true, linkType: true };

const LINKTYPE_ETHERNET = 1;
/** What readers expect at most, tcpdump and Wireshark among them. */
const USUAL_LIMIT = 262_144;

export class PcapEncoder implements FileEncoder {
  readonly #kept: number;
  readonly #snapLen: number;
  #linkType: number | undefined;
  #length = 0;

  /** Throws NetringError kind `Config`. */
  constructor({ snapLen = 0, linkType }: PcapOptions = {}) {
    this.#kept = keptLength(snapLen);
    this.#snapLen = snapLen;
    if (linkType !== undefined && (!Number.isInteger(linkType) || linkType < 0 || linkType > 0xffff))
      throw NetringError.config(`linkType is ${linkType}: a LINKTYPE is an integer from 0 to 65535`, 'linkType');
    this.#linkType = linkType;
  }

  encode(batch: PacketBatch, allocate: Allocate = (size) => Buffer.allocUnsafe(size)): Buffer {
    const linkType = fileLinkType(batch.linkType);
    this.#linkType ??= linkType;
    if (linkType !== this.#linkType)
      throw NetringError.config(
        `a pcap file has one link type: this one has ${this.#linkType}, packets of ${batch.interface || 'a batch'} have ${linkType}; pcapng holds both`,
        'linkType',
      );
    const before = this.#length === 0 ? FILE_HEADER : 0;
    const out = allocate(before + pcapRecordsRoom(batch, this.#kept));
    if (before > 0) this.#writeHeader(out);
    const length = encodePcapRecords(batch, out, before, this.#kept);
    this.#length += length;
    return out.subarray(0, length);
  }

  finish(): Buffer {
    if (this.#length > 0) return Buffer.alloc(0);
    const out = Buffer.allocUnsafe(FILE_HEADER);
    this.#length = this.#writeHeader(out);
    return out;
  }

  lengthWithout(): number {
    return this.#length === 0 ? FILE_HEADER : this.#length;
  }

  roomFor(batch: PacketBatch): number {
    return pcapRecordsRoom(batch, this.#kept);
  }

  packetLength(captured: number): number {
    return RECORD_HEADER + Math.min(captured, this.#kept);
  }

  #writeHeader(out: Buffer): number {
    out.fill(0, 0, FILE_HEADER);
    out.writeUInt32LE(Magic.Nanoseconds, 0);
    out.writeUInt16LE(2, 4);
    out.writeUInt16LE(4, 6);
    out.writeUInt32LE(this.#snapLen === 0 ? USUAL_LIMIT : this.#snapLen, 16);
    out.writeUInt32LE(this.#linkType ?? LINKTYPE_ETHERNET, 20);
    return FILE_HEADER;
  }
}
