/** The pcap format, draft-ietf-opsawg-pcap: one header, then records. */
import { MAX_CAPTURED_LENGTH } from './limits';
import type { FileBatches, FileOrigin } from './file-batches';
import { invalidFile, truncatedFile } from './file-error';
import { batchLinkTypeOf } from './link-types';
import { PACKET_TYPE_UNKNOWN } from './pcapng-format';

export interface PcapVariant {
  littleEndian: boolean;
  /** How many nanoseconds the fraction of a second counts in. */
  unit: number;
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MICROSECONDS = 1000;
const NANOSECONDS = 1;
const SECOND = 1_000_000_000;

/** Upper bits of the link-type word: length of the check sequence in units of 16 bits, whether that is meant, then 10 reserved ones. */
const FCS_LENGTH_SHIFT = 28;
const FCS_PRESENT = 0x0400_0000;
const RESERVED = 0x03ff_0000;

/** How the file is to be read, by its first four bytes in big-endian order. */
export function pcapVariant(magic: number): PcapVariant | undefined {
  switch (magic) {
    case 0xa1b2c3d4:
      return { littleEndian: false, unit: MICROSECONDS };
    case 0xd4c3b2a1:
      return { littleEndian: true, unit: MICROSECONDS };
    case 0xa1b23c4d:
      return { littleEndian: false, unit: NANOSECONDS };
    case 0x4d3cb2a1:
      return { littleEndian: true, unit: NANOSECONDS };
    default:
      return undefined;
  }
}

/** Adds all records to `batches`. Throws `NetringError` where the file ends or goes wrong. */
export function parsePcap(file: DataView, { littleEndian, unit }: PcapVariant, batches: FileBatches): void {
  const size = file.byteLength;
  if (size < FILE_HEADER) throw truncatedFile(0, 'the pcap file header', FILE_HEADER, size);
  const { origin, fcsLength } = fileHeader(file, littleEndian);

  for (let at = FILE_HEADER; at < size;) {
    if (size - at < RECORD_HEADER) throw truncatedFile(at, 'a record header', RECORD_HEADER, size - at);
    const fraction = file.getUint32(at + 4, littleEndian) * unit;
    const captured = file.getUint32(at + 8, littleEndian);
    const original = Math.max(file.getUint32(at + 12, littleEndian), captured) - fcsLength;
    if (captured > MAX_CAPTURED_LENGTH)
      throw invalidFile(at, `a record claims ${captured} captured bytes, the limit is ${MAX_CAPTURED_LENGTH}`);
    if (size - at - RECORD_HEADER < captured) throw truncatedFile(at, 'a record', RECORD_HEADER + captured, size - at);
    batches.add(origin, {
      offset: at + RECORD_HEADER,
      length: Math.max(Math.min(captured, original), 0),
      originalLength: original,
      // Some writers let the fraction run past its second.
      sec: file.getUint32(at, littleEndian) + Math.floor(fraction / SECOND),
      nsec: fraction % SECOND,
      packetType: PACKET_TYPE_UNKNOWN,
    });
    at += RECORD_HEADER + captured;
  }
}

function fileHeader(file: DataView, littleEndian: boolean): { origin: FileOrigin; fcsLength: number } {
  const major = file.getUint16(4, littleEndian);
  const minor = file.getUint16(6, littleEndian);
  // Before 2.4 the two lengths of a record could stand the other way round.
  if (major !== 2 || minor !== 4) throw invalidFile(4, `pcap version ${major}.${minor} is not supported, only 2.4 is`);
  const link = file.getUint32(20, littleEndian);
  if ((link & RESERVED) !== 0) throw invalidFile(20, `reserved bits of the link type are set: 0x${link.toString(16).padStart(8, '0')}`);
  return {
    origin: { interface: '', linkType: batchLinkTypeOf(link & 0xffff) },
    fcsLength: (link & FCS_PRESENT) === 0 ? 0 : (link >>> FCS_LENGTH_SHIFT) * 2,
  };
}
