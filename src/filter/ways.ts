/** The ways through a graph past the tests whose outcome is known. */
import { FROM_ANCHOR, FROM_BASE, HOLDS, holds, NOTHING, UNDECIDED, type Facts } from './facts';
import { isTest, type Graph } from './graph';
import { KnownValues } from './known-values';
import { BPF_JEQ, BPF_X } from './opcodes';
import { Runs } from './runs';
import { Tuples } from './tuples';

/** Steps of a way after which it is looked for among those that have been gone before. */
const SHORT = 8;

/**
 * Steps of all ways, after which what is known is asked all the same. Their number can grow with the square of an expression's length; the runtime
 * stands still meanwhile.
 */
const PATIENCE = 400_000;

export class Ways {
  /** Ends of ways, by the anchor that they go by and the block where they begin. */
  readonly #gone = new Tuples();
  readonly #ends: number[] = [];
  /** The same for every block of a way, by a base. */
  readonly #skipped = new Tuples();
  readonly #skippedTo: number[] = [];
  readonly #values: KnownValues;
  readonly #runs: Runs;
  #steps = 0;

  constructor(
    private readonly graph: Graph,
    private readonly facts: Facts,
  ) {
    this.#values = new KnownValues(graph, facts);
    this.#runs = new Runs(graph, (block, base) => this.#skip(block, base));
  }

  /** The block where the way from `from` ends that needs no more than what is known: a test that has to be asked, or an end. */
  end(from: number, what: number): number {
    let block = from;
    for (let steps = 1; ; steps++) {
      // The oldest anchor is shared by the most ways, the nearest knows the most.
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
    const base = this.facts.aboutOther(anchor);
    let block = from;
    for (;;) {
      block = this.#skip(block, base);
      const next = this.#stepFromAnchor(block, anchor, base);
      if (next === block) break;
      block = next;
    }
    this.#ends[number] = block;
    return block;
  }

  /** As `#step` with an anchor. Nearly all steps are made here, so what a value is equal to is looked up; other facts are gone through. */
  #stepFromAnchor(block: number, anchor: number, base: number): number {
    const { relation, value, operand, yes, no } = this.graph;
    const asked = relation[block] as number;
    const about = value[block] as number;
    if (!isTest(block) || (asked & BPF_X) !== 0 || !this.#values.has(about) || this.#steps >= PATIENCE)
      return this.#step(block, anchor, FROM_ANCHOR);
    this.#steps++;
    const known = this.#values.of(about);
    if (asked === BPF_JEQ) return this.#runs.through(block, known, base);
    return (holds(asked, known, operand[block] as number) === HOLDS ? yes[block] : no[block]) as number;
  }

  /**
   * As far as the way goes by a base: what was known before an anchor, and is the same for all anchors of a list. Between the tests of a list of
   * addresses stand those for EtherTypes; by the type that the addresses share, all ways skip the same ones, which are looked at once.
   */
  #skip(from: number, base: number): number {
    if (base === NOTHING) return from;
    const passed = this.#skipped.size;
    let end = from;
    for (;;) {
      const place = this.#skipped.of(base, end, 0, 0, 0);
      if (place < this.#skippedTo.length) {
        end = this.#skippedTo[place] as number;
        break;
      }
      this.#skippedTo.push(end);
      const next = this.#step(end, base, FROM_BASE);
      if (next === end) break;
      end = next;
    }
    this.#skippedTo.fill(end, passed);
    return end;
  }

  /** The next block after a test whose outcome is known; the block itself for one that has to be asked. */
  #step(block: number, what: number, memory?: number): number {
    if (!isTest(block) || this.#steps >= PATIENCE) return block;
    const outcome = this.facts.decided(block, what, memory);
    if (outcome === UNDECIDED) return block;
    this.#steps++;
    const { relation, yes, no } = this.graph;
    const { known } = this.facts;
    if (known !== null && relation[block] === BPF_JEQ) return this.#runs.through(block, known, NOTHING);
    return (outcome === HOLDS ? yes[block] : no[block]) as number;
  }
}
