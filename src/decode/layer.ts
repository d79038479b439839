/** What the layers of a decoded frame have in common: where they stand, and reading that never leaves the frame. */
import { inspect } from 'node:util';
import { hexText, ipv4Text, ipv6Text, macText } from './text';

/** @internal One frame inside the memory of a batch. */
export interface FrameBytes {
  readonly bytes: Uint8Array;
  /** Where the frame begins in `bytes`. */
  readonly start: number;
  /** Captured length. */
  readonly length: number;
}

/** What every layer tells about itself. The flags are left out of JSON while they are false. */
export interface LayerFields {
  /** Where its header begins, in bytes from the start of the frame. */
  offset: number;
  /** Length of its header with options, in bytes, as the header itself tells. */
  headerLength: number;
  /** The header ends beyond its bytes: the capture was cut (`snapLen`), or the layer below holds fewer. What is missing reads as 0 or ''. */
  truncated?: boolean;
  /** A version or length in the header contradicts the protocol; nothing behind it is decoded. */
  malformed?: boolean;
}

/**
 * A header in a frame. Nothing is copied: every field is read from the frame when it is asked for, so it is valid as long as the frame is.
 *
 * Its fields are only declared, and set by the constructor: V8 initializes fields of a class with so many subclasses one by one in its runtime, private
 * or not, which took 1 µs a packet. Private ones would be lost in Node-RED's clone besides.
 */
export abstract class Layer implements LayerFields {
  /** Where its header begins, in bytes from the start of the frame. */
  declare readonly offset: number;
  /** @internal */
  declare protected readonly frame: FrameBytes;
  /** @internal Where what belongs to the layer ends, as an offset in the frame. */
  declare protected end: number;

  /** @internal `end` bounds what belongs to the layer: an offset in the frame, at most the frame's length. */
  constructor(frame: FrameBytes, offset: number, end: number) {
    this.offset = offset;
    this.frame = frame;
    this.end = end;
  }

  /** Length of its header with options, in bytes, as the header itself tells. */
  abstract get headerLength(): number;
  /** The fields as a plain object, which survives cloning and JSON. */
  abstract toJSON(): LayerFields;

  /** What `console.log` shows: `toJSON()`. */
  [inspect.custom](): LayerFields {
    return this.toJSON();
  }

  get truncated(): boolean {
    return this.offset + this.headerLength > this.end;
  }
  get malformed(): boolean {
    return false;
  }

  /** @internal Bytes from the beginning of the header to the end of what belongs to the layer. */
  protected get room(): number {
    return this.end - this.offset;
  }
  /** @internal The header tells itself where that ends. */
  protected endsAt(end: number): void {
    if (end < this.end) this.end = end;
  }
  /** @internal */
  protected u8(at: number): number {
    const { bytes, start } = this.frame;
    return at < this.room ? bytes[start + this.offset + at]! & 0xff : 0;
  }
  /** @internal */
  protected u16(at: number): number {
    if (at + 2 > this.room) return 0;
    const { bytes, start } = this.frame;
    const place = start + this.offset + at;
    return (bytes[place]! << 8) | bytes[place + 1]!;
  }
  /** @internal */
  protected u32(at: number): number {
    return at + 4 > this.room ? 0 : this.u16(at) * 0x1_0000 + this.u16(at + 2);
  }
  /** @internal */
  protected mac(at: number): string {
    return this.#text(macText, at, 6);
  }
  /** @internal */
  protected ipv4(at: number): string {
    return this.#text(ipv4Text, at, 4);
  }
  /** @internal */
  protected ipv6(at: number): string {
    return this.#text(ipv6Text, at, 16);
  }
  /** @internal Octets as hexadecimal. */
  protected hex(at: number, length: number, separator = ''): string {
    return this.#text((bytes, place) => hexText(bytes, place, length, separator), at, length);
  }
  /** @internal Adds to the fields of `toJSON` what is seldom so. */
  protected flagged<Fields extends LayerFields>(fields: Fields): Fields {
    if (this.truncated) fields.truncated = true;
    if (this.malformed) fields.malformed = true;
    return fields;
  }

  #text(toText: (bytes: Uint8Array, at: number) => string, at: number, length: number): string {
    return at + length > this.room ? '' : toText(this.frame.bytes, this.frame.start + this.offset + at);
  }
}
