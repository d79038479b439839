/** Tests whose outcome is known from the way to them are skipped, and equal ends of ways become one. */
import { Facts, FAILS, HOLDS, NOTHING } from './facts';
import { inOrder, isTest, REFUSE, type Graph } from './graph';
import { Tuples } from './tuples';
import { Ways } from './ways';

/**
 * Leaves fewer tests in the graph, and tells how many. A load that fails refuses the packet, so only a test of what has been loaded before is skipped.
 */
export function simplify(graph: Graph): number {
  skipKnown(graph);
  return merge(graph);
}

const UNSEEN = -1;

function skipKnown(graph: Graph): void {
  const { entry, yes, no, size } = graph;
  const order = inOrder(graph);
  const facts = new Facts(graph);
  const ways = new Ways(graph, facts);
  // What is known on every way to a block.
  const known = new Int32Array(size).fill(UNSEEN);
  known[entry] = NOTHING;
  const follow = (from: number, what: number): number => {
    const block = ways.end(from, what);
    const others = known[block] as number;
    known[block] = others === UNSEEN ? what : facts.common(others, what);
    return block;
  };
  for (const block of order) {
    const what = known[block] as number;
    // Every way to it has been skipped.
    if (!isTest(block) || what === UNSEEN) continue;
    yes[block] = follow(yes[block] as number, facts.learned(block, HOLDS, what));
    no[block] = follow(no[block] as number, facts.learned(block, FAILS, what));
  }
}

/** Blocks that ask the same and go on to the same become one. */
function merge(graph: Graph): number {
  const { relation, value, operand, yes, no, size } = graph;
  const tuples = new Tuples();
  const unique: number[] = [];
  const become = new Int32Array(size).map((_, block) => block);
  for (const block of inOrder(graph).reverse()) {
    if (!isTest(block)) continue;
    const whenTrue = (yes[block] = become[yes[block] as number] as number);
    const whenFalse = (no[block] = become[no[block] as number] as number);
    // Whatever its outcome: a load that fails refuses as well.
    if (whenTrue === REFUSE && whenFalse === REFUSE) {
      become[block] = REFUSE;
      continue;
    }
    const number = tuples.of(relation[block] as number, value[block] as number, operand[block] as number, whenTrue, whenFalse);
    if (number === unique.length) unique.push(block);
    become[block] = unique[number] as number;
  }
  graph.entry = become[graph.entry] as number;
  return unique.length;
}
