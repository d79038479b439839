/** Classic BPF as the kernel runs it on a socket, over the bytes of a frame. */
import { inspect } from 'node:util';
import { isUint8Array } from 'node:util/types';
import { NetringError } from '../errors/errors';
import type { BpfInsn } from './instruction';
import { ancillary } from './ancillary';
import { calculate } from './arithmetic-unit';
import { type FilterContext } from './filter-context';
import { BPF_MEMWORDS, SKF_AD, SKF_AD_OFF, SKF_LL_OFF, SKF_NET_OFF } from './opcodes';

const NOTHING: FilterContext = {};
const OUTSIDE = -1;
const ETHERNET_HEADER = 14;

/**
 * Whether `program` accepts `frame`, bytes or a packet with such `data`. Semantics of the kernel: a load outside of the frame and a division by zero refuse it, arithmetic is unsigned in 32
 * bits, shifts use the low 5 bits of X. An empty program accepts. Throws `NetringError` kind `Config` for a program that the kernel would not
 * take, when it comes to the instruction; TypeError for what is no program or no frame.
 *
 * @example Of a file's frame, and of one whose tag the kernel has taken out
 * ```ts
 * import { compileFilter, filterMatches } from '@netring/node-red';
 *
 * const frame = Buffer.from('ffffffffffff02000000000188b5', 'hex');
 * console.log(filterMatches(compileFilter('ether proto 0x88b5', { for: 'file' }), frame)); // true
 * console.log(filterMatches(compileFilter('vlan 7'), frame, { vlan: { tci: 7, tpid: 0x8100 } })); // true
 * ```
 */
export function filterMatches(
  program: readonly BpfInsn[],
  frame: Uint8Array | { readonly data: Uint8Array },
  context: FilterContext = NOTHING,
): boolean {
  if (!Array.isArray(program)) throw new TypeError(`program is ${inspect(program)}: compileFilter makes one of an expression`);
  const bytes = isUint8Array(frame) ? frame : (frame as { data?: unknown } | null | undefined)?.data;
  if (!isUint8Array(bytes)) throw new TypeError('filterMatches takes bytes, or a packet object with data');
  return program.length === 0 || runFilter(program, bytes, context) !== 0;
}

/** What `program` returns for `frame`: the number of bytes to keep, 0 to refuse it. See `filterMatches`. */
export function runFilter(program: readonly BpfInsn[], frame: Uint8Array, context: FilterContext = NOTHING): number {
  let a = 0;
  let x = 0;
  // Most programs need no scratch memory, and it is a heap object.
  let memory: Uint32Array | null = null;
  // Jumps only go forward, whatever the numbers are, so that every program ends.
  for (let pc = 0; pc < program.length; pc++) {
    const { code, jt, jf, k } = program[pc] as BpfInsn;
    switch (code) {
      case 0x20: // ld [k]
      case 0x28: // ldh [k]
      case 0x30: {
        // ldb [k]
        const size = code === 0x20 ? 4 : code === 0x28 ? 2 : 1;
        const at = k | 0;
        if (at < 0 && at >= SKF_AD_OFF) {
          const which = at - SKF_AD_OFF;
          if (which === SKF_AD.xorX) a = (a ^ x) >>> 0;
          else a = ancillary(which, context);
          if (a === OUTSIDE) return 0;
          break;
        }
        const start = at < 0 ? behind(at, context) : at;
        if (start < 0 || start + size > frame.length) return 0;
        a = load(frame, start, size);
        break;
      }
      case 0x40: // ld [x + k]
      case 0x48: // ldh [x + k]
      case 0x50: {
        // ldb [x + k]
        const size = code === 0x40 ? 4 : code === 0x48 ? 2 : 1;
        const at = (x + k) | 0;
        const start = at < 0 ? behind(at, context) : at;
        if (start < 0 || start + size > frame.length) return 0;
        a = load(frame, start, size);
        break;
      }
      case 0x15: // jeq #k
        pc += (a === k ? jt : jf) & 0xff;
        break;
      case 0x25: // jgt #k
        pc += (a > k ? jt : jf) & 0xff;
        break;
      case 0x35: // jge #k
        pc += (a >= k ? jt : jf) & 0xff;
        break;
      case 0x45: // jset #k
        pc += ((a & k) !== 0 ? jt : jf) & 0xff;
        break;
      case 0x1d: // jeq x
        pc += (a === x ? jt : jf) & 0xff;
        break;
      case 0x2d: // jgt x
        pc += (a > x ? jt : jf) & 0xff;
        break;
      case 0x3d: // jge x
        pc += (a >= x ? jt : jf) & 0xff;
        break;
      case 0x4d: // jset x
        pc += ((a & x) !== 0 ? jt : jf) & 0xff;
        break;
      case 0x05: // ja
        pc += k >>> 0;
        break;
      case 0x06: // ret #k
        return k >>> 0;
      case 0x16: // ret a
        return a;
      case 0xb1: {
        // ldxb 4*([k]&0xf)
        const at = k | 0;
        const start = at < 0 ? behind(at, context) : at;
        if (start < 0 || start >= frame.length) return 0;
        x = ((frame[start] as number) & 0xf) << 2;
        break;
      }
      case 0x80: // ld #pktlen
        a = (context.length ?? frame.length) >>> 0;
        break;
      case 0x81: // ldx #pktlen
        x = (context.length ?? frame.length) >>> 0;
        break;
      case 0x00: // ld #k
        a = k >>> 0;
        break;
      case 0x01: // ldx #k
        x = k >>> 0;
        break;
      case 0x60: // ld M[k]
        a = memory === null ? 0 : (memory[k & (BPF_MEMWORDS - 1)] as number);
        break;
      case 0x61: // ldx M[k]
        x = memory === null ? 0 : (memory[k & (BPF_MEMWORDS - 1)] as number);
        break;
      case 0x02: // st M[k]
        memory ??= new Uint32Array(BPF_MEMWORDS);
        memory[k & (BPF_MEMWORDS - 1)] = a;
        break;
      case 0x03: // stx M[k]
        memory ??= new Uint32Array(BPF_MEMWORDS);
        memory[k & (BPF_MEMWORDS - 1)] = x;
        break;
      case 0x07: // tax
        x = a;
        break;
      case 0x87: // txa
        a = x;
        break;
      default: {
        const operand = (code & 0x08) !== 0 ? x : k >>> 0;
        if ((code & 0xff07) !== 0x04) throw notAnInstruction(pc, code);
        if (operand === 0 && ((code & 0xf0) === 0x30 || (code & 0xf0) === 0x90)) return 0;
        a = calculate(code & 0xf0, a, operand);
        if (a === OUTSIDE) throw notAnInstruction(pc, code);
      }
    }
  }
  throw NetringError.config('filter runs past its last instruction', 'filter');
}

/** What a negative offset stands for: a place behind the network header or the link header; -1 for none. */
function behind(at: number, { networkOffset = ETHERNET_HEADER }: FilterContext): number {
  if (at >= SKF_NET_OFF) return networkOffset + at - SKF_NET_OFF;
  return at >= SKF_LL_OFF ? at - SKF_LL_OFF : OUTSIDE;
}

function load(frame: Uint8Array, at: number, size: number): number {
  if (size === 1) return frame[at] as number;
  const half = ((frame[at] as number) << 8) | (frame[at + 1] as number);
  return size === 2 ? half : ((half << 16) | ((frame[at + 2] as number) << 8) | (frame[at + 3] as number)) >>> 0;
}

function notAnInstruction(index: number, code: number): NetringError {
  return NetringError.config(`filter instruction ${index}: code ${code} is no instruction of classic BPF`, 'filter');
}
