/** A graph as instructions: jumps go forward, and one that is too far for its 8 bits goes by way of an island. */
import type { BpfInsn } from './instruction';
import { Evaluator, UNKNOWN } from './evaluate';
import { ACCEPT, inOrder, isTest, type Graph } from './graph';
import { BPF_JA, BPF_JMP, BPF_RET, BPF_X } from './opcodes';
import { type ValueIds } from './value-ids';

/** What an accepted packet may have at most, as tcpdump says it: all of it. */
const ALL = 262_144;

const FARTHEST = 255;

export function assemble(graph: Graph, ids: ValueIds): BpfInsn[] {
  const order = inOrder(graph);
  const tests = order.filter(isTest);
  const ends = order.filter((block) => !isTest(block));
  return link(graph, tests, write(graph, tests, ids), ends);
}

/** Of each test its instructions, the last of which is the jump. Loads that every way to a block has done are not done again. */
function write(graph: Graph, tests: Int32Array, ids: ValueIds): readonly (readonly BpfInsn[])[] {
  const { relation, value, operand, yes, no, size } = graph;
  const NEVER = UNKNOWN - 1;
  const a = new Int32Array(size).fill(NEVER);
  const x = new Int32Array(size).fill(NEVER);
  const writer = new Evaluator(ids);
  const arrive = (block: number): void => {
    const isFirst = a[block] === NEVER;
    if (isFirst || a[block] !== writer.a) a[block] = isFirst ? writer.a : UNKNOWN;
    if (isFirst || x[block] !== writer.x) x[block] = isFirst ? writer.x : UNKNOWN;
  };
  return Array.from(tests, (block) => {
    const isEntry = a[block] === NEVER;
    writer.begin(isEntry ? UNKNOWN : (a[block] as number), isEntry ? UNKNOWN : (x[block] as number));
    const left = ids.value(value[block] as number);
    const jump = BPF_JMP | (relation[block] as number);
    const right = operand[block] as number;
    if ((jump & BPF_X) === 0) {
      writer.intoA(left);
      writer.emit(jump, right);
    } else {
      writer.intoBoth(left, ids.value(right));
      writer.emit(jump);
    }
    arrive(yes[block] as number);
    arrive(no[block] as number);
    return writer.instructions;
  });
}

/** From the last block to the first, so that every distance is known when it is needed. */
function link({ yes, no, size }: Graph, tests: Int32Array, bodies: readonly (readonly BpfInsn[])[], ends: Int32Array): BpfInsn[] {
  const output = new Backwards(size);
  for (let index = ends.length - 1; index >= 0; index--) output.island(ends[index] as number);
  for (let index = tests.length - 1; index >= 0; index--) {
    const block = tests[index] as number;
    const body = bodies[index] as readonly BpfInsn[];
    let at = body.length - 1;
    jump(output, body[at] as BpfInsn, yes[block] as number, no[block] as number);
    while (--at >= 0) output.push(body[at] as BpfInsn);
    output.mark(block);
  }
  return output.program;
}

/** The jump to two blocks. What is too far gets an island behind the jump that goes on to it. */
function jump(output: Backwards, instruction: BpfInsn, yes: number, no: number): void {
  for (;;) {
    const jt = output.distance(yes);
    const jf = output.distance(no);
    if (jt <= FARTHEST && jf <= FARTHEST) {
      instruction.jt = jt;
      instruction.jf = jf;
      return output.push(instruction);
    }
    output.island(jt > jf ? yes : no);
  }
}

/** A program that is written from its end. */
class Backwards {
  readonly #instructions: BpfInsn[] = [];
  /** How far from the end a block begins, or the nearest island that leads to it. */
  readonly #entries: Int32Array;

  constructor(blocks: number) {
    this.#entries = new Int32Array(blocks);
  }

  get program(): BpfInsn[] {
    return this.#instructions.reverse();
  }

  push(instruction: BpfInsn): void {
    this.#instructions.push(instruction);
  }

  /** What has been written last is where `block` begins. */
  mark(block: number): void {
    this.#entries[block] = this.#instructions.length;
  }

  /** From here, how many instructions stand before `block`. */
  distance(block: number): number {
    return this.#instructions.length - (this.#entries[block] as number);
  }

  /** A way into `block` at this place; those that come before it use it. Of an end it is the end itself. */
  island(block: number): void {
    this.push(
      isTest(block)
        ? { code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: this.distance(block) }
        : { code: BPF_RET, jt: 0, jf: 0, k: block === ACCEPT ? ALL : 0 },
    );
    this.mark(block);
  }
}
