/** Classic BPF programs as they come from outside: the text of `tcpdump -ddd` or instructions, checked, and packed for the kernel. */
import { endianness } from 'node:os';
import { NetringError } from '../errors';
import { fill } from './rules';
import { programProblem, readProgram } from './program-rules';

/** One instruction, `struct sock_filter` of linux/filter.h. */
export interface BpfInsn {
  code: number;
  /** Instructions to skip when a jump's condition holds, and when it does not. */
  jt: number;
  jf: number;
  k: number;
}

/** A filter as it is given: `tcpdump -ddd` text or instructions. */
export type Filter = string | readonly BpfInsn[];

/** `struct sock_filter`: u16 code, u8 jt, u8 jf, u32 k. */
export const INSTRUCTION_BYTES = 8;

const BPF_RET_K = 0x06;
const BPF_RET_A = 0x16;
const BPF_JA = 0x05;
const BPF_JGT_K = 0x25;

/**
 * The instructions of a filter: `tcpdump -ddd` text (lines separated by newlines or commas) or instructions. null and an empty text: none.
 * Throws `NetringError` kind `Config`, which names the option, `name`, and the line or the instruction.
 */
export function parseFilter(filter: unknown, name = 'filter'): readonly BpfInsn[] {
  if (filter === null || filter === undefined) return [];
  if (typeof filter === 'string') return parseText(filter, name);
  if (Array.isArray(filter)) return parseInstructions(filter, name);
  throw NetringError.config(fill(`${name} {filter} is neither a text nor an array of instructions`, { filter }), name);
}

function parseText(text: string, name: string): readonly BpfInsn[] {
  if (text.trim() === '') return [];
  const program = readProgram(text, name);
  if (typeof program === 'string') throw NetringError.config(program, name);
  // Line 1 holds the count.
  const problem = programProblem(program, `${name} line `, 2);
  if (problem !== null) throw NetringError.config(problem, name);
  return program.map(([code = 0, jt = 0, jf = 0, k = 0]) => ({ code, jt, jf, k }));
}

function parseInstructions(filter: readonly unknown[], name: string): readonly BpfInsn[] {
  const program = filter.map((instruction, index) => {
    if (typeof instruction !== 'object' || instruction === null)
      throw NetringError.config(`${name} instruction ${index} is not an object {code, jt, jf, k}`, name);
    const { code, jt, jf, k } = instruction as Record<keyof BpfInsn, unknown>;
    return [code, jt, jf, k] as number[];
  });
  const problem = programProblem(program, `${name} instruction `, 0);
  if (problem !== null) throw NetringError.config(problem, name);
  return program.map(([code = 0, jt = 0, jf = 0, k = 0]) => ({ code, jt, jf, k }));
}

/**
 * A program that accepts what `program` accepts, but at most `snapLen` bytes of it; 0 leaves it alone. The return value of a filter is
 * the only thing that truncates on a TPACKET_V3 ring.
 */
export function withSnapLen(program: readonly BpfInsn[], snapLen: number): readonly BpfInsn[] {
  if (snapLen === 0) return program;
  if (program.length === 0) return [{ code: BPF_RET_K, jt: 0, jf: 0, k: snapLen }];
  // `ret A` returns what was computed: it becomes a jump to an appended `A > snapLen ? ret snapLen : ret A`, which moves nothing else.
  const computes = program.some(({ code }) => code === BPF_RET_A);
  const patched = program.map((instruction, index) => {
    if (instruction.code === BPF_RET_A) return { code: BPF_JA, jt: 0, jf: 0, k: program.length - index - 1 };
    if (instruction.code === BPF_RET_K) return { ...instruction, k: Math.min(instruction.k, snapLen) };
    return instruction;
  });
  if (!computes) return patched;
  const capped = [
    ...patched,
    { code: BPF_JGT_K, jt: 0, jf: 1, k: snapLen },
    { code: BPF_RET_K, jt: 0, jf: 0, k: snapLen },
    { code: BPF_RET_A, jt: 0, jf: 0, k: 0 },
  ];
  const problem = programProblem(
    capped.map(({ code, jt, jf, k }) => [code, jt, jf, k]),
    'filter instruction ',
    0,
  );
  if (problem !== null) throw NetringError.config(`${problem}, with what snapLen ${snapLen} adds to it`, 'filter');
  return capped;
}

/** The program as an array of `struct sock_filter` of this machine; empty for no instructions. */
export function packFilter(program: readonly BpfInsn[]): Uint8Array {
  const packed = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(packed.buffer);
  const littleEndian = endianness() === 'LE';
  program.forEach(({ code, jt, jf, k }, index) => {
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, code, littleEndian);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, littleEndian);
  });
  return packed;
}
