/** What tools that are not ours say of a capture file. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { output } from '../support/process';

/** One packet, as a tool tells it. */
export interface SeenPacket {
  /** What `digest` makes of its bytes. */
  data: string;
  originalLength: number;
  /** Nanoseconds since the epoch. */
  time: bigint;
}

/** Stands for bytes where they are compared, so that a difference can be looked at. */
export function digest(bytes: Uint8Array): string {
  return `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`;
}

export interface Summary {
  packets: number;
  /** Sum of the lengths on the wire. */
  bytes: number;
  /** Times of the earliest and the latest packet, in seconds with nine places; `n/a` when there is none, or a packet has no time. */
  first: string;
  last: string;
}

export const seconds = (ns: bigint): string => `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;

/** capinfos's counts of one file. */
export function capinfos(file: string): Summary {
  return capinfosOfAll([file])[0]!;
}

/** capinfos's counts of many files. */
export function capinfosOfAll(files: readonly string[]): Summary[] {
  const [, ...lines] = output('capinfos', ['-T', '-m', '-Q', '-c', '-d', '-a', '-e', '-S', ...files])
    .trim()
    .split('\n');
  return lines.map((line) => {
    const [, packets, bytes, first, last] = line.split(',').map((cell) => cell.replaceAll('"', ''));
    return { packets: Number(packets), bytes: Number(bytes), first: nine(first!), last: nine(last!) };
  });
}

/** A time with nine places, whatever the resolution of the file. */
function nine(time: string): string {
  const [whole, fraction = ''] = time.split('.');
  return time === 'n/a' ? time : `${whole}.${fraction.padEnd(9, '0')}`;
}

/** Every packet as tcpdump copies it, times to the nanosecond. Throws when tcpdump does not read the file. */
export function tcpdumpCopy(file: string): SeenPacket[] {
  const copy = execFileSync('tcpdump', ['-r', file, '--nano', '-Z', 'root', '-w', '-'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
  });
  const packets: SeenPacket[] = [];
  for (let at = 24; at < copy.length; at += 16 + copy.readUInt32LE(at + 8))
    packets.push({
      data: digest(copy.subarray(at + 16, at + 16 + copy.readUInt32LE(at + 8))),
      originalLength: copy.readUInt32LE(at + 12),
      time: BigInt(copy.readUInt32LE(at)) * 1_000_000_000n + BigInt(copy.readUInt32LE(at + 4)),
    });
  return packets;
}

/** Time of every ARP packet as tcpdump prints it, in seconds with nine places. */
export function tcpdumpTimes(file: string): string[] {
  const text = output('tcpdump', ['-r', file, '-nn', '-tt', '--nano', '-Z', 'root']);
  return text.split('\n').flatMap((line) => /^(\d+\.\d{9}) ARP,/.exec(line)?.[1] ?? []);
}

/** Every packet as Wireshark's own reader has it: `editcap` writes them to `scratch`, in nanoseconds where the file told its times finer. */
export function wiretapCopy(file: string, scratch: string): SeenPacket[] {
  output('editcap', ['-F', 'pcapng', file, scratch]);
  const copy = readFileSync(scratch);
  const packets: SeenPacket[] = [];
  const units: bigint[] = [];
  for (let at = 0; at < copy.length; at += copy.readUInt32LE(at + 4)) {
    const type = copy.readUInt32LE(at);
    if (type === 0x0a0d0d0a) units.length = 0;
    if (type === 1) units.push(unitOf(copy.subarray(at + 16, at + copy.readUInt32LE(at + 4) - 4)));
    if (type !== 6) continue;
    const ticks = (BigInt(copy.readUInt32LE(at + 12)) << 32n) | BigInt(copy.readUInt32LE(at + 16));
    packets.push({
      data: digest(copy.subarray(at + 28, at + 28 + copy.readUInt32LE(at + 20))),
      originalLength: copy.readUInt32LE(at + 24),
      time: (ticks * 1_000_000_000n) / units[copy.readUInt32LE(at + 8)]!,
    });
  }
  return packets;
}

/** Ticks a second of a described interface, by its options. */
function unitOf(options: Buffer): bigint {
  for (let at = 0; at + 4 <= options.length; at += 4 + ((options.readUInt16LE(at + 2) + 3) & ~3))
    if (options.readUInt16LE(at) === 9) {
      const resolution = options[at + 4]!;
      return (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
    }
  return 1_000_000n;
}
