/** AF_XDP sockets. */
import type { NativeReceiver } from './capture';
import type { NativeSender } from './sender';
import type { NativeWatchable } from './watch';

export interface NativeXdpConfig {
  interface: string;
  /** -1: all of the interface's. */
  queueId: number;
  /** Size of a chunk of the UMEM: 2048 or 4096. */
  frameSize: number;
  /** Chunks of each queue's UMEM. */
  frameCount: number;
  /** Chunks of `frameCount` that belong to receiving; the rest sends. */
  rxFrames: number;
  needWakeup: boolean;
  /** `XDP_BIND_MODE_VALUES` of options/values.ts. */
  bindMode: number;
  /** `XDP_ATTACH_VALUES`. */
  attach: number;
  /** Packed `struct sock_filter`, 8 bytes an instruction; empty: the program redirects every frame. */
  filter: Uint8Array;
  /** Path of a pinned XSKMAP that a program from outside redirects by; empty: none. */
  mapPin: string;
  promiscuous: boolean;
  /** 0: off. */
  busyPollUs: number;
  preferBusyPoll: boolean;
  /** 0: the kernel's default. */
  busyPollBudget: number;
  /** Bytes of live owned batches at which the rings are no longer drained. */
  maxBufferedBytes: number;
}

/** Places in the array that `NativeXdpSocket.statistics` fills. All totals since open, summed over the queues. */
export const enum XdpCounter {
  /** Frames handed to the user in batches, and the sum of their lengths. */
  Packets = 0,
  Bytes = 1,
  /** Frames in the ring that the filter set later had refused, taken out before delivery. */
  Refiltered = 2,
  /** Bytes of slabs under live owned batches now. */
  BufferedBytes = 3,
  /** Times the ring was left alone because `maxBufferedBytes` was reached. */
  Stalls = 4,
  /** Frames the kernel took for sending, and the sum of their lengths. */
  Sent = 5,
  SentBytes = 6,
  /** Frames that the kernel took and could not send. */
  SendErrors = 7,
  /** `struct xdp_statistics` of linux/if_xdp.h. */
  RxDropped = 8,
  RxInvalidDescs = 9,
  TxInvalidDescs = 10,
  RxRingFull = 11,
  RxFillRingEmptyDescs = 12,
  TxRingEmptyDescs = 13,
  /** Frames received and not handed out yet. */
  Waiting = 14,
  /** Of `Sent`, frames that the kernel has not taken out of the TX ring yet, as far as it tells. */
  Unsent = 15,
  /** Frames refused for their length. */
  Rejected = 16,
}
export const XDP_COUNTERS = 17;

/** AF_XDP sockets on one or all queues of an interface, with the program that redirects frames to them. Throws `NetringError`. */
export interface NativeXdpSocket extends NativeWatchable, NativeReceiver, NativeSender {
  /** One queue: its socket. Several: a descriptor that is readable when a frame waits in one of them. */
  readonly fd: number;
  readonly linkUp: boolean;
  /** ARPHRD_* of the interface. */
  readonly linkType: number;
  /** Human-readable: options that were honoured only in part. */
  readonly warnings: string[];
  /** Ids of the queues. */
  readonly queues: number[];
  /** Whether the kernel binds without copying (XDP_OPTIONS). */
  readonly zeroCopy: boolean;
  /** Where our program is attached: 0 there is none, 1 in the driver, 2 in the kernel's generic path. */
  readonly attachMode: number;
  /** Whether our program is still attached; true when there is none. */
  readonly attached: boolean;
  /** Packed `struct sock_filter`s; an empty array redirects every frame. */
  setFilter(filter: Uint8Array): void;
  /** `out` has `XDP_COUNTERS` places. */
  statistics(out: Float64Array): void;
  close(): void;
}
