/** The pcap format: one header, then records. */
import type { BatchBuilder, FileOrigin } from './batch-builder';
import { invalidFile } from './file-error';
import type { FileInterface, FileWindow, Shortage } from './file-window';
import { MAX_CAPTURED_LENGTH } from './limits';
import { batchLinkTypeOf } from './link-types';
import {
  FCS_LENGTH_SHIFT,
  FCS_PRESENT,
  FILE_HEADER,
  Magic,
  MODIFIED_RECORD_HEADER,
  RECORD_HEADER,
  RESERVED_LINK_BITS,
} from './pcap-format';
import { PACKET_TYPE_UNKNOWN } from './pcapng-format';

interface PcapVariant {
  littleEndian: boolean;
  /** How many nanoseconds the fraction of a second counts in. */
  unit: number;
  recordHeader: number;
}

const SECOND = 1_000_000_000;
const PACKET_TYPE = 22;

export class PcapParser {
  readonly format = 'pcap';
  readonly #variant: PcapVariant;
  #header: { origin: FileOrigin; fcsLength: number } | undefined;
  shortage: Shortage = { what: 'the pcap file header', needed: FILE_HEADER };
  interfaces: readonly FileInterface[] = [];

  private constructor(variant: PcapVariant) {
    this.#variant = variant;
  }

  /** By the first four bytes in big-endian order; undefined when they are not those of pcap. */
  static for(magic: number): PcapParser | undefined {
    const variant = variantOf(magic);
    return variant && new PcapParser(variant);
  }

  /** Adds records to `batch` from position `at` on, until it is full or bytes are missing. Returns the position of the first that is not added. */
  read(window: FileWindow, at: number, batch: BatchBuilder): number {
    const { view, base } = window;
    const { littleEndian, unit, recordHeader } = this.#variant;
    const size = view.byteLength;
    if (this.#header === undefined) {
      if (size - at < FILE_HEADER) return at;
      this.#header = this.#readHeader(view);
      at += FILE_HEADER;
    }
    const { origin, fcsLength } = this.#header;
    for (;;) {
      if (size - at < recordHeader) {
        this.shortage = { what: 'a record header', needed: recordHeader };
        return at;
      }
      const captured = view.getUint32(at + 8, littleEndian);
      if (captured > MAX_CAPTURED_LENGTH)
        throw invalidFile(base + at, `a record claims ${captured} captured bytes, the limit is ${MAX_CAPTURED_LENGTH}`);
      if (size - at - recordHeader < captured) {
        this.shortage = { what: 'a record', needed: recordHeader + captured };
        return at;
      }
      const original = Math.max(view.getUint32(at + 12, littleEndian), captured) - fcsLength;
      const fraction = view.getUint32(at + 4, littleEndian) * unit;
      // Some writers let the fraction run past its second.
      const sec = view.getUint32(at, littleEndian) + (fraction < SECOND ? 0 : Math.floor(fraction / SECOND));
      const nsec = fraction < SECOND ? fraction : fraction % SECOND;
      const packetType = recordHeader === RECORD_HEADER ? PACKET_TYPE_UNKNOWN : view.getUint8(at + PACKET_TYPE);
      const length = Math.max(Math.min(captured, original), 0);
      if (!batch.add(window, origin, at + recordHeader, length, original, sec, nsec, packetType)) return at;
      at += recordHeader + captured;
    }
  }

  #readHeader(view: DataView): { origin: FileOrigin; fcsLength: number } {
    const { littleEndian } = this.#variant;
    const major = view.getUint16(4, littleEndian);
    const minor = view.getUint16(6, littleEndian);
    // Before 2.4 the two lengths of a record could stand the other way round.
    if (major !== 2 || minor !== 4) throw invalidFile(4, `pcap version ${major}.${minor} is not supported, only 2.4 is`);
    const link = view.getUint32(20, littleEndian);
    if ((link & RESERVED_LINK_BITS) !== 0)
      throw invalidFile(20, `reserved bits of the link type are set: 0x${link.toString(16).padStart(8, '0')}`);
    const linkType = link & 0xffff;
    this.interfaces = [{ name: '', linkType, snapLen: view.getUint32(16, littleEndian) }];
    return {
      origin: { interface: '', linkType: batchLinkTypeOf(linkType) },
      fcsLength: (link & FCS_PRESENT) === 0 ? 0 : (link >>> FCS_LENGTH_SHIFT) * 2,
    };
  }
}

function variantOf(magic: number): PcapVariant | undefined {
  const swapped = swap(magic);
  for (const [value, unit, recordHeader] of [
    [Magic.Microseconds, 1000, RECORD_HEADER],
    [Magic.Nanoseconds, 1, RECORD_HEADER],
    [Magic.Modified, 1000, MODIFIED_RECORD_HEADER],
  ] as const)
    if (magic === value || swapped === value) return { littleEndian: swapped === value, unit, recordHeader };
  return undefined;
}

function swap(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
