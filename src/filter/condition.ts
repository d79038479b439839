/** What a filter asks of a packet: conditions over values, in the order in which they are asked. */
import { BPF_AND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET } from './opcodes';

export type Size = 1 | 2 | 4;

/** A number that is taken from a packet, unsigned in 32 bits. */
export type Value =
  | { kind: 'number'; value: number }
  | { kind: 'length' }
  /** `SKF_AD_OFF + which`. */
  | { kind: 'ancillary'; which: number }
  | Load
  | { kind: 'negate'; of: Value }
  /** `operation` is that of the opcode. */
  | { kind: 'calculate'; operation: number; left: Value; right: Value };

/** Bytes of the frame. */
export interface Load {
  kind: 'load';
  size: Size;
  offset: number;
  /** Behind the in-frame tag of a VLAN, if it turns out that the outer tag is not taken out: then `offset` and `header` are 4 more. */
  shifted: boolean;
  /** Where an IPv4 header begins whose length is added; null for none. */
  header: number | null;
  /** What is added besides. */
  index: Value | null;
}

export interface Test {
  kind: 'test';
  /** The opcode of the jump. */
  relation: number;
  left: Value;
  right: Value;
}

export type Condition =
  | { kind: 'constant'; holds: boolean }
  | Test
  | { kind: 'not'; of: Condition }
  /** Joined from left to right without rank. What is decided is not asked. */
  | { kind: 'chain'; first: Condition; rest: { joint: 'and' | 'or'; of: Condition }[] }
  /** `then` is asked where `if` holds, `else` where it does not. */
  | { kind: 'either'; if: Condition; then: Condition; else: Condition }
  /** Holds. From here on the shifted loads are 4 bytes further on. */
  | { kind: 'shift' };

export const TRUE: Condition = { kind: 'constant', holds: true };
export const FALSE: Condition = { kind: 'constant', holds: false };

export function test(relation: number, left: Value, right: number | Value): Test {
  return { kind: 'test', relation, left, right: typeof right === 'number' ? { kind: 'number', value: right } : right };
}

export function equals(left: Value, right: number): Condition {
  // No bit of a mask: the value itself stays in the accumulator.
  if (right === 0 && left.kind === 'calculate' && left.operation === BPF_AND && left.right.kind === 'number')
    return not(hasBit(left.left, left.right.value));
  return test(BPF_JEQ, left, right);
}

export function above(left: Value, right: number): Test {
  return test(BPF_JGT, left, right);
}

export function atLeast(left: Value, right: number): Test {
  return test(BPF_JGE, left, right);
}

/** At least one of the bits. */
export function hasBit(left: Value, bits: number): Test {
  return test(BPF_JSET, left, bits);
}

export function not(of: Condition): Condition {
  return of.kind === 'not' ? of.of : { kind: 'not', of };
}

export function all(...conditions: readonly Condition[]): Condition {
  return chain('and', conditions);
}

export function any(...conditions: readonly Condition[]): Condition {
  return chain('or', conditions);
}

function chain(joint: 'and' | 'or', conditions: readonly Condition[]): Condition {
  const [first = TRUE, ...rest] = conditions;
  return rest.length === 0 ? first : { kind: 'chain', first, rest: rest.map((of) => ({ joint, of })) };
}
