/** What the two encoders of capture files have in common. */
import { isPacketBatch, PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import type { OwnedPacket } from '../batches/packet';
import { MAX_CAPTURED_LENGTH } from './limits';

/** What the writers take: a batch, one packet object, or an array of them. Packet objects name no interface and are Ethernet frames. */
export type CaptureFileInput = PacketBatch | OwnedPacket | readonly OwnedPacket[];

/** Memory of so many bytes; what is in it does not matter. */
export type Allocate = (size: number) => Buffer;

/** Turns batches into the bytes of one file. What comes first in a file comes with the first call. */
export interface FileEncoder {
  /** One buffer for a batch, in memory that `allocate` gives. Throws NetringError kind `Config` for a batch that the format has no place for. */
  encode(batch: PacketBatch, allocate?: Allocate): Buffer;
  /** What stands at the end of the file. */
  finish(): Buffer;
  /** Bytes that the file would have if it ended after `batch` with none of its packets in it, so far not encoded. */
  lengthWithout(batch: PacketBatch): number;
  /** Bytes for all packets of `batch` at most. */
  roomFor(batch: PacketBatch): number;
  /** Bytes for one packet of that captured length. */
  packetLength(captured: number): number;
}

/** The packets of an input as a batch. Throws TypeError when it is none of the forms. */
export function batchOf(input: CaptureFileInput): PacketBatch {
  if (isPacketBatch(input)) return input;
  const packets = Array.isArray(input) ? (input as readonly OwnedPacket[]) : [input as OwnedPacket];
  // Bare bytes have no time: a file of them would tell something that nobody knows.
  if (packets.some((packet) => typeof packet !== 'object' || packet === null || ArrayBuffer.isView(packet)))
    throw new TypeError('a capture file is written from PacketBatches, packet objects, or arrays of packet objects');
  return PacketBatch.from(packets);
}

/** An input that stays as it is when a borrowed batch is released: such a batch is copied. */
export function lasting(input: unknown): unknown {
  return isPacketBatch(input) && input.borrowed ? input.toOwned() : input;
}

/** Checks the option `snapLen`: bytes of a packet that are kept, 0 for all. Returns the limit. */
export function keptLength(snapLen = 0): number {
  if (!Number.isInteger(snapLen) || snapLen < 0 || snapLen > MAX_CAPTURED_LENGTH)
    throw NetringError.config(`snapLen is ${snapLen}: bytes from 1 to ${MAX_CAPTURED_LENGTH}, or 0 for all of a packet`, 'snapLen');
  return snapLen === 0 ? MAX_CAPTURED_LENGTH : snapLen;
}
