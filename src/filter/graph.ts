/** A graph of tests, each with the block that follows when it holds and the one that follows when it does not. */

/** The blocks that end every way. */
export const REFUSE = 0;
export const ACCEPT = 1;

/** The first block that is a test. */
const FIRST = 2;

/** Blocks are numbers and what there is to know of them stands in columns: a long expression has tens of thousands, and the runtime waits for each. */
export class Graph {
  entry = ACCEPT;
  /** The opcode of the jump. With BPF_X the operand is the number of a value. */
  readonly relation: Uint8Array;
  readonly value: Int32Array;
  readonly operand: Uint32Array;
  readonly yes: Int32Array;
  readonly no: Int32Array;
  #size = FIRST;
  #values = 0;

  /** `tests` is how many there can be. */
  constructor(tests: number) {
    const blocks = FIRST + tests;
    this.relation = new Uint8Array(blocks);
    this.value = new Int32Array(blocks);
    this.operand = new Uint32Array(blocks);
    this.yes = new Int32Array(blocks);
    this.no = new Int32Array(blocks);
  }

  /** One more than the last block. */
  get size(): number {
    return this.#size;
  }

  /** One more than the largest number of a value that is compared with an operand. */
  get values(): number {
    return this.#values;
  }

  add(relation: number, value: number, operand: number, yes: number, no: number): number {
    const block = this.#size++;
    this.relation[block] = relation;
    this.value[block] = value;
    this.operand[block] = operand;
    this.yes[block] = yes;
    this.no[block] = no;
    if (value >= this.#values) this.#values = value + 1;
    return block;
  }
}

export function isTest(block: number): boolean {
  return block >= FIRST;
}

/** Every block that can be reached, each after all that lead to it; what follows a test that holds comes first. Iterative: graphs are deep. */
export function inOrder({ entry, yes, no, size }: Graph): Int32Array {
  const order = new Int32Array(size);
  const stack = new Int32Array(size);
  // 0: not seen; 1: `no` comes next; 2: `yes` comes next; 3: done.
  const progress = new Uint8Array(size);
  let free = size;
  let top = 0;
  stack[0] = entry;
  progress[entry] = 1;
  while (top >= 0) {
    const block = stack[top] as number;
    const step = progress[block] as number;
    if (!isTest(block) || step === 3) {
      order[--free] = block;
      top--;
      continue;
    }
    progress[block] = step + 1;
    const next = (step === 1 ? no[block] : yes[block]) as number;
    if (progress[next] !== 0) continue;
    progress[next] = 1;
    stack[++top] = next;
  }
  return order.subarray(free);
}
