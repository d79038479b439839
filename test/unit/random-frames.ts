/** Structured random frames, from the formats' descriptions: nothing here is the package's own code. */

/** A seeded source of numbers (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to below - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * below);
  }
  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
  octets(most: number): Buffer {
    return this.bytes(this.below(most + 1));
  }
}

const u16 = (value: number): Buffer => Buffer.of((value >>> 8) & 0xff, value & 0xff);

/** A frame whose lengths are all true. */
export function randomFrame(dice: Dice): Buffer {
  const kinds = [ipv4, ipv4, ipv4, ipv6, ipv6, ipv6, arp, other, llc] as const;
  const [type, body] = dice.pick(kinds)(dice);
  const tags = dice.once(3) ? dice.pick([[0x8100], [0x8100], [0x88a8, 0x8100], [0x9100, 0x8100], [0x8100, 0x8100, 0x8100]]) : [];
  const head = [dice.bytes(6), dice.bytes(6), ...tags.flatMap((tpid) => [u16(tpid), dice.bytes(2)]), u16(type), body];
  const frame = Buffer.concat(head);
  // A short frame is filled up to what Ethernet wants, an IP packet may have anything behind it.
  return frame.length >= 60 ? frame : Buffer.concat([frame, Buffer.alloc(60 - frame.length)]);
}

function arp(dice: Dice): [number, Buffer] {
  return [0x0806, Buffer.concat([Buffer.from('000108000604', 'hex'), u16(dice.pick([1, 2, 1, 2, 8])), dice.bytes(20)])];
}

/** An EtherType for experiments: nobody decodes what it carries. */
function other(dice: Dice): [number, Buffer] {
  return [dice.pick([0x88b5, 0x88b6]), dice.bytes(46 + dice.below(100))];
}

function llc(dice: Dice): [number, Buffer] {
  const body = Buffer.concat([Buffer.from('aaaa03', 'hex'), dice.bytes(5), dice.octets(100)]);
  return [body.length, body];
}

function ipv4(dice: Dice): [number, Buffer] {
  const offset = dice.once(8) ? 1 + dice.below(100) : 0;
  const [protocol, data] = offset > 0 ? [dice.pick([6, 17, 1]), dice.octets(100)] : transport(dice, 4);
  const options = dice.once(4) ? ipv4Options(dice) : Buffer.alloc(0);
  const fragment = offset > 0 ? (dice.below(2) << 13) | offset : dice.pick([0, 0x4000, 0x4000, 0x2000]);
  const head = [
    Buffer.of(0x45 + options.length / 4, dice.below(256)),
    u16(20 + options.length + data.length),
    dice.bytes(2),
    u16(fragment),
    Buffer.of(dice.below(256), protocol),
    dice.bytes(2),
    dice.bytes(8),
    options,
  ];
  return [0x0800, Buffer.concat([...head, data])];
}

/** Options that hold what they should: record route, router alert, timestamps, and no operation between them. */
function ipv4Options(dice: Dice): Buffer {
  const options: Buffer[] = [];
  for (let n = 1 + dice.below(3); n > 0; n--)
    options.push(dice.pick([Buffer.of(1), Buffer.of(148, 4, 0, 0), Buffer.of(7, 7, 4, 1, 2, 3, 4), Buffer.of(68, 8, 5, 0, 0, 0, 0, 1)]));
  return padded(options, 4, 0);
}

function padded(parts: readonly Buffer[], to: number, by: number): Buffer {
  const joined = Buffer.concat(parts);
  return Buffer.concat([joined, Buffer.alloc((to - (joined.length % to)) % to, by)]);
}

function ipv6(dice: Dice): [number, Buffer] {
  const offset = dice.once(8) ? 1 + dice.below(100) : 0;
  const [protocol, data] = offset > 0 ? [dice.pick([6, 17, 58]), dice.octets(100)] : transport(dice, 6);
  const chain: { type: number; body: (next: number) => Buffer }[] = [];
  if (dice.once(4)) chain.push({ type: 0, body: (next) => optionsHeader(next, dice.below(3)) });
  if (dice.once(6)) chain.push({ type: 60, body: (next) => optionsHeader(next, dice.below(3)) });
  if (dice.once(8)) chain.push({ type: 43, body: (next) => routing(next, dice) });
  if (offset > 0 || dice.once(8))
    chain.push({
      type: 44,
      body: (next) => Buffer.concat([Buffer.of(next, 0), u16((offset << 3) | (offset > 0 ? dice.below(2) : 0)), dice.bytes(4)]),
    });
  if (offset === 0 && dice.once(8)) chain.push({ type: 51, body: (next) => Buffer.concat([Buffer.of(next, 4, 0, 0), dice.bytes(20)]) });
  if (offset === 0 && dice.once(6)) chain.push({ type: 60, body: (next) => optionsHeader(next, dice.below(3)) });
  const numbers = [...chain.map(({ type }) => type), protocol];
  const extensions = chain.map(({ body }, i) => body(numbers[i + 1]!));
  const payload = Buffer.concat([...extensions, data]);
  const first = 0x6000_0000 + dice.below(0x1000_0000);
  const word = Buffer.alloc(4);
  word.writeUInt32BE(first);
  return [
    0x86dd,
    Buffer.concat([word, u16(payload.length), Buffer.of(numbers[0]!, dice.below(256)), address6(dice), address6(dice), payload]),
  ];
}

/** With runs of zeros, which have a short form. */
function address6(dice: Dice): Buffer {
  const address = dice.bytes(16);
  for (let n = dice.below(4); n > 0; n--) {
    const from = dice.below(8);
    address.fill(0, 2 * from, 2 * Math.min(8, from + 1 + dice.below(6)));
  }
  if (dice.once(10)) address.fill(0, 0, 10).fill(0xff, 10, 12);
  return address;
}

/** An options header of 8 bytes and more, filled by one PadN option. */
function optionsHeader(next: number, more: number): Buffer {
  const header = Buffer.alloc(8 + 8 * more);
  header.set([next, more, 1, 4 + 8 * more]);
  return header;
}

/** Segments left, of the type for Mobile IPv6: one address. */
function routing(next: number, dice: Dice): Buffer {
  return Buffer.concat([Buffer.of(next, 2, 2, 0, 0, 0, 0, 0), dice.bytes(16)]);
}

function transport(dice: Dice, version: 4 | 6): [number, Buffer] {
  return dice.pick([tcp, tcp, tcp, udp, udp, sctp, experiment, version === 4 ? icmp : icmpv6, version === 4 ? icmp : icmpv6])(dice);
}

/** Ports nobody has registered a protocol for. */
const port = (dice: Dice): Buffer => u16(dice.pick([40_001, 40_101, 50_201, 60_303, 61_999]));

const tcpOptions: readonly ((dice: Dice) => Buffer)[] = [
  () => Buffer.of(1),
  (dice) => Buffer.concat([Buffer.of(2, 4), dice.bytes(2)]),
  (dice) => Buffer.of(3, 3, dice.below(15)),
  () => Buffer.of(4, 2),
  (dice) => Buffer.concat([Buffer.of(8, 10), dice.bytes(8)]),
  (dice) => Buffer.concat([Buffer.of(5, 10), dice.bytes(8)]),
];

function tcp(dice: Dice): [number, Buffer] {
  const options: Buffer[] = [];
  for (let n = dice.below(4); n > 0; n--) options.push(dice.pick(tcpOptions)(dice));
  const area = padded(options, 4, dice.below(2));
  const head = [port(dice), port(dice), dice.bytes(8), Buffer.of((5 + area.length / 4) << 4, dice.below(256)), dice.bytes(6), area];
  return [6, Buffer.concat([...head, dice.octets(200)])];
}

function udp(dice: Dice): [number, Buffer] {
  const data = dice.octets(200);
  return [17, Buffer.concat([port(dice), port(dice), u16(8 + data.length), dice.bytes(2), data])];
}

function sctp(dice: Dice): [number, Buffer] {
  return [132, Buffer.concat([port(dice), port(dice), dice.bytes(8), Buffer.of(11, 0, 0, 4)])];
}

/** A protocol number for experiments. */
function experiment(dice: Dice): [number, Buffer] {
  return [253, dice.octets(100)];
}

function icmp(dice: Dice): [number, Buffer] {
  const type = dice.pick([0, 8, 8, 3, 11]);
  return [1, Buffer.concat([Buffer.of(type, type === 3 ? dice.below(4) : 0), dice.bytes(6), dice.octets(60)])];
}

function icmpv6(dice: Dice): [number, Buffer] {
  const type = dice.pick([128, 129, 135, 136]);
  const body = type < 130 ? [dice.bytes(4), dice.octets(60)] : [Buffer.alloc(4), address6(dice)];
  return [58, Buffer.concat([Buffer.of(type, 0), dice.bytes(2), ...body])];
}
