/** Filters as they come from outside: expressions, the text of `tcpdump -ddd`, instructions. Checked, and packed for the kernel. */
import { endianness } from 'node:os';
import { NetringError } from '../errors/errors';
import { compileFilter, type CompileOptions } from '../filter/compile';
import { FilterError } from '../filter/filter-error';
import type { BpfInsn } from '../filter/instruction';
import { fill } from './rules';
import { isProgram, programProblem, readProgram } from './program-rules';

/** A filter as it is given: an expression of tcpdump, the text of `tcpdump -ddd` (its first line is a number), or instructions. */
export type Filter = string | readonly BpfInsn[];

/** What expressions for an XDP program are compiled for: its frames are whole, tags included, and the kernel knows nothing of them yet. */
export const XDP_FILTER: CompileOptions = { for: 'xdp' };

/** The same for a bridge, which takes frames and their tags out of its rings and runs the program itself. */
export const BRIDGE_FILTER: CompileOptions = { for: 'bridge' };

/** `struct sock_filter`: u16 code, u8 jt, u8 jf, u32 k. */
export const INSTRUCTION_BYTES = 8;

const BPF_RET_K = 0x06;
const BPF_RET_A = 0x16;
const BPF_JA = 0x05;
const BPF_JGT_K = 0x25;

/**
 * The instructions of a filter: an expression, compiled for `target` (a socket on Ethernet by default), `tcpdump -ddd` text (lines separated by
 * newlines or commas) or instructions. null and an empty text: none.
 * Throws `NetringError` kind `Config`, which names the option, `name`, and the column, the line or the instruction; a `FilterError` for an
 * expression.
 */
export function parseFilter(filter: unknown, name = 'filter', target: CompileOptions = {}): readonly BpfInsn[] {
  if (filter === null || filter === undefined) return [];
  if (typeof filter === 'string') return parseText(filter, name, target);
  if (Array.isArray(filter)) return parseInstructions(filter, name, target);
  throw NetringError.config(fill(`${name} {filter} is neither a text nor an array of instructions`, { filter }), name);
}

/** Whether a filter is the text of an expression, which comes to another program on another kind of link. */
export function isExpression(filter: unknown): filter is string {
  return typeof filter === 'string' && filter.trim() !== '' && !isProgram(filter);
}

/**
 * A filter checked, in the form that can be kept for a link that is not known yet: an expression as it is, else instructions; null for none.
 * Throws as `parseFilter`.
 */
export function checkedFilter(filter: unknown): Filter | null {
  const program = parseFilter(filter);
  if (program.length === 0) return null;
  return isExpression(filter) ? filter : program;
}

function parseText(text: string, name: string, target: CompileOptions): readonly BpfInsn[] {
  if (text.trim() === '') return [];
  if (!isProgram(text)) return compile(text, name, target);
  const program = readProgram(text, name);
  if (typeof program === 'string') throw NetringError.config(program, name);
  // Line 1 holds the count.
  const problem = programProblem(program, `${name} line `, 2, target.for);
  if (problem !== null) throw NetringError.config(problem, name);
  return program.map(([code = 0, jt = 0, jf = 0, k = 0]) => ({ code, jt, jf, k }));
}

function compile(expression: string, name: string, target: CompileOptions): readonly BpfInsn[] {
  try {
    return compileFilter(expression, target);
  } catch (error) {
    if (!(error instanceof FilterError) || name === error.option) throw error;
    // Another option than the one that is called filter.
    const message = error.message.replace(`${error.option} column`, `${name} column`);
    throw new NetringError('Config', message, { code: error.code, option: name, hint: error.hint, cause: error });
  }
}

function parseInstructions(filter: readonly unknown[], name: string, target: CompileOptions): readonly BpfInsn[] {
  const program = filter.map((instruction, index) => {
    if (typeof instruction !== 'object' || instruction === null)
      throw NetringError.config(`${name} instruction ${index} is not an object {code, jt, jf, k}`, name);
    const { code, jt, jf, k } = instruction as Record<keyof BpfInsn, unknown>;
    return [code, jt, jf, k] as number[];
  });
  const problem = programProblem(program, `${name} instruction `, 0, target.for);
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

/**
 * What a socket on a link of type `linkType` (ARPHRD_*) runs for a filter, in the form of `packFilter`. Throws as `parseFilter`; for an expression also
 * where it is not compiled for links of that type.
 */
export function packSocketFilter(filter: Filter | null, linkType: number, snapLen: number): Uint8Array {
  return packFilter(withSnapLen(parseFilter(filter, 'filter', { for: 'socket', linkType }), snapLen));
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
