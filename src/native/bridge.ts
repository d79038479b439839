/** Bridges. */

/** One end of a bridge. */
export interface NativeBridgePort {
  interface: string;
  blockSize: number;
  blockCount: number;
  frameSize: number;
  /** How long the tap's frames gather. */
  blockTimeoutMs: number;
  /** SO_SNDBUF of the sockets that send on it, in bytes. */
  sendBuffer: number;
  promiscuous: boolean;
}

/** What JavaScript sees of the frames while the engine runs. */
export interface NativeBridgeAudience {
  /** One frame in so many is copied for `take`; 0: none. */
  tapEvery: number;
  /** Frames wait in batches for `take` and `answer`. */
  inline: boolean;
  /** After which they get `timeoutForwards`; -1: never. */
  timeoutMs: number;
  timeoutForwards: boolean;
}

export interface NativeBridgeConfig {
  a: NativeBridgePort;
  b: NativeBridgePort;
  qdiscBypass: boolean;
  dropLinkLocal: boolean;
}

/** Places in the array of `NativeBridge.statistics`: a to b, then `BRIDGE_COUNTERS` further b to a. */
export const enum BridgeCounter {
  Received = 0,
  /** Sum of the original lengths in bytes. */
  Bytes = 1,
  Forwarded = 2,
  Filtered = 3,
  TooLarge = 4,
  RingFull = 5,
  Errors = 6,
  KernelDrops = 7,
  TapShed = 8,
  TimedOut = 9,
  ForwardedBytes = 10,
  /** Frames that the kernel had for the bridge, those it dropped included (`tp_packets`), as of its last reading. */
  Wire = 11,
}
export const BRIDGE_COUNTERS = 12;

export const enum PortState {
  Up = 0,
  Down = 1,
  Gone = 2,
}

/** Two interfaces and the engine between them, which runs on a thread of its own. `which`: 0 is interface a, or a to b. */
export interface NativeBridge {
  /** rx a, tx b, rx b, tx a. */
  readonly fds: [number, number, number, number];
  readonly warnings: string[];
  /** ARPHRD_* of both interfaces. */
  readonly linkTypes: [number, number];
  /** errno with which the engine ended by itself; 0. */
  readonly failure: number;
  /** What failed then: a system call or a socket option. */
  readonly failedStep: string;
  portState(which: 0 | 1): PortState;
  /** Packed `struct sock_filter`s, empty for none. `dropsMatching`: holds back what the program accepts, else what it refuses. */
  setFilter(which: 0 | 1, filter: Uint8Array, dropsMatching: boolean): void;
  /** Whether the engine judges by the filter set last. */
  filterApplied(which: 0 | 1): boolean;
  statistics(out: Float64Array): void;
  /**
   * `listener` is called on the loop when a port's state has changed, when there is something to `take` (again only after `take` has returned
   * null), or when the engine has ended by itself.
   */
  start(listener: () => void, audience: NativeBridgeAudience): void;
  /** Returns when the engine has ended, at once. */
  stop(): void;
  /** The next batch for JavaScript, in the layout of an owned batch; null when there is none, undefined while live batches hold too much. */
  take(which: 0 | 1): ArrayBuffer | null | undefined;
  /**
   * The verdict on a batch, by its sequence number: on all of it, or 0 for each frame to drop. With `bytes` and `index`, which hold as many
   * frames, those that differ go out instead. False when the batch waits for no answer (any more). Throws RangeError when the numbers differ.
   */
  answer(which: 0 | 1, sequence: number, forwards: boolean | Uint8Array, bytes?: Uint8Array, index?: Uint32Array): boolean;
  ref(): void;
  unref(): void;
  close(): void;
}
