/** Where in a batch a bound lies. */
import { batchMemory, type PacketBatch } from '../batches/batch';
import { RECORD_WORDS, Word } from '../native';
import type { Timestamp } from '../batches/packet';

const SECOND_NS = 1_000_000_000;

/** Index of the first packet from `first` on that does not fit any more when each takes `lengthOf(captured)` of `room` bytes. */
export function endOfRoom(batch: PacketBatch, first: number, room: number, lengthOf: (captured: number) => number): number {
  const { index } = batchMemory(batch);
  for (let i = first; i < batch.length; i++) {
    room -= lengthOf(index[i * RECORD_WORDS + Word.Length]!);
    if (room < 0) return i;
  }
  return batch.length;
}

/** Index of the first packet from `first` on whose time is `limit` or later. */
export function firstAt(batch: PacketBatch, first: number, limit: Timestamp): number {
  const { index } = batchMemory(batch);
  for (let i = first; i < batch.length; i++) if (!isBefore(index, i, limit)) return i;
  return batch.length;
}

/** Whether the time of packet `i` of an index is earlier than `limit`. */
export function isBefore(index: Uint32Array, i: number, { sec, nsec }: Timestamp): boolean {
  const its = index[i * RECORD_WORDS + Word.Seconds]!;
  return its < sec || (its === sec && index[i * RECORD_WORDS + Word.Nanoseconds]! < nsec);
}

/** A time so many seconds later; earlier when they are negative. */
export function shifted({ sec, nsec }: Timestamp, seconds: number): Timestamp {
  const whole = Math.floor(seconds);
  const sum = nsec + Math.round((seconds - whole) * SECOND_NS);
  return { sec: sec + whole + Math.floor(sum / SECOND_NS), nsec: sum % SECOND_NS };
}
