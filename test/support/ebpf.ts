/** eBPF programs without a compiler: instructions put into an object file as clang would leave it, loaded and pinned by bpftool. */
import { mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from './lab';
import { output } from './process';

/** One instruction, `struct bpf_insn` of linux/bpf.h. */
export interface EbpfInsn {
  code: number;
  dst?: number;
  src?: number;
  off?: number;
  imm?: number;
}

/** r6 = r1: where the loads of frame bytes expect the context. */
const KEEP_CONTEXT: EbpfInsn = { code: 0xbf, dst: 6, src: 1 };
const returns = (imm: number): EbpfInsn[] => [{ code: 0xb7, dst: 0, imm }, { code: 0x95 }];

/** Accepts `length` bytes of the frames of one EtherType, and nothing of the others. */
export function onlyEtherType(etherType: number, length = 0xffff): EbpfInsn[] {
  // r0 = ldh [12]; if r0 != etherType goto +2; return length; return 0
  return [KEEP_CONTEXT, { code: 0x28, imm: 12 }, { code: 0x55, dst: 0, off: 2, imm: etherType }, ...returns(length), ...returns(0)];
}

/** Returns the byte at `offset` of what the program sees. */
export const byteAt = (offset: number): EbpfInsn[] => [KEEP_CONTEXT, { code: 0x30, imm: offset }, { code: 0x95 }];

/** Returns the byte at `offset` of the frame, from its link-layer header on, wherever the kernel stands in it. */
export const byteOfFrameAt = (offset: number): EbpfInsn[] => [
  // *(u64 *)(r10 - 8) = 0; bpf_skb_load_bytes_relative(context, offset, r10 - 8, 1, BPF_HDR_START_MAC)
  { code: 0x7a, dst: 10, off: -8, imm: 0 },
  { code: 0xb7, dst: 2, imm: offset },
  { code: 0xbf, dst: 3, src: 10 },
  { code: 0x07, dst: 3, imm: -8 },
  { code: 0xb7, dst: 4, imm: 1 },
  { code: 0xb7, dst: 5, imm: 0 },
  { code: 0x85, imm: 68 },
  { code: 0x71, dst: 0, src: 10, off: -8 },
  { code: 0x95 },
];

/** A bpf file system that the lab unmounts, and what bpftool pins in it. */
export class BpfPins {
  readonly folder: string;
  #count = 0;

  /** In a folder of its own, or over the one that is given. */
  constructor(lab: Lab, folder?: string) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'netring-bpf-'));
    output('mount', ['-t', 'bpf', 'bpf', this.folder]);
    lab.defer(() => {
      output('umount', [this.folder]);
      if (folder === undefined) rmdirSync(this.folder);
    });
  }

  /** Loads a program and returns the path it is pinned to. */
  load(program: readonly EbpfInsn[], type: 'socket' | 'xdp' = 'socket', name = `program${this.#count++}`): string {
    const folder = mkdtempSync(join(tmpdir(), 'netring-object-'));
    const file = join(folder, 'program.o');
    const path = join(this.folder, name);
    writeFileSync(file, objectFile(program, type));
    try {
      output('bpftool', ['prog', 'load', file, path]);
    } finally {
      output('rm', ['-r', folder]);
    }
    return path;
  }
}

function encode({ code, dst = 0, src = 0, off = 0, imm = 0 }: EbpfInsn): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.set([code, dst | (src << 4)]);
  bytes.writeInt16LE(off, 2);
  bytes.writeInt32LE(imm | 0, 4);
  return bytes;
}

/** A relocatable ELF64 file for EM_BPF: the program in a section that names its type, its license, one symbol. */
function objectFile(program: readonly EbpfInsn[], section: string): Buffer {
  const names = ['', section, 'license', '.symtab', '.strtab', 'netring_test'];
  const strings = Buffer.from(names.map((name) => `${name}\0`).join(''));
  const nameAt = (name: string): number => strings.indexOf(`\0${name}\0`) + 1;
  const code = Buffer.concat(program.map(encode));
  const symbols = Buffer.alloc(48);
  // st_name, st_info STB_GLOBAL | STT_FUNC, st_shndx, st_size
  symbols.writeUInt32LE(nameAt('netring_test'), 24);
  symbols.writeUInt8(0x12, 28);
  symbols.writeUInt16LE(1, 30);
  symbols.writeBigUInt64LE(BigInt(code.length), 40);
  const sections = [
    { name: section, type: 1, flags: 6, bytes: code },
    { name: 'license', type: 1, flags: 3, bytes: Buffer.from('GPL\0') },
    { name: '.symtab', type: 2, flags: 0, bytes: symbols, link: 4, info: 1, entry: 24 },
    { name: '.strtab', type: 3, flags: 0, bytes: strings },
  ];
  const header = Buffer.alloc(64);
  const table = Buffer.alloc(64 * (sections.length + 1));
  let at = header.length;
  const bodies = sections.map(({ name, type, flags, bytes, link = 0, info = 0, entry = 0 }, i) => {
    const row = table.subarray(64 * (i + 1));
    row.writeUInt32LE(nameAt(name), 0);
    row.writeUInt32LE(type, 4);
    row.writeBigUInt64LE(BigInt(flags), 8);
    row.writeBigUInt64LE(BigInt(at), 24);
    row.writeBigUInt64LE(BigInt(bytes.length), 32);
    row.writeUInt32LE(link, 40);
    row.writeUInt32LE(info, 44);
    row.writeBigUInt64LE(8n, 48);
    row.writeBigUInt64LE(BigInt(entry), 56);
    const padded = Buffer.alloc(Math.ceil(bytes.length / 8) * 8);
    bytes.copy(padded);
    at += padded.length;
    return padded;
  });
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  // ET_REL, EM_BPF, e_version, e_shoff, sizes and counts, e_shstrndx
  header.writeUInt16LE(1, 16);
  header.writeUInt16LE(247, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(at), 40);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(sections.length + 1, 60);
  header.writeUInt16LE(4, 62);
  return Buffer.concat([header, ...bodies, table]);
}
