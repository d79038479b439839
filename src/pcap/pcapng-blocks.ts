/**
 * Encoders of single pcapng blocks, little-endian: what a file in memory and a stream of blocks are both made of.
 */
import type { Timestamp } from '../batches/packet';
import type { InterfaceCounters } from './file-window';
import { BLOCK_OVERHEAD, BYTE_ORDER_MAGIC, Block, nanoseconds, OPTION_HEADER, Option, padded } from './pcapng-format';

const NANOSECONDS = 9;
const LENGTH_UNKNOWN = 0xffff_ffff;

/** Starts a section: the interfaces described before it are forgotten. Throws RangeError when a text needs more than 65535 bytes. */
export function sectionHeaderBlock(application: string, comment = ''): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  fixed.writeUInt16LE(1, 4);
  fixed.writeUInt32LE(LENGTH_UNKNOWN, 8);
  fixed.writeUInt32LE(LENGTH_UNKNOWN, 12);
  const options = [option(Option.SectionApplication, Buffer.from(application)), endOfOptions()];
  if (comment !== '') options.unshift(option(Option.Comment, Buffer.from(comment)));
  return block(Block.SectionHeader, [fixed, ...options]);
}

/**
 * Describes the next interface of the section; `linkType` is a LINKTYPE, `snapLen` the longest packet kept, 0 for no limit.
 * Throws RangeError when the name needs more than 65535 bytes.
 */
export function interfaceDescriptionBlock(name: string, linkType: number, snapLen = 0): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(linkType, 0);
  fixed.writeUInt32LE(snapLen, 4);
  const options = [option(Option.InterfaceTimeResolution, Buffer.of(NANOSECONDS)), endOfOptions()];
  if (name !== '') options.unshift(option(Option.InterfaceName, Buffer.from(name)));
  return block(Block.InterfaceDescription, [fixed, ...options]);
}

/** Counters of an interface as they were at a time. */
export function interfaceStatisticsBlock(interfaceId: number, at: Timestamp, counters: InterfaceCounters): Buffer {
  const fixed = Buffer.alloc(4);
  fixed.writeUInt32LE(interfaceId, 0);
  return block(Block.InterfaceStatistics, [
    fixed,
    time(at),
    option(Option.StatisticsReceived, unsigned64(counters.received)),
    option(Option.StatisticsDropped, unsigned64(counters.drops)),
    endOfOptions(),
  ]);
}

/** A block's own form of a time: the high word comes first in both byte orders. */
function time({ sec, nsec }: Timestamp): Buffer {
  const [high, low] = nanoseconds(sec, nsec);
  const value = Buffer.allocUnsafe(8);
  value.writeUInt32LE(high, 0);
  value.writeUInt32LE(low, 4);
  return value;
}

function unsigned64(count: number): Buffer {
  const value = Buffer.allocUnsafe(8);
  value.writeBigUInt64LE(BigInt(count));
  return value;
}

function option(code: number, value: Uint8Array): Buffer {
  if (value.length > 0xffff) throw new RangeError(`an option of a pcapng block holds at most 65535 bytes, this one needs ${value.length}`);
  const encoded = Buffer.alloc(OPTION_HEADER + padded(value.length));
  encoded.writeUInt16LE(code, 0);
  encoded.writeUInt16LE(value.length, 2);
  encoded.set(value, OPTION_HEADER);
  return encoded;
}

function endOfOptions(): Buffer {
  return Buffer.alloc(OPTION_HEADER);
}

function block(type: number, body: readonly Buffer[]): Buffer {
  const length = BLOCK_OVERHEAD + body.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.allocUnsafe(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(length, 4);
  return Buffer.concat([head, ...body, head.subarray(4)]);
}
