/** Frames for filters to disagree about: every protocol of the language, cut, bent and hostile. */
import { type FilterContext } from '../../../src/filter/filter-context';
import { ETHERTYPES, host6Bytes, hostBytes, HOSTS, HOSTS6, LABELS, macBytes, MACS, PORTS, PROTOCOL_NUMBERS, SESSIONS, VIDS } from './pools';
import { type Random } from './random';

export interface Sample {
  frame: Uint8Array;
  context: FilterContext;
}

const word = (value: number): number[] => [(value >>> 8) & 0xff, value & 0xff];
const long = (value: number): number[] => [...word(value >>> 16), ...word(value)];

/** Every length of the first frames, then random ones: `count` in all. */
export function packets(random: Random, count: number): Sample[] {
  const samples: Sample[] = [];
  const add = (frame: readonly number[]): void =>
    void samples.push({ frame: Uint8Array.from(frame), context: contextOf(random, frame.length) });
  for (const build of [tcpOverIpv4, tcpOverIpv6, arp, udpInVlan, llc, icmpFragment]) {
    const frame = build(random);
    for (let length = 0; length <= Math.min(frame.length, 78) && samples.length < count; length++) add(frame.slice(0, length));
  }
  while (samples.length < count) add(bent(random, ethernet(random)));
  return samples;
}

/** A tag that was taken out, as on most sockets, or none. */
function contextOf(random: Random, length: number): FilterContext {
  return {
    vlan: random.chance(40) ? { tci: (random.below(8) << 13) | random.of(VIDS), tpid: random.of([0x8100, 0x88a8]) } : null,
    packetType: random.below(5),
    interfaceIndex: random.below(4),
    ...(random.chance(10) ? { length: length + random.below(2000) } : {}),
  };
}

/** Some frames are cut, some have bits turned over, some are noise behind their header. */
function bent(random: Random, frame: number[]): number[] {
  if (random.chance(25)) return frame.slice(0, random.below(frame.length + 1));
  if (random.chance(15)) for (let count = 1 + random.below(4); count > 0; count--) frame[random.below(frame.length)] = random.below(256);
  if (random.chance(5)) return [...frame.slice(0, 14), ...random.bytes(random.below(60))];
  return frame;
}

const addresses = (random: Random): number[] => [...macBytes(random.of(MACS)), ...macBytes(random.of(MACS))];

function ethernet(random: Random): number[] {
  const frame = addresses(random);
  while (random.chance(30)) frame.push(...word(random.of([0x8100, 0x8100, 0x88a8, 0x9100])), ...tag(random));
  return [...frame, ...payload(random)];
}

const tag = (random: Random): number[] => word((random.below(8) << 13) | random.of(VIDS));

/** EtherType and what it announces. */
function payload(random: Random): number[] {
  switch (random.below(20)) {
    case 0:
      return [...word(random.of(ETHERTYPES)), ...random.bytes(random.below(60))];
    case 1:
      return [...word(random.of([0x0806, 0x8035])), ...arpBody(random)];
    case 2:
      return llcBody(random);
    case 3:
      return [...word(0x8847), ...labels(random), ...(random.chance(60) ? ipv4(random) : ipv6(random))];
    case 4: {
      const inner = random.of([
        () => [0x00, 0x21, ...ipv4(random)],
        () => [0x00, 0x57, ...ipv6(random)],
        () => [...word(random.of([0x23, 0x27, 0x29, 0x2b, 0x31, 0x0281, 0x0806])), ...random.bytes(20)],
      ])();
      return [...word(0x8864), 0x11, 0, ...word(random.of(SESSIONS)), ...word(inner.length), ...inner];
    }
    case 5:
      return [...word(0x8863), 0x11, 9, 0, 0, 0, 0];
    case 6:
      return llcBody(random);
    case 7:
      return [...word(random.of(ETHERTYPES)), ...random.bytes(random.below(60))];
    case 8:
    case 9:
    case 10:
    case 11:
      return [...word(0x86dd), ...ipv6(random)];
    default:
      return [...word(0x0800), ...ipv4(random)];
  }
}

function labels(random: Random): number[] {
  const stack: number[] = [];
  for (let more = true; more;) {
    more = random.chance(40);
    stack.push(...long(((random.of(LABELS) << 12) | (random.below(8) << 9) | (more ? 0 : 0x100) | random.below(256)) >>> 0));
  }
  return stack;
}

function arpBody(random: Random): number[] {
  return [
    0,
    1,
    8,
    0,
    6,
    4,
    0,
    1 + random.below(4),
    ...macBytes(random.of(MACS)),
    ...hostBytes(random.of(HOSTS)),
    ...macBytes(random.of(MACS)),
    ...hostBytes(random.of(HOSTS)),
  ];
}

/** IEEE 802.3 with 802.2 behind the length, or Novell's form without. */
function llcBody(random: Random): number[] {
  const body = random.of([
    () => [0x42, 0x42, 3, ...random.bytes(20)],
    () => [
      0xfe,
      0xfe,
      3,
      random.of([0x81, 0x82, 0x83]),
      ...random.bytes(3),
      random.of([15, 16, 17, 18, 20, 24, 25, 26, 27]),
      ...random.bytes(10),
    ],
    () => [0xf0, 0xf0, ...random.bytes(10)],
    () => [0x06, 0x06, ...random.bytes(10)],
    () => [0xe0, 0xe0, ...random.bytes(10)],
    () => [0xff, 0xff, ...random.bytes(10)],
    () => [
      0xaa,
      0xaa,
      3,
      ...random.of([
        [0, 0, 0],
        [8, 0, 7],
      ]),
      ...word(random.of(ETHERTYPES)),
      ...random.bytes(10),
    ],
    () => random.bytes(20),
  ])();
  return [...word(random.chance(70) ? body.length : random.of([0, 1500, 1501, 1502, random.below(1502)])), ...body];
}

function ipv4(
  random: Random,
  protocol = random.chance(80) ? random.of([1, 2, 6, 6, 6, 17, 17, 103, 112, 132]) : random.of(PROTOCOL_NUMBERS),
): number[] {
  const options = random.chance(20) ? random.below(11) : 0;
  // A header that says it is shorter than a header can be.
  const words = random.chance(4) ? random.below(5) : 5 + options;
  const fragment = random.chance(20) ? random.of([0x2000, 0x0001, 0x2001, 0x1fff, 0x1000, 0x00b9]) : random.of([0, 0x4000]);
  const body = transport(random, protocol);
  return [
    ((random.chance(95) ? 4 : random.below(16)) << 4) | words,
    random.of([0, 1, 0x0f, 0x10, random.below(256)]),
    ...word(20 + 4 * options + body.length),
    ...random.bytes(2),
    ...word(fragment),
    random.of([64, 1, random.below(256)]),
    protocol,
    0,
    0,
    ...hostBytes(random.of(HOSTS)),
    ...hostBytes(random.of(HOSTS)),
    ...random.bytes(4 * options),
    ...body,
  ];
}

function ipv6(random: Random, protocol = random.chance(80) ? random.of([6, 6, 17, 58, 132]) : random.of(PROTOCOL_NUMBERS)): number[] {
  let body = transport(random, protocol);
  let next = protocol;
  while (random.chance(20)) {
    const kind = random.of([0, 43, 44, 44, 60]);
    body = [next, 0, ...random.bytes(6), ...body];
    next = kind;
  }
  return [
    0x60 | random.below(16),
    ...random.bytes(3),
    ...word(body.length),
    next,
    64,
    ...host6Bytes(random.of(HOSTS6)),
    ...host6Bytes(random.of(HOSTS6)),
    ...body,
  ];
}

function transport(random: Random, protocol: number): number[] {
  const ports = [...word(random.of(PORTS)), ...word(random.of(PORTS))];
  switch (protocol) {
    case 6:
      return [
        ...ports,
        ...random.bytes(8),
        (5 + random.below(11)) << 4,
        random.below(256),
        ...random.bytes(6),
        ...random.bytes(random.below(30)),
      ];
    case 17:
      return [...ports, ...word(8), 0, 0, ...random.bytes(random.below(30))];
    case 132:
      return [...ports, ...random.bytes(8)];
    case 1:
      return [random.of([0, 3, 5, 8, 11]), random.below(16), ...random.bytes(6)];
    case 58:
      return [random.of([1, 128, 129, 133, 135, 136]), random.below(4), ...random.bytes(6)];
    default:
      return [random.of([0x01, 0x16, 0x21, 0x20]), ...random.bytes(random.below(24))];
  }
}

const tcpOverIpv4 = (random: Random): number[] => [...addresses(random), 8, 0, ...ipv4(random, 6)];
const tcpOverIpv6 = (random: Random): number[] => [...addresses(random), 0x86, 0xdd, ...ipv6(random, 6)];
const arp = (random: Random): number[] => [...addresses(random), 8, 6, ...arpBody(random)];
const udpInVlan = (random: Random): number[] => [...addresses(random), 0x81, 0, ...tag(random), 8, 0, ...ipv4(random, 17)];
const llc = (random: Random): number[] => [...addresses(random), ...llcBody(random)];
const icmpFragment = (random: Random): number[] => [...addresses(random), 8, 0, ...ipv4(random, 1)];
