/** A graph as instructions: jumps go forward, and one that is too far for its 8 bits goes by way of an island. */
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

/** From the last block to the first, so that every distance is known when it is needed. */
function link(pieces: readonly Piece[]): BpfInsn[] {
  const output = new Backwards();
  for (const { block, body } of [...pieces].reverse()) {
    const jump = body.at(-1) as BpfInsn;
    output.push(block.test === null ? jump : jumpTo(output, jump, block.yes, block.no));
    for (const instruction of body.slice(0, -1).reverse()) output.push(instruction);
    output.mark(block);
  }
  return output.program;
}

/** The jump to two blocks. What is too far gets an island behind the jump that goes on to it. */
function jumpTo(output: Backwards, jump: BpfInsn, yes: Block, no: Block): BpfInsn {
  const distances = (): [number, number] => [output.distance(yes), output.distance(no)];
  for (let [jt, jf] = distances(); ; [jt, jf] = distances()) {
    if (jt <= FARTHEST && jf <= FARTHEST) return { ...jump, jt, jf };
    output.island(jt > jf ? yes : no);
  }
}

/** A program that is written from its end. */
class Backwards {
  readonly #instructions: BpfInsn[] = [];
  /** How far from the end a block begins, or the nearest island that leads to it. */
  readonly #entries = new Map<Block, number>();

  get program(): BpfInsn[] {
    return this.#instructions.reverse();
  }

  push(instruction: BpfInsn): void {
    this.#instructions.push(instruction);
  }

  /** What has been written last is where `block` begins. */
  mark(block: Block): void {
    this.#entries.set(block, this.#instructions.length);
  }

  /** From here, how many instructions stand before `block`. */
  distance(block: Block): number {
    return this.#instructions.length - (this.#entries.get(block) as number);
  }

  /** Another way into `block` at this place; those that come before it use it too. */
  island(block: Block): void {
    const { test, accepts } = block;
    this.push(
      test === null
        ? { code: BPF_RET, jt: 0, jf: 0, k: accepts ? ACCEPT : 0 }
        : { code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: this.distance(block) },
    );
    this.mark(block);
  }
}
