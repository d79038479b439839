/** A condition as a graph of tests. */
import { testsOf, type Condition, type Test, type Value } from './condition';
import { ACCEPT, Graph, REFUSE } from './graph';
import { BPF_X } from './opcodes';
import { type ValueIds } from './value-ids';

/** How far the outer VLAN tag has moved the headers at a place: the blocks for "not" and, where a program asks for it, for "by 4 bytes". */
type Entries = readonly number[];

const TAG_BYTES = 4;

/** `isShifted`: somewhere in the condition there is a shift. */
export function buildGraph(condition: Condition, isShifted: boolean, ids: ValueIds): Graph {
  const states = isShifted ? 2 : 1;
  const graph = new Graph(states * testsOf(condition));
  const everywhere = (block: number): Entries => Array<number>(states).fill(block);
  graph.entry = new Builder(graph, ids).build(condition, everywhere(ACCEPT), everywhere(REFUSE))[0] as number;
  return graph;
}

class Builder {
  /** The numbers of values behind a tag that stands in the frame. */
  readonly #shifted = new Map<Value, number>();

  constructor(
    private readonly graph: Graph,
    private readonly ids: ValueIds,
  ) {}

  build(condition: Condition, yes: Entries, no: Entries): Entries {
    switch (condition.kind) {
      case 'constant':
        return condition.holds ? yes : no;
      case 'shift':
        return yes.map(() => yes[1] as number);
      case 'not':
        return this.build(condition.of, no, yes);
      case 'either':
        return this.build(condition.if, this.build(condition.then, yes, no), this.build(condition.else, yes, no));
      case 'chain': {
        // Backwards: what is decided goes on to the next joint that asks for more.
        const { parts, joints } = condition;
        let whenTrue = yes;
        let whenFalse = no;
        for (let index = parts.length - 1; index > 0; index--) {
          const entries = this.build(parts[index] as Condition, whenTrue, whenFalse);
          if ((typeof joints === 'string' ? joints : joints[index]) === 'and') whenTrue = entries;
          else whenFalse = entries;
        }
        return this.build(parts[0] as Condition, whenTrue, whenFalse);
      }
      case 'test': {
        const unmoved = this.#block(condition, 0, yes, no);
        if (yes.length === 1) return [unmoved];
        return [unmoved, this.#isUnmoved(condition, yes, no) ? unmoved : this.#block(condition, 1, yes, no)];
      }
    }
  }

  #block({ relation, left, right }: Test, state: number, yes: Entries, no: Entries): number {
    const value = this.#number(left, state);
    const whenTrue = yes[state] as number;
    const whenFalse = no[state] as number;
    if (typeof right === 'number') return this.graph.add(relation, value, right, whenTrue, whenFalse);
    return this.graph.add(relation | BPF_X, value, this.#number(right, state), whenTrue, whenFalse);
  }

  /** A tag in the frame changes neither the test nor what comes after it. */
  #isUnmoved({ left, right }: Test, yes: Entries, no: Entries): boolean {
    const isHere = (value: Value): boolean => this.#number(value, 0) === this.#number(value, 1);
    return yes[0] === yes[1] && no[0] === no[1] && isHere(left) && (typeof right === 'number' || isHere(right));
  }

  #number(value: Value, state: number): number {
    if (state === 0) return this.ids.of(value);
    let id = this.#shifted.get(value);
    if (id === undefined) this.#shifted.set(value, (id = this.ids.of(shifted(value))));
    return id;
  }
}

/** The value behind a tag that stands in the frame. */
function shifted(value: Value): Value {
  switch (value.kind) {
    case 'load': {
      const by = value.shifted ? TAG_BYTES : 0;
      const header = value.header === null ? null : value.header + by;
      return { ...value, offset: value.offset + by, header, index: value.index === null ? null : shifted(value.index) };
    }
    case 'negate':
      return { ...value, of: shifted(value.of) };
    case 'calculate':
      return { ...value, left: shifted(value.left), right: shifted(value.right) };
    default:
      return value;
  }
}
