/** The block of a pcapng file that a parser stands on, bounds-checked. One object moves over all of them. */
import { invalidFile } from './file-error';
import { FileWindow, type Shortage } from './file-window';
import { MAX_BLOCK_LENGTH } from './limits';
import { BLOCK_OVERHEAD, BYTE_ORDER_MAGIC, Block, OPTION_HEADER, Option, padded } from './pcapng-format';

/** Type and length; the body follows. */
const BLOCK_HEAD = 8;
const LITTLE_ENDIAN_MAGIC = 0x4d3c2b1a;

/** Positions are counted from the start of the body. Reading beyond what `require` has asked for throws RangeError at the end of the window only. */
export class BlockBody {
  #window = new FileWindow(new Uint8Array(0), 0);
  /** For what is read of every packet: a call of `u32` a word costs more than all else. */
  view = this.#window.view;
  /** Where the body begins in `view`. */
  start = 0;
  littleEndian = true;
  type = 0;
  /** Bytes of the body. */
  length = 0;
  /** Why `enter` returned false. */
  shortage: Shortage = { what: 'a block', needed: BLOCK_OVERHEAD };
  /** The option that `nextOption` has come to: its code, and the position and length of its value. */
  optionCode = 0;
  optionAt = 0;
  optionLength = 0;
  #optionEnd = 0;

  /** Moves to the block at position `at` of the window; a section header brings its own byte order. False when not all of it is there yet. */
  enter(window: FileWindow, at: number): boolean {
    const { view, base } = window;
    const present = view.byteLength - at;
    if (present < BLOCK_OVERHEAD) return this.#short(BLOCK_OVERHEAD);
    if (view.getUint32(at) === Block.SectionHeader) this.littleEndian = sectionIsLittleEndian(window, at);
    const { littleEndian } = this;
    const length = view.getUint32(at + 4, littleEndian);
    if (length < BLOCK_OVERHEAD || length % 4 !== 0) throw invalidFile(base + at + 4, `${length} is no length of a block`);
    if (length > MAX_BLOCK_LENGTH) throw invalidFile(base + at + 4, `a block claims ${length} bytes, the limit is ${MAX_BLOCK_LENGTH}`);
    if (length > present) return this.#short(length);
    const again = view.getUint32(at + length - 4, littleEndian);
    if (again !== length) throw invalidFile(base + at + length - 4, `a block of ${length} bytes ends with the length ${again}`);
    this.#window = window;
    this.view = view;
    this.start = at + BLOCK_HEAD;
    this.type = view.getUint32(at, littleEndian);
    this.length = length - BLOCK_OVERHEAD;
    return true;
  }

  /** Offset of the block in the file. */
  get blockOffset(): number {
    return this.offsetOf(-BLOCK_HEAD);
  }
  /** Offset of a position in the file. */
  offsetOf(at: number): number {
    return this.#window.base + this.start + at;
  }
  /** Where the next block stands in the window. */
  get next(): number {
    return this.start + this.length + 4;
  }

  u8(at: number): number {
    return this.view.getUint8(this.start + at);
  }
  u16(at: number): number {
    return this.view.getUint16(this.start + at, this.littleEndian);
  }
  u32(at: number): number {
    return this.view.getUint32(this.start + at, this.littleEndian);
  }
  i64(at: number): number {
    return Number(this.view.getBigInt64(this.start + at, this.littleEndian));
  }
  u64(at: number): number {
    return Number(this.view.getBigUint64(this.start + at, this.littleEndian));
  }
  text(at: number, length: number): string {
    const start = this.start + at;
    return Buffer.from(this.#window.bytes.subarray(start, start + length)).toString();
  }

  /** Makes sure that the body begins with so many bytes. */
  require(length: number, what: string): void {
    if (this.length < length) throw invalidFile(this.offsetOf(0), `${what} has ${this.length} bytes, it needs ${length}`);
  }

  /** The options that stand at the end of the body begin at `at`. */
  beginOptions(at: number): void {
    this.#optionEnd = at;
  }

  /** Moves to the next option. False when there is none. */
  nextOption(): boolean {
    const at = this.#optionEnd;
    if (at + OPTION_HEADER > this.length) return false;
    const { view, start, littleEndian } = this;
    const code = view.getUint16(start + at, littleEndian);
    const length = view.getUint16(start + at + 2, littleEndian);
    if (code === Option.End) return false;
    const room = this.length - at - OPTION_HEADER;
    if (length > room) throw invalidFile(this.offsetOf(at), `option ${code} claims ${length} bytes, its block has ${room} left`);
    this.optionCode = code;
    this.optionAt = at + OPTION_HEADER;
    this.optionLength = length;
    this.#optionEnd = this.optionAt + padded(length);
    return true;
  }

  /** Makes sure that the value of the option has the one length it can have. */
  requireOption(expected: number): void {
    if (this.optionLength !== expected)
      throw invalidFile(
        this.offsetOf(this.optionAt - OPTION_HEADER),
        `option ${this.optionCode} has ${this.optionLength} bytes, it needs ${expected}`,
      );
  }

  #short(needed: number): false {
    this.shortage = { what: 'a block', needed };
    return false;
  }
}

function sectionIsLittleEndian({ view, base }: FileWindow, at: number): boolean {
  const magic = view.getUint32(at + BLOCK_HEAD);
  if (magic === BYTE_ORDER_MAGIC) return false;
  if (magic === LITTLE_ENDIAN_MAGIC) return true;
  throw invalidFile(base + at + BLOCK_HEAD, `byte-order magic 0x${magic.toString(16).padStart(8, '0')} is not 0x1a2b3c4d`);
}
