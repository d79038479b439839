/**
 * THE table of options: the only place where a name, a default, a range and a help line stand. Builders, validation, panels and the tables
 * of the README are derived from it; `npm run generate` writes what is kept in the repository.
 */
import { BRIDGE, BRIDGE_NODE } from './bridge-rows';
import {
  ALLOW_DEFAULT_ROUTE,
  BLOCK_LIMITS,
  BUSY_POLL_US,
  FRAME_LIMITS,
  INPUT,
  INT_MAX,
  INTERFACE,
  MAX_BUFFERED_BYTES,
  MiB,
  NETNS,
  OUTPUT,
  RING_MAX,
  STATS_INTERVAL,
  type OptionRow,
} from './row';
import { atLeast, atMost } from './rules';
import { FANOUT_FLAGS, FANOUT_MODES, FULL_POLICIES, LATENCIES, PACINGS, RING_PROFILE_NAMES, TIMESTAMP_SOURCES } from './values';
import { XDP, XDP_NODE } from './xdp-rows';

export type { OptionRow, OptionType } from './row';
export { PROFILE_FIELDS, RING_PROFILES, type ProfileGeometry } from './profiles';

/** A builder of the library, or the part of a node that has no builder. */
export type OptionGroup = 'capture' | 'injector' | 'bridge' | 'xdp' | 'capture-in' | 'inject-out' | 'bridge-node' | 'xdp-node';
export type NodeName = 'capture-in' | 'inject-out' | 'bridge' | 'xdp';

/** The groups a node's properties come from: its builder's options, then its own. */
export const NODE_GROUPS: Readonly<Record<NodeName, readonly [builder: OptionGroup, own: OptionGroup]>> = {
  'capture-in': ['capture', 'capture-in'],
  'inject-out': ['injector', 'inject-out'],
  bridge: ['bridge', 'bridge-node'],
  xdp: ['xdp', 'xdp-node'],
};

/** Version of the flow JSON that this version writes; older ones are migrated. */
export const FLOW_SCHEMA = 1;

const CAPTURE: readonly OptionRow[] = [
  INTERFACE,
  NETNS,
  {
    name: 'profile',
    type: 'choice',
    union: 'RingProfile',
    values: RING_PROFILE_NAMES,
    default: null,
    nodeDefault: 'balanced',
    doc: 'Named geometry of the ring; block size, block count, frame size and block timeout given beside it win.',
  },
  {
    name: 'blockSize',
    type: 'integer',
    unit: 'bytes',
    default: 4 * MiB,
    limits: BLOCK_LIMITS,
    argument: 'bytes',
    doc: 'Size of a block of the ring. A batch is one block.',
  },
  {
    name: 'blockCount',
    type: 'integer',
    default: 64,
    limits: [atLeast(1, '{name} must be > 0, not {value}'), atMost(INT_MAX)],
    argument: 'count',
    doc: 'Blocks in the ring. Times the block size: the memory that the ring locks. Times the block timeout: how long it holds out unread at most.',
  },
  {
    name: 'frameSize',
    type: 'integer',
    unit: 'bytes',
    default: 2048,
    limits: FRAME_LIMITS,
    argument: 'bytes',
    doc: 'Most that a packet takes of the ring with latency immediate, 84 bytes of headers included; longer ones wait in the receive buffer.',
  },
  {
    name: 'snapLen',
    type: 'integer',
    unit: 'bytes',
    default: 0,
    limits: [atLeast(0), atMost(RING_MAX)],
    argument: 'bytes',
    doc: 'Captures at most this much of each packet, a stripped VLAN tag not counted; 0 captures all of it.',
  },
  {
    name: 'blockTimeoutMs',
    type: 'integer',
    unit: 'ms',
    default: 60,
    // Older kernels keep it in 16 bits: 65536 would wrap to 0.
    limits: [atLeast(1, '{name} {value} is less than {bound} (for 0 the kernel picks a timeout of its own)'), atMost(65535)],
    argument: 'ms',
    doc: 'A block that is not full is delivered this long after its first packet: the highest latency the ring adds.',
  },
  {
    name: 'latency',
    type: 'choice',
    union: 'Latency',
    values: LATENCIES,
    default: 'block',
    argument: 'mode',
    doc: 'block: packets come by the block, cheapest. immediate: as they arrive, for control traffic, at more CPU time for each.',
  },
  {
    name: 'fillRxhash',
    type: 'boolean',
    default: true,
    nodeDefault: false,
    argument: 'enable',
    doc: "Has the kernel fill in each packet's flow hash, which costs it a quarter of its throughput.",
  },
  {
    name: 'promiscuous',
    type: 'boolean',
    default: false,
    argument: 'enable',
    doc: 'Also receives frames addressed to other stations, for as long as the capture is open.',
  },
  {
    name: 'ignoreOutgoing',
    type: 'boolean',
    default: false,
    argument: 'enable',
    doc: 'Leaves out frames that this machine sends (Linux 4.20). Always so on the loopback interface, which would show every frame twice.',
  },
  BUSY_POLL_US,
  {
    name: 'reuseport',
    type: 'boolean',
    default: false,
    argument: 'enable',
    doc: 'Sets SO_REUSEPORT. Kernels that refuse it on packet sockets cause a warning; sockets share load with fanout instead.',
  },
  {
    name: 'rcvbuf',
    type: 'integer',
    unit: 'bytes',
    default: 0,
    limits: [atLeast(0), atMost(INT_MAX)],
    argument: 'bytes',
    doc: 'Receive buffer (SO_RCVBUF), which the kernel doubles and caps at rmem_max. Only latency immediate uses it, for long packets; 0: by itself.',
  },
  {
    name: 'rcvbufForce',
    type: 'boolean',
    default: false,
    argument: 'enable',
    doc: 'Sets the receive buffer past rmem_max (SO_RCVBUFFORCE). Needs CAP_NET_ADMIN.',
  },
  {
    name: 'timestampSource',
    type: 'choice',
    union: 'TimestampSource',
    values: TIMESTAMP_SOURCES,
    default: 'software',
    argument: 'source',
    doc: 'Clock that stamps the packets. Hardware clocks need an interface that has one; the batch says which clock it was.',
  },
  {
    name: 'pollTimeoutMs',
    type: 'integer',
    unit: 'ms',
    default: 100,
    limits: [atLeast(0), atMost(INT_MAX)],
    setter: 'pollTimeout',
    argument: 'ms',
    doc: 'Longest single wait of the blocking iterators packets(), packetsFor() and packetsUntil().',
  },
  {
    name: 'fanoutMode',
    type: 'choice',
    union: 'FanoutMode',
    values: FANOUT_MODES,
    default: null,
    setter: 'fanout',
    argument: 'mode',
    doc: 'Joins a fanout group, whose sockets share the packets of the interface in this way (ebpf: attachFanoutEbpf). Unset: every capture sees all.',
  },
  {
    name: 'fanoutGroup',
    type: 'integer',
    default: 0,
    limits: [atLeast(0), atMost(65535)],
    setter: 'fanout',
    argument: 'groupId',
    doc: 'Id of the fanout group. Sockets of one group have the same interface, mode and flags; ids count per network namespace.',
  },
  {
    name: 'fanoutFlags',
    type: 'choices',
    union: 'FanoutFlag',
    values: FANOUT_FLAGS,
    default: [],
    argument: 'flags',
    doc: 'rollover: a full socket passes on to the next; unique-id: the kernel picks the group; defrag: joins IP fragments first.',
  },
  {
    name: 'filter',
    type: 'filter',
    filterFor: 'socket',
    default: [],
    setter: 'bpfFilter',
    doc: 'Picks packets in the kernel: an expression of tcpdump, the text of `tcpdump -ddd`, or instructions of classic BPF.',
  },
  MAX_BUFFERED_BYTES,
];

const INJECTOR: readonly OptionRow[] = [
  INTERFACE,
  NETNS,
  {
    name: 'frameSize',
    type: 'integer',
    unit: 'bytes',
    default: 2048,
    limits: FRAME_LIMITS,
    argument: 'bytes',
    doc: 'Size of a slot of the transmit ring, its header included: the longest frame is a little shorter.',
  },
  {
    name: 'frameCount',
    type: 'integer',
    default: 256,
    limits: [atLeast(1, '{name} must be > 0, not {value}'), atMost(INT_MAX)],
    argument: 'count',
    doc: 'Slots of the transmit ring, rounded up to whole blocks.',
  },
  {
    name: 'qdiscBypass',
    type: 'boolean',
    default: false,
    argument: 'enable',
    doc: "Hands frames straight to the driver, past traffic control. Local captures do not see them, and a full driver's queue drops them.",
  },
];

const CAPTURE_IN: readonly OptionRow[] = [
  OUTPUT,
  STATS_INTERVAL,
  {
    name: 'control',
    type: 'boolean',
    default: false,
    doc: 'Gives the node an input for control messages.',
  },
];

const INJECT_OUT: readonly OptionRow[] = [
  INPUT,
  {
    name: 'pacing',
    type: 'choice',
    union: 'Pacing',
    values: PACINGS,
    default: 'none',
    doc: 'none: as fast as it goes; pps, bps: at the rate; recorded: in the rhythm of the timestamps.',
  },
  {
    name: 'rate',
    type: 'number',
    default: null,
    limits: [atLeast(0.001), atMost(1e12)],
    doc: 'Packets per second (pps), or bits of frame per second without preamble and FCS (bps).',
  },
  {
    name: 'onFull',
    type: 'choice',
    union: 'FullPolicy',
    values: FULL_POLICIES,
    default: 'wait',
    doc: 'When the kernel takes no more frames: wait for room, or drop the frame and count it.',
  },
  {
    name: 'maxQueuedBytes',
    type: 'integer',
    unit: 'bytes',
    default: 64 * MiB,
    limits: [atLeast(1, '{name} must be > 0, not {value}'), atMost(Number.MAX_SAFE_INTEGER)],
    doc: 'Bytes of frames that may wait in the node, with 1024 more for each message; what does not fit is refused.',
  },
  {
    name: 'fixChecksums',
    type: 'boolean',
    default: true,
    doc: 'Completes the checksums that captured frames left to the hardware.',
  },
  ALLOW_DEFAULT_ROUTE,
];

export const OPTION_TABLE: Readonly<Record<OptionGroup, readonly OptionRow[]>> = {
  capture: CAPTURE,
  injector: INJECTOR,
  bridge: BRIDGE,
  xdp: XDP,
  'capture-in': CAPTURE_IN,
  'inject-out': INJECT_OUT,
  'bridge-node': BRIDGE_NODE,
  'xdp-node': XDP_NODE,
};
