/** Tests whose outcome is known from the way to them are skipped, and equal ends of ways become one. */
import { type Test } from './condition';
import { type Block } from './graph';
import { BPF_JEQ, BPF_JGE, BPF_JGT } from './opcodes';
import { inOrder } from './order';
import { type ValueIds } from './value-ids';

/** How many steps back are looked at: enough for what people write, and a bound for what machines do. */
const MEMORY = 64;

/** The outcome of a test on the way to a block, newest first. */
interface Fact {
  value: number;
  relation: number;
  operand: number;
  holds: boolean;
  before: Fact | null;
  /** The newest one before about another value: a long list is one step. */
  other: Fact | null;
  depth: number;
}

/** The graph with fewer tests. A load that fails refuses the packet, so only a test of what has been loaded before is skipped. */
export function simplify(entry: Block, ids: ValueIds): Block {
  skipKnown(entry, ids);
  return merge(entry, ids);
}

function skipKnown(entry: Block, ids: ValueIds): void {
  // What is known on every way to a block.
  const known = new Map<Block, Fact | null>([[entry, null]]);
  const follow = (from: Block, facts: Fact | null): Block => {
    let block = from;
    for (let outcome = decided(block.test, facts, ids); outcome !== null; outcome = decided(block.test, facts, ids))
      block = outcome ? block.yes : block.no;
    if (block.test !== null) known.set(block, known.has(block) ? common(known.get(block) ?? null, facts) : facts);
    return block;
  };
  for (const block of inOrder(entry)) {
    const { test } = block;
    // Every way to it has been skipped.
    if (test === null || !known.has(block)) continue;
    const facts = known.get(block) ?? null;
    block.yes = follow(block.yes, learned(test, true, facts, ids));
    block.no = follow(block.no, learned(test, false, facts, ids));
  }
}

function learned({ left, relation, right }: Test, outcome: boolean, before: Fact | null, ids: ValueIds): Fact | null {
  if (right.kind !== 'number') return before;
  const value = ids.of(left);
  const other = before?.value === value ? before.other : before;
  return { value, relation, operand: right.value, holds: outcome, before, other, depth: before === null ? 1 : before.depth + 1 };
}

/** The outcome of a test after what is known; null: it has to be asked. */
function decided(test: Test | null, facts: Fact | null, ids: ValueIds): boolean | null {
  if (test === null || test.right.kind !== 'number') return null;
  const value = ids.of(test.left);
  const { relation, right } = test;
  let fact = facts;
  for (let steps = 0; fact !== null && steps < MEMORY; fact = fact.value === value ? fact.before : fact.other, steps++) {
    if (fact.value !== value) continue;
    if (fact.relation === BPF_JEQ && fact.holds) return holds(relation, fact.operand, right.value);
    if (fact.relation === relation && fact.operand === right.value) return fact.holds;
    // It cannot be equal to something of which the fact would not be true.
    if (relation === BPF_JEQ && holds(fact.relation, right.value, fact.operand) !== fact.holds) return false;
  }
  return null;
}

function holds(relation: number, value: number, operand: number): boolean {
  if (relation === BPF_JEQ) return value === operand;
  if (relation === BPF_JGT) return value > operand;
  return relation === BPF_JGE ? value >= operand : (value & operand) !== 0;
}

/** What two ways have in common: the part before they parted. */
function common(a: Fact | null, b: Fact | null): Fact | null {
  let [left, right] = [a, b];
  while (left !== right) {
    if (left === null || right === null) return null;
    if (left.depth >= right.depth) left = left.before;
    else right = right.before;
  }
  return left;
}

function refuses({ test, accepts }: Block): boolean {
  return test === null && !accepts;
}

/** Blocks that ask the same and go on to the same become one. */
function merge(entry: Block, ids: ValueIds): Block {
  const numbers = new Map<Block, number>();
  const unique = new Map<string, Block>();
  const become = new Map<Block, Block>();
  for (const block of inOrder(entry).reverse()) {
    block.yes = become.get(block.yes) ?? block.yes;
    block.no = become.get(block.no) ?? block.no;
    const { test } = block;
    // Whatever its outcome: a load that fails refuses as well.
    if (test !== null && block.yes === block.no && refuses(block.yes)) {
      become.set(block, block.yes);
      continue;
    }
    const key =
      test === null
        ? `end ${block.accepts}`
        : `${test.relation} ${ids.of(test.left)} ${ids.of(test.right)} ${numbers.get(block.yes)} ${numbers.get(block.no)}`;
    const same = unique.get(key) ?? block;
    unique.set(key, same);
    become.set(block, same);
    if (!numbers.has(same)) numbers.set(same, numbers.size);
  }
  return become.get(entry) ?? entry;
}
