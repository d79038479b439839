/** One block of a pcapng file, bounds-checked. */
import { invalidFile, truncatedFile } from './file-error';
import { MAX_BLOCK_LENGTH } from './limits';
import { BLOCK_OVERHEAD, BYTE_ORDER_MAGIC, Block, OPTION_HEADER, Option, padded } from './pcapng-format';

/** Type and length; the body follows. */
const BLOCK_HEAD = 8;
const LITTLE_ENDIAN_MAGIC = 0x4d3c2b1a;

/** Positions are counted from the start of the body. Reading beyond what `require` has asked for throws RangeError at the end of the file only. */
export class BlockBody {
  readonly #file: DataView;
  readonly #start: number;
  readonly littleEndian: boolean;
  readonly type: number;
  /** Bytes of the body. */
  readonly length: number;

  private constructor(file: DataView, offset: number, littleEndian: boolean, blockLength: number) {
    this.#file = file;
    this.#start = offset + BLOCK_HEAD;
    this.littleEndian = littleEndian;
    this.type = file.getUint32(offset, littleEndian);
    this.length = blockLength - BLOCK_OVERHEAD;
  }

  /** The block at `offset`; a section header brings its own byte order, all others have that of their section. */
  static at(file: DataView, offset: number, littleEndian: boolean): BlockBody {
    const present = file.byteLength - offset;
    if (present < BLOCK_OVERHEAD) throw truncatedFile(offset, 'a block', BLOCK_OVERHEAD, present);
    const order = file.getUint32(offset) === Block.SectionHeader ? sectionIsLittleEndian(file, offset) : littleEndian;
    const length = file.getUint32(offset + 4, order);
    if (length < BLOCK_OVERHEAD || length % 4 !== 0) throw invalidFile(offset + 4, `${length} is no length of a block`);
    if (length > MAX_BLOCK_LENGTH) throw invalidFile(offset + 4, `a block claims ${length} bytes, the limit is ${MAX_BLOCK_LENGTH}`);
    if (length > present) throw truncatedFile(offset, 'a block', length, present);
    const again = file.getUint32(offset + length - 4, order);
    if (again !== length) throw invalidFile(offset + length - 4, `a block of ${length} bytes ends with the length ${again}`);
    return new BlockBody(file, offset, order, length);
  }

  /** Offset of a position in the file. */
  offsetOf(at: number): number {
    return this.#start + at;
  }

  /** Offset of the next block. */
  get next(): number {
    return this.#start + this.length + 4;
  }

  u8(at: number): number {
    return this.#file.getUint8(this.#start + at);
  }
  u16(at: number): number {
    return this.#file.getUint16(this.#start + at, this.littleEndian);
  }
  u32(at: number): number {
    return this.#file.getUint32(this.#start + at, this.littleEndian);
  }
  i64(at: number): number {
    return Number(this.#file.getBigInt64(this.#start + at, this.littleEndian));
  }
  text(at: number, length: number): string {
    return Buffer.from(this.#file.buffer, this.#file.byteOffset + this.#start + at, length).toString();
  }

  /** Makes sure that the body begins with so many bytes. */
  require(length: number, what: string): void {
    if (this.length < length) throw invalidFile(this.#start, `${what} has ${this.length} bytes, it needs ${length}`);
  }

  /** Visits the options that stand at the end of the body from `at` on. */
  options(at: number, visit: (code: number, at: number, length: number) => void): void {
    for (let length; at + OPTION_HEADER <= this.length; at += OPTION_HEADER + padded(length)) {
      const code = this.u16(at);
      length = this.u16(at + 2);
      if (code === Option.End) return;
      const room = this.length - at - OPTION_HEADER;
      if (length > room) throw invalidFile(this.offsetOf(at), `option ${code} claims ${length} bytes, its block has ${room} left`);
      visit(code, at + OPTION_HEADER, length);
    }
  }

  /** Makes sure that the value of an option has the one length it can have. */
  requireOption(code: number, at: number, length: number, expected: number): void {
    if (length !== expected)
      throw invalidFile(this.offsetOf(at - OPTION_HEADER), `option ${code} has ${length} bytes, it needs ${expected}`);
  }
}

function sectionIsLittleEndian(file: DataView, offset: number): boolean {
  const magic = file.getUint32(offset + BLOCK_HEAD);
  if (magic === BYTE_ORDER_MAGIC) return false;
  if (magic === LITTLE_ENDIAN_MAGIC) return true;
  throw invalidFile(offset + BLOCK_HEAD, `byte-order magic 0x${magic.toString(16).padStart(8, '0')} is not 0x1a2b3c4d`);
}
