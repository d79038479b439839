/** What the sending calls take, brought into one of the two forms that the native calls know. */
import { types } from 'node:util';
import { batchMemory, isPacketBatch, PacketBatch, type BatchMemory } from '../batches/batch';
import type { FrameLike } from '../batches/columns';
import { NetringError } from '../errors/errors';
import { ARPHRD_ETHER, isEthernet } from '../interfaces/link-types';

/** A batch, one frame, or an array of frames or packet objects. */
export type SendInput = PacketBatch | Uint8Array | readonly FrameLike[];

/** Frames in the columns of a batch, or in memory of their own. */
export type FrameInput = { count: number; memory: BatchMemory } | { count: number; frames: readonly Uint8Array[] };

/** @internal Throws TypeError when `input` is none of the forms, `NetringError` kind `Config` for what is no Ethernet frame. */
export function frameInput(input: SendInput): FrameInput {
  if (isPacketBatch(input)) {
    assertSendable(input, 'the batch');
    return { count: input.length, memory: batchMemory(input) };
  }
  if (types.isUint8Array(input)) return { count: 1, frames: [input] };
  if (!Array.isArray(input)) throw new TypeError('frames must be a PacketBatch, a Uint8Array or an array of frames');
  const list = input as readonly FrameLike[];
  let objects = 0;
  // Not forEach, which leaves out the holes of a sparse array.
  for (let i = 0; i < list.length; i++) if (isObject(list[i] as FrameLike, i)) objects++;
  if (objects === 0) return { count: list.length, frames: list as readonly Uint8Array[] };
  // Packet objects bring a status, which tells whether their checksums are finished: columns have a place for it.
  const batch = PacketBatch.toSend(list);
  return { count: batch.length, memory: batchMemory(batch) };
}

/** Whether an element is a packet object and not bytes. Throws TypeError when it is neither. */
function isObject(frame: FrameLike, i: number): boolean {
  if (types.isUint8Array(frame)) return false;
  if (typeof frame === 'object' && frame !== null && types.isUint8Array(frame.data)) {
    assertSendable(frame, `frames[${i}]`);
    return true;
  }
  throw new TypeError(`frames[${i}] is neither bytes nor a packet object with data`);
}

function assertSendable({ linkType = ARPHRD_ETHER }: { linkType?: number }, what: string): void {
  if (!isEthernet(linkType)) throw notSendable(what, linkType);
}

/** Packets of another link begin with another header, or with none: their bytes would be taken for addresses. */
export function notSendable(what: string, linkType: number): NetringError {
  return NetringError.config(`${what} has link type ${linkType}, which is not Ethernet: it cannot be sent`, 'frames');
}
