/**
 * The packets of batches as the records of a pcap file or the blocks of a pcapng file, in JavaScript: for machines without the addon, whose
 * native/core/pcap/packet_encoder.cc writes the same bytes at a fifth of the price.
 */
import { batchMemory, type PacketBatch } from '../batches/batch';
import { RECORD_WORDS, Word } from '../native/batch';
import { RECORD_HEADER } from './pcap-format';
import { Block, LOSS_OPTION, nanoseconds, OPTION_HEADER, Option, PACKET_BLOCK_OVERHEAD, PACKET_FLAGS, padded } from './pcapng-format';

const TWO_TO_32 = 0x1_0000_0000;
const FLAGS_OPTION = Option.PacketFlags | (4 << 16);
const DROPS_OPTION = Option.PacketDropCount | (8 << 16);

/** Writes one record a packet to `out` from byte `at` on and returns where they end. */
export function writePcapRecords(batch: PacketBatch, out: Uint8Array, at: number, kept: number): number {
  const { index, bytes } = batchMemory(batch);
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const end = batch.length * RECORD_WORDS;
  for (let record = 0; record < end; record += RECORD_WORDS) {
    const length = Math.min(index[record + Word.Length]!, kept);
    view.setUint32(at, index[record + Word.Seconds]!, true);
    view.setUint32(at + 4, index[record + Word.Nanoseconds]!, true);
    view.setUint32(at + 8, length, true);
    view.setUint32(at + 12, index[record + Word.OriginalLength]!, true);
    at += RECORD_HEADER;
    // A bare view and set() is half the price of Buffer.copy() (Node 20: 26 against 45 ns for 64 bytes) and far below a loop.
    out.set(new Uint8Array(bytes.buffer, bytes.byteOffset + index[record + Word.Offset]!, length), at);
    at += length;
  }
  return at;
}

/**
 * Writes one enhanced packet block a packet to `out` from byte `at` on and returns where they end. The first says that `lost` packets were lost
 * before it, which takes `LOSS_OPTION` bytes more unless it is 0.
 */
export function writePacketBlocks(
  batch: PacketBatch,
  out: Uint8Array,
  at: number,
  kept: number,
  interfaceId: number,
  lost: number,
): number {
  const { index, bytes } = batchMemory(batch);
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const end = batch.length * RECORD_WORDS;
  let second = -1;
  let secondHigh = 0;
  let secondLow = 0;
  for (let record = 0; record < end; record += RECORD_WORDS) {
    // Packets share their second with thousands of others: 64-bit nanoseconds are then one addition away.
    if (index[record + Word.Seconds]! !== second) {
      second = index[record + Word.Seconds]!;
      [secondHigh, secondLow] = nanoseconds(second, 0);
    }
    const low = secondLow + index[record + Word.Nanoseconds]!;
    const length = Math.min(index[record + Word.Length]!, kept);
    const offset = bytes.byteOffset + index[record + Word.Offset]!;
    const room = padded(length);
    const losses = record === 0 && lost > 0;
    const blockLength = PACKET_BLOCK_OVERHEAD + room + (losses ? LOSS_OPTION : 0);
    view.setUint32(at, Block.EnhancedPacket, true);
    view.setUint32(at + 4, blockLength, true);
    view.setUint32(at + 8, interfaceId, true);
    view.setUint32(at + 12, low >= TWO_TO_32 ? secondHigh + 1 : secondHigh, true);
    view.setUint32(at + 16, low, true);
    view.setUint32(at + 20, length, true);
    view.setUint32(at + 24, index[record + Word.OriginalLength]!, true);
    at += 28;
    if (room !== length) view.setUint32(at + room - 4, 0, true);
    out.set(new Uint8Array(bytes.buffer, offset, length), at);
    at += room;
    view.setUint32(at, FLAGS_OPTION, true);
    view.setUint32(at + 4, PACKET_FLAGS[(index[record + Word.Meta]! >>> 16) & 0xff] ?? 0, true);
    at += 8;
    if (losses) {
      view.setUint32(at, DROPS_OPTION, true);
      view.setBigUint64(at + OPTION_HEADER, BigInt(lost), true);
      at += LOSS_OPTION;
    }
    view.setUint32(at, Option.End, true);
    view.setUint32(at + 4, blockLength, true);
    at += 8;
  }
  return at;
}
