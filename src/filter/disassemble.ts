/** Classic BPF as text, one line an instruction, in the notation of `tcpdump -d`. */
import type { BpfInsn } from './instruction';

/** Offsets at which the kernel keeps what it knows of a packet besides its bytes (`SKF_AD_*` of linux/filter.h), by libpcap's names; 4 apart. */
const ANCILLARY = [
  'proto',
  'type',
  'ifidx',
  'nla',
  'nlan',
  'mark',
  'queue',
  'hatype',
  'rxhash',
  'cpu',
  'xor_x',
  'vlan_tci',
  'vlanp',
  'poff',
  'random',
  'vlan_tpid',
] as const;

const SKF_AD_OFF = -0x1000;
const SKF_NET_OFF = -0x100000;
const SKF_LL_OFF = -0x200000;

/** What stands behind the mnemonic. `at` is the instruction's own number. */
type Operand = (k: number, at: number) => string;

const hex: Operand = (k) => `#0x${k.toString(16)}`;
const decimal: Operand = (k) => `#${k | 0}`;
const memory: Operand = (k) => `M[${k}]`;
const none: Operand = () => '';
const x: Operand = () => 'x';
const length: Operand = () => '#pktlen';
const absolute: Operand = (k) => `[${place(k | 0)}]`;
const indirect: Operand = (k) => `[x + ${k | 0}]`;
const header: Operand = (k) => `4*([${place(k | 0)}]&0xf)`;
const target: Operand = (k, at) => String(at + 1 + k);

const INSTRUCTIONS: ReadonlyMap<number, readonly [mnemonic: string, operand: Operand]> = new Map([
  [0x20, ['ld', absolute]],
  [0x28, ['ldh', absolute]],
  [0x30, ['ldb', absolute]],
  [0x40, ['ld', indirect]],
  [0x48, ['ldh', indirect]],
  [0x50, ['ldb', indirect]],
  [0x80, ['ld', length]],
  [0x00, ['ld', hex]],
  [0x60, ['ld', memory]],
  [0x81, ['ldx', length]],
  [0x01, ['ldx', hex]],
  [0x61, ['ldx', memory]],
  [0xb1, ['ldxb', header]],
  [0x02, ['st', memory]],
  [0x03, ['stx', memory]],
  ...alu('add', 0x00, decimal),
  ...alu('sub', 0x10, decimal),
  ...alu('mul', 0x20, decimal),
  ...alu('div', 0x30, decimal),
  ...alu('or', 0x40, hex),
  ...alu('and', 0x50, hex),
  ...alu('lsh', 0x60, decimal),
  ...alu('rsh', 0x70, decimal),
  [0x84, ['neg', none]],
  ...alu('mod', 0x90, decimal),
  ...alu('xor', 0xa0, hex),
  [0x05, ['ja', target]],
  ...jump('jeq', 0x10),
  ...jump('jgt', 0x20),
  ...jump('jge', 0x30),
  ...jump('jset', 0x40),
  [0x06, ['ret', decimal]],
  [0x16, ['ret', none]],
  [0x07, ['tax', none]],
  [0x87, ['txa', none]],
]);

const BPF_JMP = 0x05;

/**
 * The program as text, in the notation of `tcpdump -d`: each line holds an instruction's number, mnemonic and operand, and where a comparison goes
 * when it holds (`jt`) and when it does not (`jf`). Loads beyond the frame have names: `[vlanp]` for the kernel's ancillary data, `[net + 9]` and
 * `[link + 9]` from a header on. A code that is no instruction of classic BPF is shown as `unimp`.
 *
 * @example As tcpdump -d prints it
 * ```ts
 * import { compileFilter, disassemble } from '@netring/node-red';
 *
 * console.log(disassemble(compileFilter('arp')));
 * // (000) ldh      [12]
 * // (001) jeq      #0x806           jt 2	jf 3
 * // (002) ret      #262144
 * // (003) ret      #0
 * ```
 */
export function disassemble(program: readonly BpfInsn[]): string {
  return program.map(line).join('\n');
}

function line({ code, jt, jf, k }: BpfInsn, at: number): string {
  const [mnemonic, operand] = INSTRUCTIONS.get(code) ?? ['unimp', () => `0x${code.toString(16)}`];
  const text = `(${String(at).padStart(3, '0')}) ${mnemonic.padEnd(8)} ${operand(k >>> 0, at)}`;
  if (code === BPF_JMP || (code & 0x07) !== BPF_JMP) return text.trimEnd();
  return `${text.padEnd(31)} jt ${at + 1 + jt}\tjf ${at + 1 + jf}`;
}

function place(offset: number): string {
  if (offset >= 0) return String(offset);
  if (offset >= SKF_AD_OFF) return ANCILLARY[(offset - SKF_AD_OFF) / 4] ?? String(offset);
  if (offset >= SKF_NET_OFF) return `net + ${offset - SKF_NET_OFF}`;
  if (offset >= SKF_LL_OFF) return `link + ${offset - SKF_LL_OFF}`;
  return String(offset);
}

function alu(mnemonic: string, operation: number, constant: Operand): [number, readonly [string, Operand]][] {
  return [
    [0x04 | operation, [mnemonic, constant]],
    [0x0c | operation, [mnemonic, x]],
  ];
}

function jump(mnemonic: string, comparison: number): [number, readonly [string, Operand]][] {
  return [
    [0x05 | comparison, [mnemonic, hex]],
    [0x0d | comparison, [mnemonic, x]],
  ];
}
