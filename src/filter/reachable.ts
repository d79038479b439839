/** Whether any way through a graph is possible that ends in acceptance. */
import { HOLDS, holds } from './facts';
import { ACCEPT, inOrder, isTest, type Graph } from './graph';
import { BPF_JEQ, BPF_X } from './opcodes';

/** What values can be at a block, those of which it is known: one of a few numbers each. Shared between blocks, and never changed. */
type Possible = ReadonlyMap<number, readonly number[]>;

/** Of a value that may be more, nothing is remembered. */
const MOST_NUMBERS = 16;

/**
 * The outcomes of tests are taken together where ways join, which `simplify` does not: behind the ports the protocol is TCP, UDP or SCTP, and so not ICMP.
 */
export function canAccept(graph: Graph): boolean {
  const { entry, relation, value, operand, yes, no, size } = graph;
  const at = new Array<Possible | undefined>(size);
  at[entry] = new Map();
  const arrive = (block: number, possible: Possible): void => {
    const others = at[block];
    at[block] = others === undefined ? possible : either(others, possible);
  };
  for (const block of inOrder(graph)) {
    const possible = at[block];
    if (possible === undefined || !isTest(block)) continue;
    const [asked, about, right] = [relation[block] as number, value[block] as number, operand[block] as number];
    const [whenTrue, whenFalse] = [yes[block] as number, no[block] as number];
    const numbers = (asked & BPF_X) === 0 ? possible.get(about) : undefined;
    if (numbers === undefined) {
      arrive(whenTrue, asked === BPF_JEQ ? withNumbers(possible, about, [right]) : possible);
      arrive(whenFalse, possible);
      continue;
    }
    const fitting = numbers.filter((number) => holds(asked, number, right) === HOLDS);
    const others = numbers.filter((number) => !fitting.includes(number));
    if (fitting.length > 0) arrive(whenTrue, withNumbers(possible, about, fitting));
    if (others.length > 0) arrive(whenFalse, withNumbers(possible, about, others));
  }
  return at[ACCEPT] !== undefined;
}

function withNumbers(possible: Possible, about: number, numbers: readonly number[]): Possible {
  return new Map(possible).set(about, numbers);
}

/** What is known on both ways. */
function either(one: Possible, other: Possible): Possible {
  const joined = new Map<number, readonly number[]>();
  for (const [about, numbers] of one) {
    const more = other.get(about);
    if (more === undefined) continue;
    const all = [...new Set([...numbers, ...more])];
    if (all.length <= MOST_NUMBERS) joined.set(about, all);
  }
  return joined;
}
