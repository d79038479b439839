/** What the table of options is made of: a row, and the limits and rows that several groups share. */
import { atLeast, atMost, multipleOf, PAGE_SIZE, powerOfTwo, type Limit, type OptionValue } from './rules';
import { INPUT_FORMS, OUTPUT_FORMS } from './values';

export type OptionType = 'interface' | 'namespace' | 'filter' | 'boolean' | 'integer' | 'number' | 'queue' | 'text' | 'choice' | 'choices';

export interface OptionRow {
  /** Key of the plain object and property of the flow JSON. */
  readonly name: string;
  readonly type: OptionType;
  /** Name of the union type and of the array of strings in values.ts; only choices have it. */
  readonly union?: string;
  readonly values?: readonly string[];
  readonly unit?: 'bytes' | 'ms' | 'µs' | 's';
  /** The library's default, which is netring's. null: off, left to the kernel, or required. */
  readonly default: OptionValue;
  /** Where a node starts from, when that is not the library's default. */
  readonly nodeDefault?: OptionValue;
  /** In the order in which they are checked. */
  readonly limits?: readonly Limit[];
  /**
   * Fluent setter, when it is not called as the option is. Rows of one setter are its arguments. A filter has one of its name, too.
   */
  readonly setter?: string;
  /** Of a filter: what its expressions are compiled for. A socket and a bridge see frames whose VLAN tag the kernel has taken out, an XDP program sees it. */
  readonly filterFor?: 'socket' | 'xdp' | 'bridge';
  /** What the setter calls its argument. */
  readonly argument?: string;
  readonly doc: string;
}

export const MiB = 1024 * 1024;

/** Arguments of socket options are ints. */
export const INT_MAX = 2 ** 31 - 1;
/** The kernel counts a ring's frames in 32 bits, and the packet index its bytes. */
export const RING_MAX = 2 ** 32 - 1;

/** The kernel takes the size as an int, so 1 GiB is the last power of 2. */
export const BLOCK_LIMITS = [powerOfTwo(), multipleOf(PAGE_SIZE, PAGE_SIZE), atMost(2 ** 30)];

export const FRAME_LIMITS = [
  multipleOf(16, 'TPACKET_ALIGNMENT'),
  atLeast(68, '{name} {value} is less than TPACKET3_HDRLEN ({bound})'),
  atMost(2 ** 30),
];

export const INTERFACE: OptionRow = {
  name: 'interface',
  type: 'interface',
  default: null,
  argument: 'name',
  doc: 'Name of the interface.',
};

export const NETNS: OptionRow = {
  name: 'netns',
  type: 'namespace',
  default: '',
  argument: 'where',
  doc: 'Network namespace of the interface: a name (`ip netns`), a path, or a process id. Needs CAP_SYS_ADMIN. Empty: that of the process.',
};

export const BUSY_POLL_US: OptionRow = {
  name: 'busyPollUs',
  type: 'integer',
  unit: 'µs',
  default: 0,
  limits: [atLeast(0), atMost(INT_MAX)],
  argument: 'us',
  doc: 'How long the kernel polls the driver for packets instead of waiting for its interrupt (SO_BUSY_POLL); 0 leaves it off.',
};

export const MAX_BUFFERED_BYTES: OptionRow = {
  name: 'maxBufferedBytes',
  type: 'integer',
  unit: 'bytes',
  default: 256 * MiB,
  limits: [atLeast(1, '{name} must be > 0, not {value}'), atMost(Number.MAX_SAFE_INTEGER)],
  argument: 'bytes',
  doc: 'Memory that live batches may hold. At the limit the ring is no longer drained, and the kernel counts what it drops.',
};

export const OUTPUT: OptionRow = {
  name: 'output',
  type: 'choice',
  union: 'OutputForm',
  values: OUTPUT_FORMS,
  default: 'batch',
  doc: 'What a message carries: a batch, an array of packet objects, one packet, a pcapng file, or an array of packet objects with their layers.',
};

export const INPUT: OptionRow = {
  name: 'input',
  type: 'choice',
  union: 'InputForm',
  values: INPUT_FORMS,
  default: 'frames',
  doc: 'What a payload is: frames (a batch, a Buffer, an array of them or of packet objects), or the bytes of a pcap or pcapng file.',
};

export const STATS_INTERVAL: OptionRow = {
  name: 'statsInterval',
  type: 'number',
  unit: 's',
  default: 1,
  limits: [atLeast(0.1), atMost(86400)],
  doc: 'Time between two statistics messages.',
};

export const ALLOW_DEFAULT_ROUTE: OptionRow = {
  name: 'allowDefaultRoute',
  type: 'boolean',
  default: false,
  doc: 'Allows the interface that holds the default route, over which the editor may be reached.',
};
