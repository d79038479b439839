/** The ways through a graph past the tests whose outcome is known. */
import { FROM_ANCHOR, FROM_CONTEXT, HOLDS, holds, NOTHING, UNDECIDED, type Facts } from './facts';
import { FilterError, SHORTER_HINT } from './filter-error';
import { isTest, type Graph } from './graph';
import { KnownValues } from './known-values';
import { BPF_JEQ, BPF_X } from './opcodes';
import { Runs } from './runs';
import { Tuples } from './tuples';

/** Steps of a way after which it is looked for among those that have been gone before. */
const SHORT = 8;

/** Steps of all ways. Their number can grow with the square of an expression's length; the runtime stands still meanwhile. */
const PATIENCE = 400_000;

export class Ways {
  /** Ends of ways, by the anchor that they go by and the block where they begin. */
  readonly #gone = new Tuples();
  readonly #ends: number[] = [];
  /** The same for every block of a way, by a context. */
  readonly #skipped = new Tuples();
  readonly #asked: number[] = [];
  readonly #values: KnownValues;
  readonly #runs: Runs;
  #steps = 0;

  constructor(
    private readonly graph: Graph,
    private readonly facts: Facts,
  ) {
    this.#values = new KnownValues(graph, facts);
    this.#runs = new Runs(graph, (block, context) => this.#skip(block, context));
  }

  /** The block where the way from `from` ends that needs no more than what is known: a test that has to be asked, or an end. Throws FilterError. */
  end(from: number, what: number): number {
    let block = from;
    for (let steps = 1; ; steps++) {
      if (steps === SHORT) block = this.#fromAnchor(block, this.facts.anchor(what));
      else if (steps === 2 * SHORT) block = this.#fromAnchor(block, this.facts.nearestAnchor(what));
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
    const context = this.facts.context(anchor);
    let block = from;
    for (;;) {
      block = this.#skip(block, context);
      const next = this.#stepFromAnchor(block, anchor, context);
      if (next === block) break;
      block = next;
    }
    this.#ends[number] = block;
    return block;
  }

  /** As `#step` with an anchor. Nearly all steps are made here, so what a value is equal to is looked up; other facts are gone through. */
  #stepFromAnchor(block: number, anchor: number, context: number): number {
    const { relation, value, operand, yes, no } = this.graph;
    const asked = relation[block] as number;
    const about = value[block] as number;
    if (!isTest(block) || (asked & BPF_X) !== 0 || !this.#values.has(about)) return this.#step(block, anchor, FROM_ANCHOR);
    this.#count();
    const known = this.#values.of(about);
    if (asked === BPF_JEQ) return this.#runs.through(block, known, context);
    return (holds(asked, known, operand[block] as number) === HOLDS ? yes[block] : no[block]) as number;
  }

  /**
   * As far as the way goes by a context. Between the tests of a list of addresses stand those for EtherTypes: for the type that they share, all
   * ways skip the same ones, which are looked at once.
   */
  #skip(from: number, context: number): number {
    if (context === NOTHING) return from;
    const passed = this.#skipped.size;
    let end = from;
    for (;;) {
      const place = this.#skipped.of(context, end, 0, 0, 0);
      if (place < this.#asked.length) {
        end = this.#asked[place] as number;
        break;
      }
      this.#asked.push(end);
      const next = this.#step(end, context, FROM_CONTEXT);
      if (next === end) break;
      end = next;
    }
    this.#asked.fill(end, passed);
    return end;
  }

  /** The next block after a test whose outcome is known; the block itself for one that has to be asked. */
  #step(block: number, what: number, memory?: number): number {
    if (!isTest(block)) return block;
    const outcome = this.facts.decided(block, what, memory);
    if (outcome === UNDECIDED) return block;
    this.#count();
    const { relation, yes, no } = this.graph;
    const { known } = this.facts;
    if (known !== null && relation[block] === BPF_JEQ) return this.#runs.through(block, known, NOTHING);
    return (outcome === HOLDS ? yes[block] : no[block]) as number;
  }

  #count(): void {
    if (++this.#steps <= PATIENCE) return;
    throw new FilterError(1, 'too many terms of the expression depend on one another', SHORTER_HINT);
  }
}
