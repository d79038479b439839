/** Whether any way through a graph is possible that ends in acceptance. */
import { Facts, FAILS, HOLDS, holds, NOTHING, UNDECIDED } from './facts';
import { ACCEPT, inOrder, isTest, type Graph } from './graph';
import { BPF_JEQ, BPF_X } from './opcodes';

/** What values can be at a block, those of which it is known: one of a few numbers each. Shared between blocks, and never changed. */
type Possible = ReadonlyMap<number, readonly number[]>;

/** Of a value that may be more, nothing is remembered. */
const MOST_NUMBERS = 16;

/** Steps of single ways, of which there may be too many to go: most filters end the first that is gone. */
const PATIENCE = 5000;

export function canAccept(graph: Graph): boolean {
  return aWayAccepts(graph) ?? waysTogetherAccept(graph);
}

/** Whether one of the ways ends in acceptance, each gone with all that is known on it; undefined when there are too many. */
function aWayAccepts(graph: Graph): boolean | undefined {
  const { entry, yes, no } = graph;
  const facts = new Facts(graph);
  // Where a way goes on, and what is known there. The last is gone to its end before another one that passes the same tests, so that facts stay.
  const open: [block: number, what: number][] = [[entry, NOTHING]];
  for (let steps = 0; steps < PATIENCE; steps++) {
    const next = open.pop();
    if (next === undefined) return false;
    const [block, what] = next;
    if (block === ACCEPT) return true;
    if (!isTest(block)) continue;
    const outcome = facts.decided(block, what);
    if (outcome !== HOLDS) open.push([no[block] as number, outcome === UNDECIDED ? facts.learned(block, FAILS, what) : what]);
    if (outcome !== FAILS) open.push([yes[block] as number, outcome === UNDECIDED ? facts.learned(block, HOLDS, what) : what]);
  }
  return undefined;
}

/**
 * The outcomes of tests are taken together where ways join, which `simplify` does not: behind the ports the protocol is TCP, UDP or SCTP, and so not ICMP.
 */
function waysTogetherAccept(graph: Graph): boolean {
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
