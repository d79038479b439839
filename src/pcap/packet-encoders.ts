/** Writes the packets of batches: by one call of the addon a batch, in JavaScript where there is none. */
import { batchMemory, type PacketBatch } from '../batches/batch';
import { nativeIfPresent } from '../native';
import { writePacketBlocks, writePcapRecords } from './packet-records';
import { RECORD_HEADER } from './pcap-format';
import { LOSS_OPTION, PACKET_BLOCK_OVERHEAD } from './pcapng-format';

const MOST_PADDING = 3;

/**
 * Bytes of a batch's packets in a pcap file at most, each cut to `kept` bytes. Not to the byte: a loop over the packets, once a batch, would run
 * for hundreds of batches before it is compiled.
 */
export function pcapRecordsRoom(batch: PacketBatch, kept: number): number {
  return batch.length * RECORD_HEADER + keptRoom(batch, kept);
}

/** Writes them to `out` from byte `at` on and returns where they end. */
export function encodePcapRecords(batch: PacketBatch, out: Uint8Array, at: number, kept: number): number {
  const addon = nativeIfPresent();
  if (addon === undefined) return writePcapRecords(batch, out, at, kept);
  const { index, bytes } = batchMemory(batch);
  return addon.encodePcapPackets(index, bytes, out, at, kept);
}

/** The same for a pcapng file, the first packet with the count of those `lost` before it unless that is 0. */
export function packetBlocksRoom(batch: PacketBatch, kept: number, lost: number): number {
  return batch.length * (PACKET_BLOCK_OVERHEAD + MOST_PADDING) + keptRoom(batch, kept) + (lost > 0 ? LOSS_OPTION : 0);
}

/** Writes them to `out` from byte `at` on and returns where they end. */
export function encodePacketBlocks(
  batch: PacketBatch,
  out: Uint8Array,
  at: number,
  kept: number,
  interfaceId: number,
  lost: number,
): number {
  const addon = nativeIfPresent();
  if (addon === undefined) return writePacketBlocks(batch, out, at, kept, interfaceId, lost);
  const { index, bytes } = batchMemory(batch);
  return addon.encodePcapngPackets(index, bytes, out, at, kept, interfaceId, lost);
}

function keptRoom(batch: PacketBatch, kept: number): number {
  return Math.min(batch.byteLength, batch.length * kept);
}
