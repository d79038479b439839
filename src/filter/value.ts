/** Values, folded where they are known beforehand. */
import { type Load, type Size, type Value } from './condition';
import { calculate } from './arithmetic-unit';
import { BPF_ADD, BPF_AND, BPF_MUL, BPF_OR, BPF_XOR } from './opcodes';

/** Where nothing ever is: loads there refuse a packet, on every kernel. */
const NOWHERE = 0x7ffffff0;

export function number(value: number): Value {
  return { kind: 'number', value: value >>> 0 };
}

export function load(size: Size, offset: number, more: Partial<Omit<Load, 'kind' | 'size' | 'offset'>> = {}): Value {
  const { shifted = false, header = null, index = null } = more;
  if (index?.kind !== 'number') return { kind: 'load', size, offset, shifted, header, index };
  // The machine adds in 32 bits, so that `ip[-1]` is a byte; a sum that is negative is none.
  const at = (offset + index.value) >>> 0;
  return { kind: 'load', size, offset: at > NOWHERE ? NOWHERE : at, shifted, header, index: null };
}

export function masked(value: Value, mask: number): Value {
  return mask === 0xffffffff ? value : calculated(BPF_AND, value, number(mask));
}

export function negated(of: Value): Value {
  return of.kind === 'number' ? number(-of.value) : { kind: 'negate', of };
}

/** The result of an operation. Its right side must not be a zero to divide by. */
export function calculated(operation: number, left: Value, right: Value): Value {
  if (left.kind === 'number' && right.kind === 'number') return number(calculate(operation, left.value, right.value));
  // A number on the right is an operand of the instruction.
  if (left.kind === 'number' && COMMUTES.includes(operation)) return { kind: 'calculate', operation, left: right, right: left };
  return { kind: 'calculate', operation, left, right };
}

const COMMUTES = [BPF_ADD, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR];
