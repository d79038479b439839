/** The strings that options take as values, and what the kernel calls them. */

/** A named geometry of the receive ring; `RING_PROFILES` of the option table holds the sizes. */
export const RING_PROFILE_NAMES = ['default', 'high-throughput', 'low-latency', 'low-memory', 'jumbo-frames', 'balanced'] as const;
/**
 * A named geometry of the receive ring, from `low-memory` (16 MiB) to `high-throughput` (1 GiB); the README's table of profiles has the sizes.
 * `default` is netring's, `balanced` what the nodes start from.
 * @useDeclaredType
 */
export type RingProfile = (typeof RING_PROFILE_NAMES)[number];

/** When frames are handed over: by the block, or as they come. */
export const LATENCIES = ['block', 'immediate'] as const;
/**
 * When frames are handed over: `block`, when a block is full or its timeout has passed, cheapest; `immediate`, as they come, at more CPU time for
 * each.
 * @useDeclaredType
 */
export type Latency = (typeof LATENCIES)[number];

/** How a fanout group spreads packets over its sockets. */
export const FANOUT_MODES = ['hash', 'load-balance', 'cpu', 'rollover', 'random', 'queue-mapping', 'ebpf'] as const;
/**
 * How a fanout group spreads packets over its sockets (PACKET_FANOUT_* of packet(7)).
 *
 * - `hash`: by flow, so that all packets of one go to the same socket.
 * - `load-balance`: to one after the other.
 * - `cpu`: by the processor that the packet arrived on.
 * - `rollover`: to the first until it is full, then to the next.
 * - `random`: at random.
 * - `queue-mapping`: by the receive queue.
 * - `ebpf`: as the program of `attachFanoutEbpf` says.
 * @useDeclaredType
 */
export type FanoutMode = (typeof FANOUT_MODES)[number];

export const FANOUT_FLAGS = ['rollover', 'unique-id', 'ignore-outgoing', 'defrag'] as const;
/**
 * What a fanout group does besides (PACKET_FANOUT_FLAG_* of linux/if_packet.h).
 *
 * - `rollover`: a socket that is full passes on to the next.
 * - `unique-id`: the kernel picks an unused group; `geometry.fanoutGroup` tells it.
 * - `ignore-outgoing`: leaves out what this machine sends.
 * - `defrag`: joins IP fragments before it picks, so that all go to the same socket.
 * @useDeclaredType
 */
export type FanoutFlag = (typeof FANOUT_FLAGS)[number];

/** Which clock stamps the packets. */
export const TIMESTAMP_SOURCES = ['software', 'raw-hardware', 'sys-hardware'] as const;
/**
 * Which clock stamps the packets (Documentation/networking/timestamping.rst): the kernel's (`software`), that of the card as it is (`raw-hardware`),
 * or the card's turned into system time (`sys-hardware`).
 * @useDeclaredType
 */
export type TimestampSource = (typeof TIMESTAMP_SOURCES)[number];

/** What a capture-in node sends: see "Messages" in the README. */
export const OUTPUT_FORMS = ['batch', 'packets', 'packet', 'pcapng', 'decoded'] as const;
export type OutputForm = (typeof OUTPUT_FORMS)[number];

/** What an inject-out node takes: frames, or the bytes of a pcap or pcapng file. */
export const INPUT_FORMS = ['frames', 'file'] as const;
export type InputForm = (typeof INPUT_FORMS)[number];

export const PACINGS = ['none', 'pps', 'bps', 'recorded'] as const;
export type Pacing = (typeof PACINGS)[number];

export const FULL_POLICIES = ['wait', 'drop'] as const;
export type FullPolicy = (typeof FULL_POLICIES)[number];

/** What a bridge does with a frame: also what its filters say of the frames that they match. */
export const BRIDGE_ACTIONS = ['forward', 'drop'] as const;
/**
 * What a bridge does with a frame: also what its filters say of the frames that they match.
 * @useDeclaredType
 */
export type BridgeAction = (typeof BRIDGE_ACTIONS)[number];

export const BRIDGE_DIRECTIONS = ['a-to-b', 'b-to-a'] as const;
/**
 * A direction of a bridge: what comes in on port A, or on port B.
 * @useDeclaredType
 */
export type BridgeDirection = (typeof BRIDGE_DIRECTIONS)[number];

/** Who moves the frames: the engine alone, or the flow too. */
export const BRIDGE_MODES = ['forward', 'inline'] as const;
export type BridgeMode = (typeof BRIDGE_MODES)[number];

/** Which forwarded frames are copied to the flow. */
export const TAP_MODES = ['off', 'all', 'sample'] as const;
export type TapMode = (typeof TAP_MODES)[number];

/** What an AF_XDP socket's frames are for: receiving, sending, half of them each, or `prefill` of them receiving. */
export const XDP_MODES = ['rx', 'tx', 'rxtx', 'custom'] as const;
/**
 * What the frames of an AF_XDP socket are for: receiving, sending, half of them each, or `prefill` of them receiving.
 * @useDeclaredType
 */
export type XdpMode = (typeof XDP_MODES)[number];

/** Whether the kernel copies frames between the driver's memory and the socket's. */
export const XDP_BIND_MODES = ['auto', 'copy', 'zerocopy'] as const;
/**
 * Whether the kernel copies frames between the driver's memory and the socket's (XDP_COPY, XDP_ZEROCOPY); `auto`: as the driver can.
 * @useDeclaredType
 */
export type XdpBindMode = (typeof XDP_BIND_MODES)[number];

/** Where the program that redirects frames to the socket is attached. */
export const XDP_ATTACHES = ['auto', 'driver', 'skb', 'none'] as const;
/**
 * Where the program that redirects frames to the socket is attached: in the driver, behind it in the kernel (`skb`), the better of the two that works
 * (`auto`), or not at all, because another one redirects to the map `mapPin` (`none`).
 * @useDeclaredType
 */
export type XdpAttach = (typeof XDP_ATTACHES)[number];

/** What the native core calls them. */
export const XDP_BIND_MODE_VALUES: Readonly<Record<XdpBindMode, number>> = { auto: 0, copy: 1, zerocopy: 2 };
export const XDP_ATTACH_VALUES: Readonly<Record<XdpAttach, number>> = { auto: 0, driver: 1, skb: 2, none: 3 };

/** PACKET_FANOUT_* of linux/if_packet.h. */
export const FANOUT_MODE_VALUES: Readonly<Record<FanoutMode, number>> = {
  hash: 0,
  'load-balance': 1,
  cpu: 2,
  rollover: 3,
  random: 4,
  'queue-mapping': 5,
  ebpf: 7,
};

/** PACKET_FANOUT_FLAG_* of linux/if_packet.h. */
export const FANOUT_FLAG_VALUES: Readonly<Record<FanoutFlag, number>> = {
  rollover: 0x1000,
  'unique-id': 0x2000,
  'ignore-outgoing': 0x4000,
  defrag: 0x8000,
};

/** SOF_TIMESTAMPING_* of linux/net_tstamp.h as PACKET_TIMESTAMP takes them; 0: the option is left alone. */
export const TIMESTAMP_SOURCE_VALUES: Readonly<Record<TimestampSource, number>> = {
  software: 0,
  'raw-hardware': 1 << 6,
  'sys-hardware': 1 << 5,
};
