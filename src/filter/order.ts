/** The order of a graph's blocks. */
import { type Block } from './graph';

/** Every block that can be reached, each after all that lead to it; what follows a test that holds comes first. Iterative: graphs are deep. */
export function inOrder(entry: Block): Block[] {
  const seen = new Set<Block>([entry]);
  const done: Block[] = [];
  const stack: { block: Block; branch: number }[] = [{ block: entry, branch: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { block, branch } = top;
    if (block.test === null || branch === 2) {
      done.push(block);
      stack.pop();
      continue;
    }
    top.branch++;
    const next = branch === 0 ? block.no : block.yes;
    if (seen.has(next)) continue;
    seen.add(next);
    stack.push({ block: next, branch: 0 });
  }
  return done.reverse();
}
