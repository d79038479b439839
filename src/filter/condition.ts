/** What a filter asks of a packet: conditions over values, in the order in which they are asked. */
import { FilterError, SHORTER_HINT } from './filter-error';
import { BPF_AND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET } from './opcodes';

export type Size = 1 | 2 | 4;

/**
 * Expressions with more tests are refused before their graph is built: the runtime stands still while an expression is compiled, and a short text can
 * ask for many. It is four times what the kernel takes as instructions; of a long expression most tests remain.
 */
const MAX_TESTS = 16_384;

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
  right: number | Value;
}

export type Joint = 'and' | 'or';

export type Condition =
  | { kind: 'constant'; holds: boolean }
  | Test
  | { kind: 'not'; of: Condition }
  /** Joined from left to right without rank: by one joint, or each part to those before it by its own. What is decided is not asked. */
  | { kind: 'chain'; parts: readonly Condition[]; joints: Joint | readonly Joint[]; tests: number }
  /** `then` is asked where `if` holds, `else` where it does not. */
  | { kind: 'either'; if: Condition; then: Condition; else: Condition }
  /** Holds. From here on the shifted loads are 4 bytes further on. */
  | { kind: 'shift' };

export const TRUE: Condition = { kind: 'constant', holds: true };
export const FALSE: Condition = { kind: 'constant', holds: false };

export function test(relation: number, left: Value, right: number | Value): Test {
  return { kind: 'test', relation, left, right: typeof right !== 'number' && right.kind === 'number' ? right.value : right };
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

/** Parts and what joins them; nothing holds. Throws FilterError for more tests than are compiled. */
export function chain(joints: Joint | readonly Joint[], parts: readonly Condition[]): Condition {
  if (parts.length < 2) return parts[0] ?? TRUE;
  let tests = 0;
  for (const part of parts) tests += testsOf(part);
  assertTests(tests);
  return { kind: 'chain', parts, joints, tests };
}

/** One of what is made of some values. Throws FilterError as soon as it is more than is compiled. */
export function oneOfEach<T>(values: readonly T[], make: (value: T) => Condition): Condition {
  const parts: Condition[] = [];
  let tests = 0;
  for (const value of values) {
    const part = make(value);
    assertTests((tests += testsOf(part)));
    parts.push(part);
  }
  return chain('or', parts);
}

export function assertTests(tests: number): void {
  if (tests > MAX_TESTS)
    throw new FilterError(
      1,
      `the expression takes more than ${MAX_TESTS} tests of a packet, and the kernel takes 4096 instructions`,
      SHORTER_HINT,
    );
}

/** How many tests a condition has. */
export function testsOf(condition: Condition): number {
  switch (condition.kind) {
    case 'test':
      return 1;
    case 'not':
      return testsOf(condition.of);
    case 'chain':
      return condition.tests;
    case 'either':
      return testsOf(condition.if) + testsOf(condition.then) + testsOf(condition.else);
    default:
      return 0;
  }
}
