/** A graph as instructions: jumps go forward, and one that is too far for its 8 bits goes by way of a trampoline. */
import { type BpfInsn } from '../options/filter-program';
import { type Test } from './condition';
import { Evaluator, UNKNOWN, type Registers } from './evaluate';
import { type Block } from './graph';
import { BPF_JA, BPF_JMP, BPF_RET, BPF_X } from './opcodes';
import { inOrder } from './order';
import { type ValueIds } from './value-ids';

/** What an accepted packet may have at most, as tcpdump says it: all of it. */
const ACCEPT = 262_144;

const FARTHEST = 255;

/** A block with its instructions: those before its jump, and the jump, or a return. */
interface Piece {
  block: Block;
  body: readonly BpfInsn[];
}

export function assemble(entry: Block, ids: ValueIds): BpfInsn[] {
  const order = inOrder(entry);
  const pieces = write([...order.filter(({ test }) => test !== null), ...order.filter(({ test }) => test === null)], ids);
  return link(pieces);
}

/** Loads that every way to a block has done are not done again. */
function write(order: readonly Block[], ids: ValueIds): Piece[] {
  const before = new Map<Block, Registers>();
  const arrive = (block: Block, registers: Registers): void => {
    const others = before.get(block);
    before.set(
      block,
      others === undefined
        ? registers
        : { a: others.a === registers.a ? registers.a : null, x: others.x === registers.x ? registers.x : null },
    );
  };
  return order.map((block) => {
    const writer = new Evaluator(ids, before.get(block) ?? UNKNOWN);
    if (block.test === null) {
      writer.emit(BPF_RET, block.accepts ? ACCEPT : 0);
    } else {
      writeTest(writer, block.test);
      arrive(block.yes, writer.registers);
      arrive(block.no, writer.registers);
    }
    return { block, body: writer.instructions };
  });
}

/** The jump itself comes last; where it goes is filled in later. */
function writeTest(writer: Evaluator, { relation, left, right }: Test): void {
  if (right.kind === 'number') {
    writer.intoA(left);
    writer.emit(BPF_JMP | relation, right.value);
  } else {
    writer.intoBoth(left, right);
    writer.emit(BPF_JMP | BPF_X | relation);
  }
}

/** From the last block to the first, so that every distance is known when it is needed. The result is built backwards. */
function link(pieces: readonly Piece[]): BpfInsn[] {
  const backwards: BpfInsn[] = [];
  /** How many instructions there are from the beginning of a block to the end. */
  const lengths = new Map<Block, number>();
  for (const { block, body } of [...pieces].reverse()) {
    const jump = body.at(-1) as BpfInsn;
    if (block.test === null) {
      backwards.push(jump);
    } else {
      const distance = (to: Block): number => backwards.length - (lengths.get(to) as number);
      backwards.push(...withTrampolines(jump, distance(block.yes), distance(block.no)).reverse());
      backwards.push(...body.slice(0, -1).reverse());
    }
    lengths.set(block, backwards.length);
  }
  return backwards.reverse();
}

/** The jump and the unconditional ones behind it that carry it on. The distances are those without them. */
function withTrampolines(jump: BpfInsn, yes: number, no: number): BpfInsn[] {
  const always = (k: number): BpfInsn => ({ code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k });
  if (yes <= FARTHEST && no <= FARTHEST) return [{ ...jump, jt: yes, jf: no }];
  if (no > yes && yes + 1 <= FARTHEST) return [{ ...jump, jt: yes + 1, jf: 0 }, always(no)];
  if (yes > no && no + 1 <= FARTHEST) return [{ ...jump, jt: 0, jf: no + 1 }, always(yes)];
  return [{ ...jump, jt: 0, jf: 1 }, always(yes + 1), always(no)];
}
