/**
 * What an inject-out node takes as frames.
 *
 * Values made in a function node belong to another realm, where `instanceof` of this one is always false: only tests that look at the value itself.
 */
import { isUint8Array } from 'node:util/types';
import { isPacketBatch, PacketBatch, sliceBatch } from '../../src/batches/batch';
import type { FrameLike } from '../../src/batches/columns';
import { NetringError } from '../../src/errors/errors';
import { isEthernet } from '../../src/interfaces/link-types';
import { notSendable } from '../../src/sending/frame-input';
import type { PacketStatus, Timestamp } from '../../src/batches/packet';
import { milliseconds, type PacedFrames } from '../../src/replay/pacer';
import { shown } from './control';

/** Frames of one message, in order. */
export interface Frames extends PacedFrames {
  /** Sum of the frames' lengths. */
  readonly byteLength: number;
  /** Where the run that holds frame `i` ends: `slice` does not cross it. */
  runEnd(i: number): number;
  slice(first: number, end: number): PacketBatch | readonly Uint8Array[];
  /** What the sender of the message calls frame `i`. */
  nameOf(i: number): string;
}

export interface Input {
  frames: Frames;
  /** Elements that are no frames at all. */
  refused: number;
  /** What is wrong with the first of them, or with the file. */
  problem: Error | undefined;
}

/** The frames of a payload. Never throws on what a flow may contain. */
export function framesOf(payload: unknown, packet?: unknown): Input {
  if (isPacketBatch(payload)) {
    if (isEthernet(payload.linkType)) return { frames: new BatchFrames([payload]), refused: 0, problem: undefined };
    return { frames: new BatchFrames([]), refused: payload.length, problem: notSendable('payload', payload.linkType) };
  }
  if (Array.isArray(payload)) return framesOfArray(payload as unknown[]);
  // A packet of the one-message-per-packet form: its metadata stands beside the payload.
  const whole = isUint8Array(payload) && isObject(packet) ? { ...packet, data: payload } : payload;
  const frame = frameOf(whole);
  if (frame === undefined) return { frames: new ListFrames([], []), refused: 1, problem: refuse('payload', whole) };
  return { frames: new ListFrames([frame], ['payload']), refused: 0, problem: undefined };
}

function framesOfArray(payload: readonly unknown[]): Input {
  const good: ListFrame[] = [];
  const names: string[] = [];
  let problem: Error | undefined;
  // Not forEach: it skips the holes of a sparse array.
  for (let i = 0; i < payload.length; i++) {
    const frame = frameOf(payload[i]);
    if (frame === undefined) {
      problem ??= refuse(`payload[${i}]`, payload[i]);
      continue;
    }
    good.push(frame);
    names.push(`payload[${i}]`);
  }
  return { frames: new ListFrames(good, names), refused: payload.length - good.length, problem };
}

function refuse(name: string, value: unknown): Error {
  if (isObject(value) && isUint8Array(value['data'])) return notSendable(name, value['linkType'] as number);
  const what =
    isObject(value) && !ArrayBuffer.isView(value) && !Array.isArray(value)
      ? `an object whose data is ${shown(value['data'])}`
      : shown(value);
  return new TypeError(
    `${name} is ${what}: a frame is a Buffer, a Uint8Array or a packet object with such data, or payload is a PacketBatch`,
  );
}

/** A frame with what its packet object tells that matters for sending. */
interface ListFrame {
  data: Uint8Array;
  status?: PacketStatus;
  timestamp?: Timestamp;
}

function frameOf(value: unknown): ListFrame | undefined {
  if (isUint8Array(value)) return { data: value };
  if (!isObject(value) || !isUint8Array(value['data'])) return undefined;
  const { data, status, timestamp, linkType } = value;
  if (typeof linkType === 'number' && !isEthernet(linkType)) return undefined;
  return {
    data,
    ...(isObject(status) ? { status: status as unknown as PacketStatus } : {}),
    ...(isTimestamp(timestamp) ? { timestamp } : {}),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isTimestamp(value: unknown): value is Timestamp {
  return isObject(value) && Number.isFinite(value['sec']) && Number.isFinite(value['nsec']);
}

/** Frames given one by one. */
class ListFrames implements Frames {
  readonly byteLength: number;
  readonly #frames: readonly ListFrame[];
  readonly #names: readonly string[];

  constructor(frames: readonly ListFrame[], names: readonly string[]) {
    this.#frames = frames;
    this.#names = names;
    this.byteLength = frames.reduce((sum, { data }) => sum + data.byteLength, 0);
  }

  get length(): number {
    return this.#frames.length;
  }
  lengthAt(i: number): number {
    return this.#frames[i]!.data.byteLength;
  }
  timeAt(i: number): number | undefined {
    const { timestamp } = this.#frames[i]!;
    return timestamp && milliseconds(timestamp);
  }
  runEnd(): number {
    return this.length;
  }
  nameOf(i: number): string {
    return this.#names[i]!;
  }
  slice(first: number, end: number): PacketBatch | readonly Uint8Array[] {
    const frames = this.#frames.slice(first, end);
    // Only a batch carries the status that says which checksums are unfinished.
    if (frames.some(({ status }) => status?.csumNotReady === true)) return PacketBatch.toSend(frames as FrameLike[]);
    return frames.map(({ data }) => data);
  }
}

/** The frames of batches, one after the other. */
export class BatchFrames implements Frames {
  readonly length: number;
  readonly byteLength: number;
  readonly #batches: readonly PacketBatch[];
  /** Number of the first frame of each batch. */
  readonly #starts: number[] = [];
  /** The batch that was asked for last: access is in order. */
  #at = 0;

  constructor(batches: readonly PacketBatch[]) {
    this.#batches = batches.filter(({ length }) => length > 0);
    let length = 0;
    let bytes = 0;
    for (const batch of this.#batches) {
      this.#starts.push(length);
      length += batch.length;
      bytes += batch.byteLength;
    }
    this.length = length;
    this.byteLength = bytes;
  }

  lengthAt(i: number): number {
    return this.#batchOf(i).lengthAt(i - this.#starts[this.#at]!);
  }
  timeAt(i: number): number {
    return milliseconds(this.#batchOf(i).timestampAt(i - this.#starts[this.#at]!));
  }
  runEnd(i: number): number {
    return this.#batchOf(i).length + this.#starts[this.#at]!;
  }
  nameOf(i: number): string {
    return `packet ${i}`;
  }
  slice(first: number, end: number): PacketBatch {
    const batch = this.#batchOf(first);
    const start = this.#starts[this.#at]!;
    return sliceBatch(batch, first - start, end - start);
  }

  #batchOf(i: number): PacketBatch {
    while (i < this.#starts[this.#at]!) this.#at--;
    while (this.#at + 1 < this.#starts.length && i >= this.#starts[this.#at + 1]!) this.#at++;
    const batch = this.#batches[this.#at];
    if (batch === undefined) throw NetringError.io('ENXIO', `no frame ${i}`);
    return batch;
  }
}
