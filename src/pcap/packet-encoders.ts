/** Writes the packets of batches: by one call of the addon a batch, in JavaScript where there is none. */
import { batchMemory, type PacketBatch } from '../batches/batch';
import { nativeIfPresent } from '../native';
import { RECORD_WORDS, Word } from '../native/batch';
import { writePacketBlocks, writePcapRecords } from './packet-records';
import { RECORD_HEADER } from './pcap-format';
import { LOSS_OPTION, PACKET_BLOCK_OVERHEAD, padded } from './pcapng-format';

/** Bytes of a batch's packets in a pcap file, each cut to `kept` bytes. */
export function pcapRecordsLength(batch: PacketBatch, kept: number): number {
  const { index } = batchMemory(batch);
  const end = batch.length * RECORD_WORDS;
  let total = batch.length * RECORD_HEADER;
  for (let record = 0; record < end; record += RECORD_WORDS) total += Math.min(index[record + Word.Length]!, kept);
  return total;
}

/** Writes as many to `out` from byte `at` on and returns where they end. */
export function encodePcapRecords(batch: PacketBatch, out: Uint8Array, at: number, kept: number): number {
  const addon = nativeIfPresent();
  if (addon === undefined) return writePcapRecords(batch, out, at, kept);
  const { index, bytes } = batchMemory(batch);
  return addon.encodePcapPackets(index, bytes, out, at, kept);
}

/** Bytes of a batch's packets in a pcapng file, each cut to `kept` bytes, the first with the count of those `lost` before it unless that is 0. */
export function packetBlocksLength(batch: PacketBatch, kept: number, lost: number): number {
  const { index } = batchMemory(batch);
  const end = batch.length * RECORD_WORDS;
  let total = batch.length * PACKET_BLOCK_OVERHEAD + (lost > 0 ? LOSS_OPTION : 0);
  for (let record = 0; record < end; record += RECORD_WORDS) total += padded(Math.min(index[record + Word.Length]!, kept));
  return total;
}

/** Writes as many to `out` from byte `at` on and returns where they end. */
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
