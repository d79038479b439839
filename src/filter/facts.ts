/** What is known on the way to a block: the outcomes of the tests on it. */
import { type Graph } from './graph';
import { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET, BPF_X } from './opcodes';

/** How many steps back are looked at: enough for what people write, and a bound for what machines do. */
const MEMORY = 64;

/** Facts so near are all looked at, and as many before them as leave the memory at that. */
const NEAR = 16;
export const FROM_ANCHOR = MEMORY - NEAR;
/** One fact fewer, so that a base decides nothing that its anchor would not. */
export const FROM_BASE = FROM_ANCHOR - 1;

/** No outcome is known. */
export const NOTHING = 0;

/** The outcomes of a test. */
export const UNDECIDED = -1;
export const FAILS = 0;
export const HOLDS = 1;

/**
 * A fact is an outcome of the test of a block, and what was known before it: a tree, with `NOTHING` as its root. Facts are numbers: the block's number
 * doubled, and 1 more for a test that holds.
 */
export class Facts {
  readonly #before: Int32Array;
  /** The newest one before about another value: a long list is one step. */
  readonly #other: Int32Array;
  readonly #depth: Int32Array;
  /** One far before: with those of that one, the way to every fact before has logarithmically many steps (Myers, "An applicative random-access stack"). */
  readonly #jump: Int32Array;
  /** The newest one that tells what a value is, itself or before. */
  readonly #equality: Int32Array;
  /** By value: the newest fact about it, on any way. */
  readonly #latest: Int32Array;
  #known: number | null = null;

  constructor(private readonly graph: Graph) {
    const facts = 2 * graph.size;
    this.#before = new Int32Array(facts);
    this.#other = new Int32Array(facts);
    this.#depth = new Int32Array(facts);
    this.#jump = new Int32Array(facts);
    this.#equality = new Int32Array(facts);
    this.#latest = new Int32Array(graph.values);
  }

  /** The oldest of the `NEAR` newest facts that tells what a value is; `NOTHING` if none does. */
  anchor(fact: number): number {
    const oldest = (this.#depth[fact] as number) - NEAR;
    let anchor = NOTHING;
    for (let next = this.#equality[fact] as number; next !== NOTHING && (this.#depth[next] as number) >= oldest;) {
      anchor = next;
      next = this.#equality[this.#before[next] as number] as number;
    }
    return anchor;
  }

  /** The newest of these facts; `NOTHING` if there is none. */
  nearestAnchor(fact: number): number {
    const anchor = this.#equality[fact] as number;
    return (this.#depth[anchor] as number) >= (this.#depth[fact] as number) - NEAR ? anchor : NOTHING;
  }

  /** What the value is that was asked for last, if this was what decided. */
  get known(): number | null {
    return this.#known;
  }

  /** Whether a fact tells what its value is. */
  isEquality(fact: number): boolean {
    return this.#equality[fact] === fact;
  }

  /** The newest fact before about another value. */
  aboutOther(fact: number): number {
    return this.#other[fact] as number;
  }

  /** What is known when the test of `block` has come out. */
  learned(block: number, outcome: number, before: number): number {
    const { relation, value } = this.graph;
    if (((relation[block] as number) & BPF_X) !== 0) return before;
    const fact = 2 * block + outcome;
    this.#latest[value[block] as number] = fact;
    const about = before === NOTHING ? -1 : (value[before >> 1] as number);
    const jump = this.#jump[before] as number;
    const farther = this.#jump[jump] as number;
    const depth = this.#depth;
    const isEven = (depth[before] as number) - (depth[jump] as number) === (depth[jump] as number) - (depth[farther] as number);
    this.#before[fact] = before;
    this.#other[fact] = about === value[block] ? (this.#other[before] as number) : before;
    depth[fact] = (depth[before] as number) + 1;
    this.#jump[fact] = isEven ? farther : before;
    this.#equality[fact] = outcome === HOLDS && relation[block] === BPF_JEQ ? fact : (this.#equality[before] as number);
    return fact;
  }

  /** The outcome of the test of `block` after what is known, by the newest `memory` facts. */
  decided(block: number, facts: number, memory = MEMORY): number {
    const { relation, value, operand } = this.graph;
    this.#known = null;
    const wanted = relation[block] as number;
    if ((wanted & BPF_X) !== 0) return UNDECIDED;
    const about = value[block] as number;
    if (this.#latest[about] === NOTHING) return UNDECIDED;
    const right = operand[block] as number;
    for (let fact = facts, steps = 0; fact !== NOTHING && steps < memory; steps++) {
      const from = fact >> 1;
      if (value[from] !== about) {
        fact = steps === NEAR && memory === MEMORY ? this.#far(fact, this.#latest[about] as number) : (this.#other[fact] as number);
        continue;
      }
      const known = relation[from] as number;
      const number = operand[from] as number;
      const outcome = fact & 1;
      if (known === BPF_JEQ && outcome === HOLDS) {
        this.#known = number;
        return holds(wanted, number, right);
      }
      if (known === wanted && number === right) return outcome;
      // It cannot be equal to something of which the fact would not be true.
      if (wanted === BPF_JEQ && holds(known, right, number) !== outcome) return FAILS;
      fact = this.#before[fact] as number;
    }
    return UNDECIDED;
  }

  /**
   * From `fact` to where the way passes the test of `latest`, if that tells what its value or a bit of it is; else to the next one about another value.
   * (Bounds so far away decide little, and make the ways long.)
   */
  #far(fact: number, latest: number): number {
    const depth = this.#depth;
    const wanted = depth[latest] as number;
    let at = fact;
    while ((depth[at] as number) > wanted) {
      const far = this.#jump[at] as number;
      at = (depth[far] as number) >= wanted ? far : (this.#before[at] as number);
    }
    const tells = this.isEquality(at) || this.graph.relation[at >> 1] === BPF_JSET;
    return at >> 1 === latest >> 1 && tells ? at : (this.#other[fact] as number);
  }

  /** What two ways have in common: the part before they parted. */
  common(one: number, other: number): number {
    const depth = this.#depth;
    const jump = this.#jump;
    const before = this.#before;
    let [a, b] = [one, other];
    while (a !== b) {
      if ((depth[a] as number) < (depth[b] as number)) [a, b] = [b, a];
      const far = jump[a] as number;
      if ((depth[a] as number) > (depth[b] as number)) {
        a = (depth[far] as number) >= (depth[b] as number) ? far : (before[a] as number);
      } else if (far !== jump[b]) {
        [a, b] = [far, jump[b] as number];
      } else {
        [a, b] = [before[a] as number, before[b] as number];
      }
    }
    return a;
  }
}

export function holds(relation: number, value: number, operand: number): number {
  if (relation === BPF_JEQ) return value === operand ? HOLDS : FAILS;
  if (relation === BPF_JGT) return value > operand ? HOLDS : FAILS;
  if (relation === BPF_JGE) return value >= operand ? HOLDS : FAILS;
  return (value & operand) !== 0 ? HOLDS : FAILS;
}
