/** Captures by the hundred, made from a seed: every link type, block and option, both formats, both byte orders. Nothing here is the package's own code. */
import {
  endOfOptions,
  filled,
  MICROSECONDS,
  NANOSECONDS,
  option,
  raw,
  random,
  Section,
  u16,
  u32,
  u64,
  u8,
  words,
  type Field,
  type Order,
} from './pcap-files';

export interface CorpusPacket {
  /** As it stands in the file. */
  data: Buffer;
  originalLength: number;
  time: bigint;
  direction: string;
  interface: string;
  linkType: number;
  /** Bytes of a check sequence at its end, which a reader of frames leaves out. */
  fcsLength: number;
}

export interface CorpusFile {
  name: string;
  bytes: Buffer;
  packets: CorpusPacket[];
  /** Interfaces of the last section, with their counters when it has them. */
  interfaces: { name: string; linkType: number; statistics?: { received: number; drops: number } }[];
  /** libpcap wants one link type, one snapshot length and one byte order in a file. */
  readByLibpcap: boolean;
  /** Of packets that begin with numbers in the capturing host's byte order, both readers swap the bytes. */
  swapped: boolean;
  /** capinfos tells no times when a packet has none, or when there is a custom block. */
  timed: boolean;
  /** The copies that editcap makes of several sections confuse their interfaces, and so the units of the times; units of powers of two it rounds. */
  copiedByEditcap: boolean;
}

/** Every LINKTYPE that Wireshark and libpcap of Debian 12 both know, those aside of whose packets Wireshark takes a header away. */
export const LINK_TYPES = [
  0, 1, 6, 7, 8, 9, 10, 11, 12, 16, 19, 50, 51, 99, 100, 101, 104, 105, 106, 107, 108, 109, 112, 113, 114, 117, 118, 119, 121, 122, 127,
  128, 129, 130, 131, 133, 135, 136, 137, 138, 140, 141, 142, 143, 147, 148, 149, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160,
  161, 162, 163, 165, 167, 169, 170, 171, 172, 173, 178, 179, 180, 181, 183, 184, 186, 187, 188, 189, 190, 192, 195, 199, 200, 202, 203,
  210, 211, 212, 213, 214, 215, 220, 224, 225, 226, 227, 228, 229, 230, 231, 235, 236, 237, 239, 240, 241, 242, 243, 248, 249, 250, 251,
  252, 253, 255, 256, 258, 259, 260, 264, 266, 268, 270, 271, 272, 273, 274, 275, 276, 279, 280, 283, 287, 288,
] as const;

const DIRECTIONS = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing', 'unknown'] as const;
/** Direction and reception type of the flags word: inbound 1, outbound 2; unicast, multicast, broadcast, promiscuous. */
const FLAGS: Readonly<Record<(typeof DIRECTIONS)[number], number>> = {
  host: 0b00101,
  multicast: 0b01001,
  broadcast: 0b01101,
  'other-host': 0b10001,
  outgoing: 0b00010,
  unknown: 0,
};

/** Linux cooked, pflog, USB of Linux twice, nflog, Linux cooked v2 */
const SWAPPED: ReadonlySet<number> = new Set([113, 117, 189, 220, 239, 276]);
/** The files from this one on hold no packets. */
const EMPTY_FROM = 195;
/** LINKTYPEs with another number inside libpcap, which it takes for a change of type when a second interface has them too. */
const RENUMBERED: ReadonlySet<number> = new Set([100, 101, 106]);
const SECOND = 1_000_000_000n;
const MODIFIED = 0xa1b2cd34;

class Maker {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = random(seed);
  }
  /** An integer from 0 to `end` - 1. */
  below(end: number): number {
    return this.next() % end;
  }
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.next() & 0xff));
  }
  /** 2001 to 2033, to the nanosecond. */
  time(): bigint {
    return (1_000_000_000n + BigInt(this.below(1_000_000_000))) * SECOND + BigInt(this.below(1_000_000_000));
  }
  length(): number {
    return this.oneIn(20) ? 0 : this.oneIn(20) ? 9000 + this.below(56_000) : 1 + this.below(1600);
  }
}

/** File `number` of the corpus. */
export function corpusFile(number: number): CorpusFile {
  const make = new Maker(0x6e65_0000 + number);
  const linkType = LINK_TYPES[number % LINK_TYPES.length]!;
  return number % 3 === 0 ? pcapFile(number, linkType, make) : pcapngFile(number, linkType, make);
}

function pcapFile(number: number, linkType: number, make: Maker): CorpusFile {
  const order: Order = make.oneIn(2) ? 'be' : 'le';
  const [kind, magic, unit] = make.pick([
    ['us', MICROSECONDS, 1000n],
    ['ns', NANOSECONDS, 1n],
    ['modified', MODIFIED, 1000n],
  ] as const);
  const packets = Array.from({ length: number < EMPTY_FROM ? 1 + make.below(40) : 0 }, (): CorpusPacket => {
    const data = make.bytes(make.length());
    return {
      data,
      originalLength: data.length + (make.oneIn(3) ? make.below(500) : 0),
      time: (make.time() / unit) * unit,
      direction: kind === 'modified' ? make.pick(DIRECTIONS.slice(0, 5)) : 'unknown',
      interface: '',
      linkType,
      fcsLength: 0,
    };
  });
  const header = [u32(magic), u16(2), u16(4), u32(0), u32(0), u32(262_144), u32(linkType)];
  const records = packets.flatMap(({ data, originalLength, time, direction }) => [
    u32(Number(time / SECOND)),
    u32(Number((time % SECOND) / unit)),
    u32(data.length),
    u32(originalLength),
    ...(kind === 'modified' ? [u32(1 + make.below(9)), u16(0x0800), u8(DIRECTIONS.indexOf(direction as 'host')), u8(0)] : []),
    raw(data),
  ]);
  return {
    name: `${number}-${order}-${kind}-${linkType}.pcap`,
    bytes: words(order, [...header, ...records]),
    packets,
    interfaces: [{ name: '', linkType }],
    readByLibpcap: true,
    swapped: order === 'be' && SWAPPED.has(linkType),
    timed: packets.length > 0,
    copiedByEditcap: true,
  };
}

interface Interface {
  name: string;
  linkType: number;
  resolution: number;
  offset: bigint;
  fcsLength: number;
}

function pcapngFile(number: number, linkType: number, make: Maker): CorpusFile {
  const packets: CorpusPacket[] = [];
  const blocks: Buffer[] = [];
  const snapLen = make.pick([0, 65_535, 262_144]);
  const sections = make.oneIn(4) ? 2 + make.below(2) : 1;
  const orders = new Set<Order>();
  const linkTypes = new Set<number>();
  let interfaces: CorpusFile['interfaces'] = [];
  let decimal = true;
  let custom = false;
  let described = 0;
  for (let section = 0; section < sections; section++) {
    const order: Order = make.oneIn(2) ? 'be' : 'le';
    orders.add(order);
    const made = sectionOf(
      new Section(order),
      make,
      make.oneIn(4) ? [linkType, make.pick(LINK_TYPES)] : [linkType],
      snapLen,
      number < EMPTY_FROM ? 1 + make.below(40) : 0,
    );
    made.interfaces.forEach((one) => linkTypes.add(one.linkType));
    described += made.interfaces.length;
    packets.push(...made.packets);
    blocks.push(...made.blocks);
    decimal &&= made.decimal;
    custom ||= made.custom;
    interfaces = made.interfaces;
  }
  return {
    name: `${number}-${[...orders].join('')}-${linkType}.pcapng`,
    bytes: Buffer.concat(blocks),
    packets,
    interfaces,
    readByLibpcap: orders.size === 1 && linkTypes.size === 1 && (described === 1 || !RENUMBERED.has(linkType)),
    swapped: orders.has('be') && SWAPPED.has(linkType),
    timed: packets.length > 0 && !packets.some(({ time }) => time === 0n) && !custom,
    copiedByEditcap: sections === 1 && decimal,
  };
}

function sectionOf(
  s: Section,
  make: Maker,
  types: readonly number[],
  snapLen: number,
  packetCount: number,
): Pick<CorpusFile, 'packets' | 'interfaces'> & { blocks: Buffer[]; decimal: boolean; custom: boolean } {
  const blocks = [s.header(optional(make, SECTION_OPTIONS))];
  const known: Interface[] = [];
  const told: CorpusFile['interfaces'] = [];
  const describe = (linkType: number): void => {
    const one: Interface = {
      name: make.oneIn(3) ? '' : `if${make.below(100)}`,
      linkType,
      resolution: make.pick([6, 6, 9, 9, 0, 3, 7, 0x80 | 10, 0x80 | 20, 0x80 | 30]),
      offset: make.oneIn(5) ? BigInt(make.below(1_000_000)) : 0n,
      fcsLength: linkType === 1 && make.oneIn(4) ? 4 : 0,
    };
    known.push(one);
    told.push({ name: one.name, linkType });
    blocks.push(s.interface(interfaceOptions(one, make), { link: linkType, snapLen }));
  };
  types.forEach(describe);
  const packets: CorpusPacket[] = [];
  let custom = false;
  const simples = make.oneIn(3);
  for (let left = packetCount; left > 0; left--) {
    if (make.oneIn(30)) describe(make.pick(types));
    const kindOfOther = make.oneIn(8) ? make.below(4) : -1;
    if (kindOfOther >= 0) blocks.push(otherBlock(s, make, kindOfOther));
    custom ||= kindOfOther === 1 || kindOfOther === 2;
    const id = make.below(known.length);
    const kind = make.pick(simples ? (['enhanced', 'obsolete', 'simple'] as const) : (['enhanced', 'enhanced', 'obsolete'] as const));
    // A simple packet is of the first interface and has no time; libpcap adds the interface's offset to that.
    if (kind === 'simple' && known[0]!.offset !== 0n) continue;
    packets.push(addPacket(s, make, kind, id, kind === 'simple' ? known[0]! : known[id]!, blocks));
  }
  if (make.oneIn(2))
    known.forEach((_, id) => {
      const statistics = { received: make.below(2 ** 31) * 4, drops: make.below(1000) };
      told[id]!.statistics = statistics;
      const counters = [option(4, u64(BigInt(statistics.received)), 8), option(5, u64(BigInt(statistics.drops)), 8)];
      blocks.push(s.block(5, [u32(id), u32(0), u32(0), ...counters, ...optional(make, STATISTICS_OPTIONS)]));
    });
  return { blocks, packets, custom, interfaces: told, decimal: known.every(({ resolution }) => resolution < 0x80) };
}

function addPacket(
  s: Section,
  make: Maker,
  kind: 'enhanced' | 'obsolete' | 'simple',
  id: number,
  from: Interface,
  blocks: Buffer[],
): CorpusPacket {
  const data = make.bytes(Math.max(make.length(), from.fcsLength));
  const whole = kind === 'simple' || from.fcsLength > 0;
  const packet: CorpusPacket = {
    data,
    originalLength: data.length + (!whole && make.oneIn(3) ? make.below(500) : 0),
    time: 0n,
    direction: 'unknown',
    interface: from.name,
    linkType: from.linkType,
    fcsLength: from.fcsLength,
  };
  if (kind === 'simple') {
    blocks.push(s.simple(data));
    return packet;
  }
  const perSecond = (from.resolution & 0x80 ? 2n : 10n) ** BigInt(from.resolution & 0x7f);
  const ticks = (make.time() * perSecond) / SECOND;
  packet.time = (ticks * SECOND) / perSecond + from.offset * SECOND;
  const options = optional(make, PACKET_OPTIONS);
  if (make.oneIn(2)) {
    packet.direction = make.pick(DIRECTIONS);
    options.unshift(option(2, u32(FLAGS[packet.direction as 'host']), 4));
  }
  blocks.push(s[kind](data, { id, time: ticks, originalLength: packet.originalLength, options }));
  return packet;
}

function interfaceOptions({ name, resolution, offset, fcsLength }: Interface, make: Maker): Field[] {
  const options = optional(make, INTERFACE_OPTIONS);
  if (name !== '') options.unshift(option(2, raw(name), name.length));
  if (resolution !== 6 || make.oneIn(2)) options.unshift(option(9, u8(resolution), 1));
  if (offset !== 0n) options.unshift(option(14, u64(offset), 8));
  if (fcsLength > 0) options.unshift(option(13, u8(fcsLength), 1));
  return options;
}

type Choice = [code: number, length: number | 'text'];
const COMMENT: Choice = [1, 'text'];
/** shb_hardware, shb_os, shb_userappl */
const SECTION_OPTIONS: readonly Choice[] = [COMMENT, COMMENT, [2, 'text'], [3, 'text'], [4, 'text']];
/** if_description, if_IPv4addr, if_IPv6addr, if_MACaddr, if_EUIaddr, if_speed, if_os, if_hardware, if_txspeed, if_rxspeed */
const INTERFACE_OPTIONS: readonly Choice[] = [
  COMMENT,
  [3, 'text'],
  [4, 8],
  [5, 17],
  [6, 6],
  [7, 8],
  [8, 8],
  [12, 'text'],
  [15, 'text'],
  [16, 8],
  [17, 8],
];
/** epb_dropcount, epb_packetid, epb_queue */
const PACKET_OPTIONS: readonly Choice[] = [COMMENT, COMMENT, [4, 8], [5, 8], [6, 4]];
/** isb_filteraccept, isb_osdrop, isb_usrdeliv */
const STATISTICS_OPTIONS: readonly Choice[] = [COMMENT, [6, 8], [7, 8], [8, 8]];

/** Some of the options in their order; without an end when there are none, and sometimes when there are. */
function optional(make: Maker, choices: readonly Choice[]): Field[] {
  const options = choices
    .filter(() => make.oneIn(3))
    .map(([code, length]) => {
      const value = length === 'text' ? Buffer.from('x'.repeat(make.below(60))) : make.bytes(length);
      return option(code, raw(value), value.length);
    });
  return options.length > 0 || make.oneIn(2) ? [...options, ...(make.oneIn(4) ? [] : [endOfOptions])] : options;
}

/** Blocks that hold no packets: names, a custom block that is copied and one that is not, one that nobody knows. */
function otherBlock(s: Section, make: Maker, kind: number): Buffer {
  const name = Buffer.from('host.example\0');
  if (kind === 0) return s.block(4, [u16(1), u16(4 + name.length), raw(make.bytes(4)), filled(name), u16(0), u16(0)]);
  if (kind === 3) return s.block(0x0bad_0000 + make.below(1000), [raw(make.bytes(4 * make.below(50)))]);
  return s.block(kind === 1 ? 0xbad : 0x4000_0bad, [u32(32_473), raw(make.bytes(4 * make.below(50)))]);
}
