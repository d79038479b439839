/** Runs: blocks that ask one after the other, as long as it is not, whether one value is equal to a number. `host A or B or C` is one. */
import { isTest, type Graph } from './graph';
import { BPF_JEQ } from './opcodes';
import { Tuples } from './tuples';

/** Shorter ones are gone through block by block. */
const LONG = 8;

/** With its value known a run is one step, however long it is. */
export class Runs {
  /** The last block of a block's run. */
  readonly #last: Int32Array;
  /** The first one, by the last. */
  readonly #first: Int32Array;
  /** What came next when it was not, before any test was skipped. */
  readonly #next: Int32Array;
  /** How many blocks of the run come after a block. */
  readonly #left: Int32Array;
  /** The long runs that have been looked into. */
  readonly #known = new Set<number>();
  /** The blocks of a run that ask for a number, by both. */
  readonly #asked = new Tuples();
  readonly #blocks: number[][] = [];

  /** `order` is that of the blocks. */
  constructor(
    private readonly graph: Graph,
    order: Int32Array,
  ) {
    const { relation, value, no, size } = graph;
    this.#next = no.slice();
    this.#last = new Int32Array(size);
    this.#first = new Int32Array(size);
    this.#left = new Int32Array(size);
    for (let index = order.length - 1; index >= 0; index--) {
      const block = order[index] as number;
      this.#last[block] = this.#first[block] = block;
      const next = no[block] as number;
      if (!isTest(block) || !isTest(next) || relation[block] !== BPF_JEQ || relation[next] !== BPF_JEQ || value[block] !== value[next])
        continue;
      const last = this.#last[next] as number;
      // Runs do not join: what leads into the midst of one is a run of its own.
      if (this.#first[last] !== next) continue;
      this.#last[block] = last;
      this.#first[last] = block;
      this.#left[block] = (this.#left[next] as number) + 1;
    }
  }

  /** Where a way from `block`, a test for equality, goes on if the value is `known`. */
  through(block: number, known: number): number {
    const { operand, yes } = this.graph;
    const left = this.#left[block] as number;
    if (left < LONG) return (operand[block] === known ? yes[block] : this.#next[block]) as number;
    const last = this.#last[block] as number;
    if (!this.#known.has(last)) this.#lookInto(last);
    const asked = this.#asked.find(last, known, 0, 0, 0);
    const found = asked === -1 ? undefined : this.#notBefore(this.#blocks[asked] as number[], left);
    return (found === undefined ? this.#next[last] : yes[found]) as number;
  }

  /** The first of some blocks of a run, in its order, after which no more than `left` come. */
  #notBefore(blocks: readonly number[], left: number): number | undefined {
    let [from, to] = [0, blocks.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#left[blocks[middle] as number] as number) <= left) to = middle;
      else from = middle + 1;
    }
    return blocks[from];
  }

  #lookInto(last: number): void {
    this.#known.add(last);
    for (let block = this.#first[last] as number; ; block = this.#next[block] as number) {
      const asked = this.#asked.of(last, this.graph.operand[block] as number, 0, 0, 0);
      if (asked === this.#blocks.length) this.#blocks.push([block]);
      else (this.#blocks[asked] as number[]).push(block);
      if (block === last) return;
    }
  }
}
