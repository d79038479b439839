/** Runs: blocks that ask one after the other, as long as it is not, whether one value is equal to a number. `host A or B or C` is one. */
import { NOTHING } from './facts';
import { isTest, type Graph } from './graph';
import { BPF_JEQ } from './opcodes';
import { Tuples } from './tuples';

/** With its value known a run is one step, however long it is. */
export class Runs {
  /** The places of blocks in runs, by base (ways.ts); they ascend along a run. */
  readonly #places = new Tuples();
  /** By place. */
  readonly #run: number[] = [];
  readonly #block: number[] = [];
  /** By run: where a way goes on if no block of it asks for what is known. */
  readonly #end: number[] = [];
  /** The places of a run where a number is asked for, by both. */
  readonly #numbers = new Tuples();
  readonly #asking: number[][] = [];

  /** `skip`: the block that is asked on the way from another one by a base, what is known whatever comes. Blocks between which it skips all others are neighbours. */
  constructor(
    private readonly graph: Graph,
    private readonly skip: (block: number, base: number) => number,
  ) {}

  /** Where a way from `block`, a test for equality, goes on by a base if the value is `known`. */
  through(block: number, known: number, base: number): number {
    const { value, operand, yes, no } = this.graph;
    if (operand[block] === known) return yes[block] as number;
    if (base === NOTHING && !this.#isAsking(no[block] as number, value[block] as number)) return no[block] as number;
    const place = this.#places.of(base, block, 0, 0, 0);
    if (place === this.#run.length) this.#lookInto(block, place, base);
    const run = this.#run[place] as number;
    const number = this.#numbers.find(run, known, 0, 0, 0);
    const found = number === -1 ? undefined : firstFrom(this.#asking[number] as number[], place);
    return (found === undefined ? this.#end[run] : yes[this.#block[found] as number]) as number;
  }

  /** Whether a block asks what a value is equal to. */
  #isAsking(block: number, about: number): boolean {
    const { relation, value } = this.graph;
    return isTest(block) && value[block] === about && relation[block] === BPF_JEQ;
  }

  /** Runs do not join: one ends where another begins. */
  #lookInto(first: number, firstPlace: number, base: number): void {
    const { value, operand, no } = this.graph;
    const run = this.#end.length;
    this.#end.push(first);
    let [block, place] = [first, firstPlace];
    for (;;) {
      this.#run[place] = run;
      this.#block[place] = block;
      const number = this.#numbers.of(run, operand[block] as number, 0, 0, 0);
      if (number === this.#asking.length) this.#asking.push([place]);
      else (this.#asking[number] as number[]).push(place);
      block = this.skip(no[block] as number, base);
      if (!this.#isAsking(block, value[first] as number)) break;
      const next = this.#places.of(base, block, 0, 0, 0);
      if (next < this.#run.length) break;
      place = next;
    }
    this.#end[run] = block;
  }
}

/** The first of some places, in ascending order, that is not before `place`. */
function firstFrom(places: readonly number[], place: number): number | undefined {
  let [from, to] = [0, places.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((places[middle] as number) >= place) to = middle;
    else from = middle + 1;
  }
  return places[from];
}
