/** Numbers of the pcapng format, draft-ietf-opsawg-pcapng. */

/** Types of blocks. */
export const Block = {
  InterfaceDescription: 1,
  /** Obsolete, still found in old files. */
  Packet: 2,
  SimplePacket: 3,
  InterfaceStatistics: 5,
  EnhancedPacket: 6,
  /** The same in both byte orders. */
  SectionHeader: 0x0a0d0d0a,
} as const;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Codes of options; what they mean depends on the block. */
export const Option = {
  End: 0,
  Comment: 1,
  SectionApplication: 4,
  InterfaceName: 2,
  InterfaceTimeResolution: 9,
  InterfaceFcsLength: 13,
  InterfaceTimeOffset: 14,
  PacketFlags: 2,
  PacketDropCount: 4,
  StatisticsReceived: 4,
  StatisticsDropped: 5,
} as const;

/** Type, length, and length again at the end. */
export const BLOCK_OVERHEAD = 12;
/** A length, then a code: what comes before the value of an option. */
export const OPTION_HEADER = 4;
/** Interface, time, captured length, original length. */
export const ENHANCED_PACKET_HEADER = 20;

/** What one packet that we write takes besides its padded bytes: its options are the flags word and the end. */
export const PACKET_BLOCK_OVERHEAD = BLOCK_OVERHEAD + ENHANCED_PACKET_HEADER + OPTION_HEADER + 4 + OPTION_HEADER;
/** What the count of packets lost before it adds to a packet. */
export const LOSS_OPTION = OPTION_HEADER + 8;

const INBOUND = 1;
const OUTBOUND = 2;
const UNICAST = 1 << 2;
const MULTICAST = 2 << 2;
const BROADCAST = 3 << 2;
const PROMISCUOUS = 4 << 2;

/** Direction and reception type of a packet's flags word, by `sll_pkttype`: host, broadcast, multicast, other-host, outgoing. */
export const PACKET_FLAGS: readonly number[] = [
  INBOUND | UNICAST,
  INBOUND | BROADCAST,
  INBOUND | MULTICAST,
  INBOUND | PROMISCUOUS,
  OUTBOUND,
];

const PACKET_TYPE_HOST = 0;
const PACKET_TYPE_OUTGOING = 4;
/** What a batch holds for a direction that nobody recorded. */
export const PACKET_TYPE_UNKNOWN = 0xff;

/** By reception type; what is none is taken for unicast. */
const INBOUND_TYPES: readonly number[] = Array.from({ length: 8 }, (_, reception) =>
  Math.max(PACKET_FLAGS.indexOf(INBOUND | (reception << 2)), PACKET_TYPE_HOST),
);

/** Inverse of `PACKET_FLAGS`. */
export function packetTypeOfFlags(flags: number): number {
  const direction = flags & 3;
  if (direction === OUTBOUND) return PACKET_TYPE_OUTGOING;
  if (direction !== INBOUND) return PACKET_TYPE_UNKNOWN;
  return INBOUND_TYPES[(flags >>> 2) & 7]!;
}

/** Blocks and options are padded to 32 bits. */
export function padded(length: number): number {
  return (length + 3) & ~3;
}

const TWO_TO_32 = 0x1_0000_0000;

/** High and low word of the nanoseconds since the epoch. The product has 62 bits, so it is made of two that a number holds exactly. */
export function nanoseconds(sec: number, nsec: number): [number, number] {
  const upper = (sec >>> 16) * 1_000_000_000;
  const lower = (upper & 0xffff) * 0x1_0000 + (sec & 0xffff) * 1_000_000_000 + nsec;
  return [Math.floor(upper / 0x1_0000) + Math.floor(lower / TWO_TO_32), lower % TWO_TO_32];
}
