/** The ways through a graph past the tests whose outcome is known. */
import { FROM_ANCHOR, HOLDS, holds, NOTHING, UNDECIDED, type Facts } from './facts';
import { FilterError } from './filter-error';
import { isTest, type Graph } from './graph';
import { KnownValues } from './known-values';
import { BPF_JEQ, BPF_X } from './opcodes';
import { type Runs } from './runs';
import { Tuples } from './tuples';

/** Steps of a way after which it is looked for among those that have been gone before. */
const SHORT = 8;

/** Steps of all ways. Their number can grow with the square of an expression's length; the runtime stands still meanwhile. */
const PATIENCE = 1_200_000;

export class Ways {
  /** Ends of ways, by the anchor that they go by and the block where they begin. */
  readonly #gone = new Tuples();
  readonly #ends: number[] = [];
  readonly #values: KnownValues;
  #steps = 0;

  constructor(
    private readonly graph: Graph,
    private readonly facts: Facts,
    private readonly runs: Runs,
  ) {
    this.#values = new KnownValues(graph, facts);
  }

  /** The block where the way from `from` ends that needs no more than what is known: a test that has to be asked, or an end. Throws FilterError. */
  end(from: number, what: number): number {
    let block = from;
    for (let steps = 0; ; steps++) {
      if (steps === SHORT) block = this.#fromAnchor(block, this.facts.anchor(what));
      const next = this.#step(block, what);
      if (next === block) return block;
      block = next;
    }
  }

  /** As far as the way goes by an anchor and what was known before it. All ways by that and a little more lead through it. */
  #fromAnchor(from: number, anchor: number): number {
    if (anchor === NOTHING) return from;
    const number = this.#gone.of(anchor, from, 0, 0, 0);
    const before = this.#ends[number];
    if (before !== undefined) return before;
    this.#values.at(anchor);
    let block = from;
    for (let next = this.#stepFromAnchor(block, anchor); next !== block; next = this.#stepFromAnchor(block, anchor)) block = next;
    this.#ends[number] = block;
    return block;
  }

  /** As `#step` with an anchor. Nearly all steps are made here, so what a value is equal to is looked up; other facts are gone through. */
  #stepFromAnchor(block: number, anchor: number): number {
    const { relation, value, operand, yes, no } = this.graph;
    const asked = relation[block] as number;
    const about = value[block] as number;
    if (!isTest(block) || (asked & BPF_X) !== 0 || !this.#values.has(about)) return this.#step(block, anchor, FROM_ANCHOR);
    this.#count();
    const known = this.#values.of(about);
    if (asked === BPF_JEQ) return this.runs.through(block, known);
    return (holds(asked, known, operand[block] as number) === HOLDS ? yes[block] : no[block]) as number;
  }

  /** The next block after a test whose outcome is known; the block itself for one that has to be asked. */
  #step(block: number, what: number, memory?: number): number {
    if (!isTest(block)) return block;
    const outcome = this.facts.decided(block, what, memory);
    if (outcome === UNDECIDED) return block;
    this.#count();
    const { relation, yes, no } = this.graph;
    const { known } = this.facts;
    if (known !== null && relation[block] === BPF_JEQ) return this.runs.through(block, known);
    return (outcome === HOLDS ? yes[block] : no[block]) as number;
  }

  #count(): void {
    if (++this.#steps <= PATIENCE) return;
    throw new FilterError(
      1,
      'too many terms of the expression depend on one another',
      'networks instead of single hosts and ranges of ports take fewer',
    );
  }
}
