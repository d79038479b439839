/** The part of the table of options that is about bridges. */
import { ALLOW_DEFAULT_ROUTE, BLOCK_LIMITS, FRAME_LIMITS, INT_MAX, MiB, STATS_INTERVAL, type OptionRow } from './row';
import { atLeast, atMost, multipleOf } from './rules';
import { BRIDGE_ACTIONS, BRIDGE_MODES, RING_PROFILE_NAMES, TAP_MODES } from './values';

function bridgePort(end: 'a' | 'b'): OptionRow[] {
  const END = end.toUpperCase();
  return [
    {
      name: `${end}BlockSize`,
      type: 'integer',
      unit: 'bytes',
      default: 4 * MiB,
      limits: BLOCK_LIMITS,
      argument: 'bytes',
      doc: `Size of a block of interface ${END}'s receive ring.`,
    },
    {
      name: `${end}BlockCount`,
      type: 'integer',
      default: 64,
      limits: [atLeast(1, '{name} must be > 0, not {value}'), atMost(INT_MAX)],
      argument: 'count',
      doc: `Blocks in interface ${END}'s receive ring. Block size times block count is the memory that the ring locks.`,
    },
    {
      name: `${end}FrameSize`,
      type: 'integer',
      unit: 'bytes',
      default: 2048,
      limits: [multipleOf(16, 'TPACKET_ALIGNMENT'), atLeast(256), atMost(2 ** 30)],
      argument: 'bytes',
      doc: `Size of a slot of interface ${END}'s receive ring, 80 bytes of headers included. Longer frames cost a system call more.`,
    },
    {
      name: `${end}BlockTimeoutMs`,
      type: 'integer',
      unit: 'ms',
      default: 60,
      limits: [atLeast(1), atMost(65535)],
      argument: 'ms',
      doc: `How long frames received on interface ${END} gather to a batch of the tap. Forwarding never waits.`,
    },
  ];
}

function bridgeSender(end: 'A' | 'B'): OptionRow[] {
  return [
    {
      name: `tx${end}FrameSize`,
      type: 'integer',
      unit: 'bytes',
      default: 2048,
      limits: FRAME_LIMITS,
      argument: 'bytes',
      doc: `What a frame on its way out of interface ${end} is reckoned at. It limits no frame.`,
    },
    {
      name: `tx${end}FrameCount`,
      type: 'integer',
      default: 256,
      limits: [atLeast(1, '{name} must be > 0, not {value}'), atMost(INT_MAX)],
      argument: 'count',
      doc: `Times tx${end}FrameSize: room for frames on their way out of interface ${end} (SO_SNDBUF). Beyond it they wait in the receive ring.`,
    },
  ];
}

export const BRIDGE: readonly OptionRow[] = [
  {
    name: 'interfaceA',
    type: 'interface',
    default: null,
    argument: 'name',
    doc: 'Name of the interface at one end, in the network namespace of the process.',
  },
  {
    name: 'interfaceB',
    type: 'interface',
    default: null,
    argument: 'name',
    doc: 'Name of the interface at the other end.',
  },
  {
    name: 'profile',
    type: 'choice',
    union: 'RingProfile',
    values: RING_PROFILE_NAMES,
    default: null,
    nodeDefault: 'balanced',
    doc: 'Named geometry of both receive rings; sizes given beside it win.',
  },
  {
    name: 'promiscuous',
    type: 'boolean',
    default: true,
    argument: 'enable',
    doc: 'Receives frames addressed to other stations, which a wire has to, for as long as the bridge is open.',
  },
  {
    name: 'qdiscBypass',
    type: 'boolean',
    default: true,
    argument: 'enable',
    doc: 'Hands frames straight to the driver, past traffic control.',
  },
  {
    name: 'pollTimeoutMs',
    type: 'integer',
    unit: 'ms',
    default: 100,
    limits: [atLeast(1), atMost(INT_MAX)],
    setter: 'pollTimeout',
    argument: 'ms',
    doc: 'Longest wait of one iteration of runIterations().',
  },
  ...bridgePort('a'),
  ...bridgePort('b'),
  ...bridgeSender('A'),
  ...bridgeSender('B'),
  {
    name: 'filterAToB',
    type: 'filter',
    // The ring has taken tags out.
    filterFor: 'bridge',
    default: [],
    setter: 'bpfFilterAToB',
    doc: 'Picks frames from A to B, for what filterAction says: an expression of tcpdump, the text of `tcpdump -ddd`, or instructions.',
  },
  {
    name: 'filterBToA',
    type: 'filter',
    filterFor: 'bridge',
    default: [],
    setter: 'bpfFilterBToA',
    doc: 'The same for frames from B to A.',
  },
  {
    name: 'filterAction',
    type: 'choice',
    union: 'BridgeAction',
    values: BRIDGE_ACTIONS,
    default: 'forward',
    argument: 'action',
    doc: 'What happens to frames that a filter picks; the other thing happens to the rest. Without a filter all are forwarded.',
  },
  {
    name: 'dropLinkLocal',
    type: 'boolean',
    default: false,
    argument: 'enable',
    doc: 'Holds back frames to 01-80-C2-00-00-00 to -0F (spanning tree, LLDP, pause), as a standard bridge does and a wire does not.',
  },
];

export const BRIDGE_NODE: readonly OptionRow[] = [
  {
    name: 'mode',
    type: 'choice',
    union: 'BridgeMode',
    values: BRIDGE_MODES,
    default: 'forward',
    doc: 'forward: the native engine alone moves the frames. inline: every batch travels through the flow, which sends it back with its verdict.',
  },
  {
    name: 'tap',
    type: 'choice',
    union: 'TapMode',
    values: TAP_MODES,
    default: 'off',
    doc: 'Copies of forwarded frames to the outputs, in forward mode: none, all, or one in tapRate. What the flow is too slow for is left out and counted.',
  },
  {
    name: 'tapRate',
    type: 'integer',
    default: 100,
    limits: [atLeast(1), atMost(INT_MAX)],
    doc: 'With tap sample: one frame in so many of each direction is copied.',
  },
  {
    name: 'inlineTimeoutMs',
    type: 'integer',
    unit: 'ms',
    default: 100,
    limits: [atLeast(1), atMost(60_000)],
    doc: 'How long a frame waits for the flow, timed in the engine. Then it gets inlineDefault, whatever the flow does.',
  },
  {
    name: 'inlineDefault',
    type: 'choice',
    union: 'BridgeAction',
    values: BRIDGE_ACTIONS,
    default: 'forward',
    doc: 'What happens to frames that the flow has not sent back in time.',
  },
  STATS_INTERVAL,
  ALLOW_DEFAULT_ROUTE,
];
