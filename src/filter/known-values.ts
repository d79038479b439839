/** What values are known to be at an anchor: looked up, where the facts themselves would have to be gone through for every step of a long way. */
import { FROM_ANCHOR, NOTHING, type Facts } from './facts';
import { type Graph } from './graph';

/** No fact's number. */
const NOBODY = -1;

export class KnownValues {
  /** By value: what it is, and the anchor of which that was said last. */
  readonly #known: Uint32Array;
  readonly #saidOf: Int32Array;
  #anchor = NOTHING;

  constructor(
    private readonly graph: Graph,
    private readonly facts: Facts,
  ) {
    this.#known = new Uint32Array(graph.values);
    this.#saidOf = new Int32Array(graph.values).fill(NOBODY);
  }

  /** From now on it is of `anchor` that questions are answered. */
  at(anchor: number): void {
    if (anchor === this.#anchor) return;
    this.#anchor = anchor;
    const { facts } = this;
    const { value, operand } = this.graph;
    for (let fact = anchor, steps = 0; fact !== NOTHING && steps < FROM_ANCHOR; steps++) {
      const about = value[fact >> 1] as number;
      if (facts.isEquality(fact) && this.#saidOf[about] !== anchor) {
        this.#known[about] = operand[fact >> 1] as number;
        this.#saidOf[about] = anchor;
      }
      fact = facts.aboutOther(fact);
    }
  }

  /** Whether it is known what the value is. */
  has(value: number): boolean {
    return this.#saidOf[value] === this.#anchor;
  }

  /** What it is. */
  of(value: number): number {
    return this.#known[value] as number;
  }
}
