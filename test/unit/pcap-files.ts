/** Capture files written by hand, in either byte order, from the formats' descriptions: nothing here is the package's own code. */
import type { Context } from 'mocha';
import { spawnSync } from 'node:child_process';
import { skip } from '../support/skip';

/** Skips the suite when a tool that judges it is missing. */
export function needTools(context: Context, ...tools: string[]): void {
  for (const tool of tools) if (spawnSync(tool, ['--version']).error) skip(context, `${tool} is not installed`);
}

/** Numbers to bytes. `words('be', [u32(1), u16(2)])` */
export type Field = (littleEndian: boolean) => Buffer;
export type Order = 'le' | 'be';

const field =
  (size: 1 | 2 | 4 | 8, value: number | bigint): Field =>
  (littleEndian) => {
    const bytes = Buffer.alloc(size);
    let rest = BigInt.asUintN(size * 8, BigInt(value));
    for (let i = 0; i < size; i++, rest >>= 8n) bytes[littleEndian ? i : size - 1 - i] = Number(rest & 0xffn);
    return bytes;
  };
export const u8 = (value: number): Field => field(1, value);
export const u16 = (value: number): Field => field(2, value);
export const u32 = (value: number): Field => field(4, value);
export const u64 = (value: bigint): Field => field(8, value);
export const raw =
  (bytes: Uint8Array | string): Field =>
  () =>
    Buffer.from(bytes as Uint8Array);
/** Filled up to 32 bits. */
export const filled = (bytes: Uint8Array): Field => raw(Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]));

export function words(order: Order, fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map((write) => write(order === 'le')));
}

export interface PcapRecord {
  data: Uint8Array;
  sec: number;
  fraction: number;
  originalLength?: number;
}

export interface PcapShape {
  order?: Order;
  magic?: number;
  version?: [number, number];
  /** The whole link-type word. */
  link?: number;
}

export const MICROSECONDS = 0xa1b2c3d4;
export const NANOSECONDS = 0xa1b23c4d;

export function pcap(
  records: readonly PcapRecord[],
  { order = 'le', magic = MICROSECONDS, version = [2, 4], link = 1 }: PcapShape = {},
): Buffer {
  const header = [u32(magic), u16(version[0]), u16(version[1]), u32(0), u32(0), u32(262_144), u32(link)];
  const body = records.flatMap(({ data, sec, fraction, originalLength }) => [
    u32(sec),
    u32(fraction),
    u32(data.length),
    u32(originalLength ?? data.length),
    raw(data),
  ]);
  return words(order, [...header, ...body]);
}

/** The blocks of one section in one byte order. */
export class Section {
  readonly #order: Order;

  constructor(order: Order = 'le') {
    this.#order = order;
  }

  block(type: number, fields: readonly Field[]): Buffer {
    const body = words(this.#order, fields);
    const length = body.length + 12;
    return words(this.#order, [u32(type), u32(length), raw(body), u32(length)]);
  }

  header(options: readonly Field[] = [], version: [number, number] = [1, 0]): Buffer {
    return this.block(0x0a0d0d0a, [u32(0x1a2b3c4d), u16(version[0]), u16(version[1]), u64(-1n), ...options]);
  }

  interface(options: readonly Field[] = [], { link = 1, snapLen = 0 } = {}): Buffer {
    return this.block(1, [u16(link), u16(0), u32(snapLen), ...options]);
  }

  enhanced(
    data: Uint8Array,
    { id = 0, time = 0n, originalLength = data.length, captured = data.length, options = [] as readonly Field[] } = {},
  ): Buffer {
    return this.block(6, [u32(id), ...this.#time(time), u32(captured), u32(originalLength), filled(data), ...options]);
  }

  obsolete(data: Uint8Array, { id = 0, time = 0n, originalLength = data.length, options = [] as readonly Field[] } = {}): Buffer {
    return this.block(2, [u16(id), u16(0xffff), ...this.#time(time), u32(data.length), u32(originalLength), filled(data), ...options]);
  }

  simple(data: Uint8Array, originalLength = data.length): Buffer {
    return this.block(3, [u32(originalLength), filled(data)]);
  }

  /** The high word first, in both byte orders. */
  #time(time: bigint): Field[] {
    return [u32(Number(time >> 32n)), u32(Number(time & 0xffff_ffffn))];
  }
}

export const option =
  (code: number, value: Field, length: number): Field =>
  (littleEndian) =>
    Buffer.concat([u16(code)(littleEndian), u16(length)(littleEndian), filled(value(littleEndian))(littleEndian)]);
export const endOfOptions: Field = u32(0);
export const interfaceName = (name: string): Field => option(2, raw(name), name.length);
export const timeResolution = (value: number): Field => option(9, u8(value), 1);
export const timeOffset = (seconds: bigint): Field => option(14, u64(seconds), 8);
export const packetFlags = (flags: number): Field => option(2, u32(flags), 4);

/** An ARP request that no analyser finds fault with; `number` makes it unlike the others. */
export function arpRequest(number: number): Buffer {
  const frame = Buffer.alloc(60);
  frame.fill(0xff, 0, 6);
  frame.set([2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1], 6);
  frame.set([10, 1, (number >> 8) & 0xff, number & 0xff], 38);
  return frame;
}

/** Deterministic noise: the same seed gives the same numbers everywhere. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}
