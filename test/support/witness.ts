/** Independent witnesses: who else saw the frames, and senders that are not ours. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import type { Lab } from './lab';
import { cache, fixture } from './paths';
import { output, type Child } from './process';
import { until } from './wait';

let compiled: string | undefined;

/** The probe (probe.c), compiled when its source changed. */
export function probe(): string {
  if (compiled !== undefined) return compiled;
  const source = fixture('support', 'probe.c');
  const file = cache('probe', createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16));
  if (!existsSync(file)) {
    mkdirSync(cache('probe'), { recursive: true });
    execFileSync('cc', [
      '-O2',
      '-std=gnu11',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-Wno-misleading-indentation',
      source,
      '-o',
      `${file}.${process.pid}`,
    ]);
    renameSync(`${file}.${process.pid}`, file);
  }
  compiled = file;
  return file;
}

/** A frame as an ordinary packet socket saw it. */
export interface SeenFrame {
  /** The bytes on the wire: a VLAN tag that the kernel had taken out is back in. */
  readonly data: Buffer;
  readonly originalLength: number;
  /** `tp_status` of PACKET_AUXDATA. */
  readonly status: number;
  /** The tag that the kernel had taken out. */
  readonly vlan: { readonly tci: number; readonly tpid: number } | null;
  /** PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4. */
  readonly packetType: number;
  readonly protocol: number;
  readonly timestampNs: bigint;
}

export interface WitnessOptions {
  namespace?: number | undefined;
  /** Frames that this socket's own host sent are left out; default true. */
  incomingOnly?: boolean;
}

/** An ordinary AF_PACKET socket in a process of its own. */
export class Witness {
  readonly frames: SeenFrame[] = [];
  readonly child: Child;
  readonly #incomingOnly: boolean;
  #rest = Buffer.alloc(0);

  private constructor(child: Child, incomingOnly: boolean) {
    this.child = child;
    this.#incomingOnly = incomingOnly;
    child.process.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Resolves once the socket is bound: what is sent from now on is seen. */
  static async open(lab: Lab, iface: string, options: WitnessOptions = {}): Promise<Witness> {
    const witness = new Witness(lab.start(probe(), ['receive', iface], { namespace: options.namespace }), options.incomingOnly ?? true);
    await witness.child.says('ready');
    return witness;
  }

  /** The frames, once there are at least `count` of them. */
  async expect(count: number, ms = 5000): Promise<SeenFrame[]> {
    try {
      await until(() => this.frames.length >= count, ms, '');
    } catch {
      throw new Error(`the witness saw ${this.frames.length} of ${count} frames within ${ms} ms`);
    }
    return this.frames;
  }

  async close(): Promise<SeenFrame[]> {
    await this.child.stop('SIGTERM');
    return this.frames;
  }

  #take(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (; at + 32 <= bytes.length; at += 32 + bytes.readUInt32LE(at)) {
      const captured = bytes.readUInt32LE(at);
      if (at + 32 + captured > bytes.length) break;
      const word = (index: number): number => bytes.readUInt32LE(at + 4 * index);
      if (this.#incomingOnly && word(4) === 4) continue;
      const vlan = word(2) & TP_STATUS_VLAN_VALID ? { tci: word(3) & 0xffff, tpid: word(3) >>> 16 } : null;
      this.frames.push({
        data: withTag(Buffer.from(bytes.subarray(at + 32, at + 32 + captured)), vlan),
        originalLength: word(1) + (vlan === null ? 0 : 4),
        status: word(2),
        vlan,
        packetType: word(4),
        protocol: word(5),
        timestampNs: BigInt(word(6)) * 1_000_000_000n + BigInt(word(7)),
      });
    }
    this.#rest = bytes.subarray(at);
  }
}

const TP_STATUS_VLAN_VALID = 1 << 4;

function withTag(data: Buffer, vlan: SeenFrame['vlan']): Buffer {
  if (vlan === null) return data;
  const tag = Buffer.alloc(4);
  tag.writeUInt16BE(vlan.tpid === 0 ? 0x8100 : vlan.tpid, 0);
  tag.writeUInt16BE(vlan.tci, 2);
  return Buffer.concat([data.subarray(0, 12), tag, data.subarray(12)]);
}

/** What a counting witness says of numbered frames. */
export interface Verdict {
  received: number;
  /** Numbers that never came. */
  missing: number;
  doubled: number;
  /** Frames whose bytes are not those of their number. */
  changed: number;
  /** Frames of the ethertype that are not numbered below the total. */
  foreign: number;
  /** Frames whose number is lower than that of the one before. */
  unordered: number;
  /** What the witness's own socket had no room for: the verdict is void unless 0. */
  dropped: number;
}

/** Judges numbered frames by the million without carrying them over. */
export class CountingWitness {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async open(lab: Lab, iface: string, total: number, options: WitnessOptions = {}): Promise<CountingWitness> {
    const child = lab.start(probe(), ['count', iface, String(total)], { namespace: options.namespace });
    await child.says('ready');
    return new CountingWitness(child);
  }

  /** Ends the count; frames that had already arrived are in it. */
  async verdict(): Promise<Verdict> {
    return lastLine<Verdict>(this.#child, true);
  }
}

/** A numbered frame as the probe sends and judges it: broadcast, ethertype 0x88b5, number, then bytes (number + offset) mod 256. */
export function numberedFrame(number: number, length = 64): Buffer {
  const frame = Buffer.alloc(length);
  frame.fill(0xff, 0, 6);
  frame.set([2, 0, 0, 0, 0, 1, 0x88, 0xb5], 6);
  frame.writeBigUInt64BE(BigInt(number), 14);
  for (let i = 22; i < length; i++) frame[i] = (number + i) & 0xff;
  return frame;
}

/** Sends frames from an ordinary socket in another process. Rejects when the kernel refuses one. */
export async function sendFrames(lab: Lab, iface: string, frames: readonly Uint8Array[], namespace?: number): Promise<void> {
  const child = lab.start(probe(), ['send', iface], { namespace });
  child.process.stdin.end(frames.map((frame) => `${Buffer.from(frame).toString('hex')}\n`).join(''));
  const result = await lastLine<{ sent: number; failed: number; errno: number }>(child, false);
  if (result.sent !== frames.length) throw new Error(`the probe sent ${result.sent} of ${frames.length} frames, errno ${result.errno}`);
}

export interface FloodOptions {
  count: number;
  /** Bytes a frame; default 64. */
  length?: number;
  /** Frames a second; default 0: as fast as it goes. */
  rate?: number;
  namespace?: number | undefined;
}

/** Sends numbered frames from another process. Resolves when all are sent. */
export async function flood(lab: Lab, iface: string, options: FloodOptions): Promise<{ sent: number; seconds: number }> {
  const args = ['flood', iface, String(options.count), String(options.length ?? 64), String(options.rate ?? 0)];
  return lastLine(lab.start(probe(), args, { namespace: options.namespace }), false, 60_000);
}

async function lastLine<T>(child: Child, endInput: boolean, ms = 30_000): Promise<T> {
  let text = '';
  child.process.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  if (endInput) child.process.stdin.end();
  const code = await child.exitCode(ms);
  if (code !== 0) throw new Error(`the probe ended with ${code}: ${child.errors}`);
  return JSON.parse(text) as T;
}

/** tcpdump, or its like, in a process of its own; `frames()` ends it and returns what it wrote as a pcap file. */
export class Tcpdump {
  readonly #child: Child;
  readonly #chunks: Buffer[] = [];

  private constructor(child: Child) {
    this.#child = child;
    child.process.stdout.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
  }

  /** Resolves once tcpdump listens, to whatever matches the words of the filter. */
  static async open(lab: Lab, iface: string, filter: readonly string[] = [], namespace?: number): Promise<Tcpdump> {
    // tcpdump sets its groups, which a user namespace forbids; dumpcap does not.
    const inUserNamespace = readFileSync('/proc/self/setgroups', 'utf8').trim() === 'deny';
    // 32 MiB hold some hundred frames, in slots for the longest one, while it does not run. The 2 MiB of the default are a few dozen.
    const [program, ready, ...args] = inUserNamespace
      ? ['dumpcap', 'File: -', '-B', '32', '-P', '-w', '-', '-i', iface, ...(filter.length === 0 ? [] : ['-f', filter.join(' ')])]
      : ['tcpdump', 'listening on', '-U', '-B', '32768', '--immediate-mode', '-s', '0', '-Z', 'root', '-w', '-', '-i', iface, ...filter];
    const child = lab.start(program ?? '', args, { namespace });
    await child.says(ready ?? '');
    return new Tcpdump(child);
  }

  /** Waits until tcpdump has written `count` frames, ends it, and returns the frames' bytes. */
  async frames(count: number, ms = 5000): Promise<Buffer[]> {
    await until(() => pcapFrames(Buffer.concat(this.#chunks)).length >= count, ms, `${count} frames from tcpdump`).catch(() => undefined);
    await this.#child.stop('SIGTERM');
    return pcapFrames(Buffer.concat(this.#chunks));
  }

  /** The pcap file written so far. */
  get file(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** The frames of a little-endian pcap file, whole ones only. */
export function pcapFrames(file: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 24; at + 16 <= file.length;) {
    const length = file.readUInt32LE(at + 8);
    if (at + 16 + length > file.length) break;
    frames.push(file.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}

/** tshark's reading of a pcap or pcapng file: one object of field name -> values a packet, for the fields named. */
export function tshark(file: Uint8Array, fields: readonly string[], args: readonly string[] = []): Record<string, string[]>[] {
  const words = ['-r', '-', '-T', 'json', ...fields.flatMap((field) => ['-e', field]), ...args];
  // tshark refuses the socket that Node gives a child as stdin, a pipe is fine.
  const text = output('sh', ['-c', 'cat | exec tshark "$@"', 'tshark', ...words], { input: file });
  return (JSON.parse(text) as { _source: { layers: Record<string, string[]> } }[]).map((packet) => packet._source.layers);
}

/** A pcap file of frames, for tools that judge them. */
export function pcapFile(frames: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.set([2, 0, 4, 0], 4);
  header.writeUInt32LE(1 << 18, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.flatMap((frame) => {
    const head = Buffer.alloc(16);
    head.writeUInt32LE(frame.length, 8);
    head.writeUInt32LE(frame.length, 12);
    return [head, frame];
  });
  return Buffer.concat([header, ...records]);
}
