/** A condition as a graph of tests, each with the block that follows when it holds and the one that follows when it does not. */
import { type Condition, type Test, type Value } from './condition';

export interface Block {
  /** null: the packet is accepted, or refused. */
  test: Test | null;
  accepts: boolean;
  yes: Block;
  no: Block;
}

/** How far the outer VLAN tag has moved the headers at a place: the blocks for "not" and, where a program asks for it, for "by 4 bytes". */
type Entries = readonly Block[];

const TAG_BYTES = 4;

/** The first block of the graph. */
export function buildGraph(condition: Condition): Block {
  const states = shifts(condition) ? 2 : 1;
  const everywhere = (block: Block): Entries => Array<Block>(states).fill(block);
  return build(condition, everywhere(end(true)), everywhere(end(false)))[0] as Block;
}

function end(accepts: boolean): Block {
  const block = { test: null, accepts } as Block;
  block.yes = block.no = block;
  return block;
}

function shifts(condition: Condition): boolean {
  switch (condition.kind) {
    case 'shift':
      return true;
    case 'not':
      return shifts(condition.of);
    case 'chain':
      return shifts(condition.first) || condition.rest.some(({ of }) => shifts(of));
    case 'either':
      return shifts(condition.if) || shifts(condition.then) || shifts(condition.else);
    default:
      return false;
  }
}

function build(condition: Condition, yes: Entries, no: Entries): Entries {
  switch (condition.kind) {
    case 'constant':
      return condition.holds ? yes : no;
    case 'shift':
      return yes.map(() => yes[1] as Block);
    case 'not':
      return build(condition.of, no, yes);
    case 'either':
      return build(condition.if, build(condition.then, yes, no), build(condition.else, yes, no));
    case 'chain': {
      // Backwards: what is decided goes on to the next joint that asks for more.
      let whenTrue = yes;
      let whenFalse = no;
      for (let index = condition.rest.length - 1; index >= 0; index--) {
        const { joint, of } = condition.rest[index] as (typeof condition.rest)[number];
        const entries = build(of, whenTrue, whenFalse);
        if (joint === 'and') whenTrue = entries;
        else whenFalse = entries;
      }
      return build(condition.first, whenTrue, whenFalse);
    }
    case 'test':
      return yes.map((_, state) => ({
        test: state === 0 ? condition : { ...condition, left: shifted(condition.left), right: shifted(condition.right) },
        accepts: false,
        yes: yes[state] as Block,
        no: no[state] as Block,
      }));
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
