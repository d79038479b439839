/** Instructions that take a value into the accumulator. */
import type { BpfInsn } from './instruction';
import { type Load, type Value } from './condition';
import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_IMM,
  BPF_IND,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_MEM,
  BPF_MISC,
  BPF_MSH,
  BPF_NEG,
  BPF_SIZE,
  BPF_ST,
  BPF_X,
  SKF_AD_OFF,
} from './opcodes';
import { type ValueIds } from './value-ids';

/** Of a register: what it holds is not known. */
export const UNKNOWN = -1;

/** Writes the instructions of one block after the other. */
export class Evaluator {
  instructions: BpfInsn[] = [];
  /** The number of the value that A holds. */
  a = UNKNOWN;
  /** The IPv4 header whose length X holds. */
  x = UNKNOWN;

  constructor(private readonly ids: ValueIds) {}

  /** The next block, with what the registers hold before it. */
  begin(a: number, x: number): void {
    this.instructions = [];
    this.a = a;
    this.x = x;
  }

  emit(code: number, k = 0, jt = 0, jf = 0): void {
    this.instructions.push({ code, jt, jf, k: k >>> 0 });
  }

  /** Two values at once: `left` into A, `right` into X. `word` is the first free one of the scratch memory. */
  intoBoth(left: Value, right: Value, word = 0): void {
    if (right.kind === 'length') {
      this.intoA(left, word);
      this.emit(BPF_LDX | BPF_LEN);
    } else if (Math.max(words(right), words(left) + 1) <= Math.max(words(left), words(right) + 1)) {
      this.intoA(right, word);
      this.emit(BPF_ST, word);
      this.intoA(left, word + 1);
      this.emit(BPF_LDX | BPF_MEM, word);
    } else {
      this.intoA(left, word);
      this.emit(BPF_ST, word);
      this.intoA(right, word + 1);
      this.emit(BPF_MISC);
      this.emit(BPF_LD | BPF_MEM, word);
      this.a = this.ids.of(left);
    }
    this.x = UNKNOWN;
  }

  intoA(value: Value, word = 0): void {
    const id = this.ids.of(value);
    if (this.a === id) return;
    switch (value.kind) {
      case 'number':
        this.emit(BPF_LD | BPF_IMM, value.value);
        break;
      case 'length':
        this.emit(BPF_LD | BPF_LEN);
        break;
      case 'ancillary':
        this.emit(BPF_LD | BPF_ABS, SKF_AD_OFF + value.which);
        break;
      case 'load':
        this.#load(value, word);
        break;
      case 'negate':
        this.intoA(value.of, word);
        this.emit(BPF_ALU | BPF_NEG);
        break;
      case 'calculate':
        if (value.right.kind === 'number') {
          this.intoA(value.left, word);
          this.emit(BPF_ALU | value.operation, value.right.value);
        } else {
          this.intoBoth(value.left, value.right, word);
          this.emit(BPF_ALU | BPF_X | value.operation);
        }
    }
    this.a = id;
  }

  #load({ size, offset, header, index }: Load, word: number): void {
    const code = BPF_LD | BPF_SIZE[size];
    if (index === null) {
      if (header === null) return this.emit(code | BPF_ABS, offset);
      if (this.x !== header) this.emit(BPF_LDX | BPF_SIZE[1] | BPF_MSH, header);
      this.x = header;
      return this.emit(code | BPF_IND, offset);
    }
    this.intoA(index, word);
    if (header !== null) {
      if (this.x !== header) this.emit(BPF_LDX | BPF_SIZE[1] | BPF_MSH, header);
      this.emit(BPF_ALU | BPF_X | BPF_ADD);
    }
    this.emit(BPF_MISC);
    this.emit(code | BPF_IND, offset);
    this.x = UNKNOWN;
  }
}

/** How many words of scratch memory a value takes (Sethi and Ullman): at most the logarithm of its operands. */
function words(value: Value): number {
  switch (value.kind) {
    case 'load':
      return value.index === null ? 0 : words(value.index);
    case 'negate':
      return words(value.of);
    case 'calculate': {
      if (value.right.kind === 'number' || value.right.kind === 'length') return words(value.left);
      const [left, right] = [words(value.left), words(value.right)];
      return Math.max(Math.max(left, right), Math.min(left, right) + 1);
    }
    default:
      return 0;
  }
}
