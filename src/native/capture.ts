/** Receive rings. */
import type { NativeNamespace, NativeWatchable } from './watch';

/** Everything the core needs to open a receive ring. Values are already checked; the addon re-checks types and sizes only. */
export interface NativeCaptureConfig extends NativeNamespace {
  interface: string;
  blockSize: number;
  blockCount: number;
  frameSize: number;
  /** 0: no truncation. */
  snapLen: number;
  blockTimeoutMs: number;
  /** Slots of one frame each, readable at once, instead of blocks. */
  immediate: boolean;
  fillRxhash: boolean;
  promiscuous: boolean;
  ignoreOutgoing: boolean;
  /** 0: off. */
  busyPollUs: number;
  reuseport: boolean;
  /** 0: the kernel's default. */
  rcvbuf: number;
  rcvbufForce: boolean;
  /** Argument of PACKET_TIMESTAMP: 0 software, SOF_TIMESTAMPING_RAW_HARDWARE 64, SOF_TIMESTAMPING_SYS_HARDWARE 32. */
  timestampFlags: number;
  /** -1: no fanout; else `mode | flags`, the upper half of PACKET_FANOUT's argument. */
  fanout: number;
  fanoutGroup: number;
  /** Packed `struct sock_filter`, 8 bytes an instruction; empty: no filter. */
  filter: Uint8Array;
  /** Bytes of live owned batches at which the ring is no longer drained. */
  maxBufferedBytes: number;
}

/** What the kernel really gave, which may be less than what was asked for. */
export interface NativeCaptureGeometry {
  /** Size of a block in bytes. */
  blockSize: number;
  /** Blocks in the ring, which has `blockSize * blockCount` bytes. */
  blockCount: number;
  /** Most that a packet takes of the ring with latency `immediate`, headers included, in bytes. */
  frameSize: number;
  /** Id of the joined fanout group, read back from the kernel; -1 without fanout. */
  fanoutGroup: number;
  /** ARPHRD_* of the interface. */
  linkType: number;
  /** Human-readable: options the kernel did not honour, a ring made smaller for want of memory. */
  warnings: string[];
}

/** Places in the array that `NativeCapture.statistics` fills. All totals since open. */
export const enum CaptureCounter {
  /** Frames that passed the filter: delivered into the ring plus dropped (`tp_packets`). */
  Received = 0,
  /** Frames dropped because the ring was full (`tp_drops`). */
  Drops = 1,
  /** Times the ring froze because it was full (`tp_freeze_q_cnt`). */
  Freezes = 2,
  /** Frames handed to the user in batches, and the sum of their original lengths. */
  Packets = 3,
  Bytes = 4,
  /** Bytes of slabs under live owned batches now. */
  BufferedBytes = 5,
  /** Times the ring was left alone because `maxBufferedBytes` was reached. */
  Stalls = 6,
  /** Frames in the ring that the filter set later had refused, taken out before delivery. */
  Refiltered = 7,
}
export const CAPTURE_COUNTERS = 8;

/** What hands out batches of received frames, borrowed and owned. */
export interface NativeReceiver {
  /** Header and index of the borrowed batch, filled by `borrow`. */
  readonly header: Uint32Array;
  readonly index: Uint32Array;
  /** The next batch as an external ArrayBuffer over the ring; null when there is none. Throws TypeError while one is out. */
  borrow(): ArrayBuffer | null;
  /** Detaches the borrowed ArrayBuffer and gives its memory back to the kernel. No effect when none is out. */
  release(): void;
  /** The next batch, copied into a slab: header, index, bytes. null when there is none; undefined when `maxBufferedBytes` is reached. */
  take(): ArrayBuffer | null | undefined;
  /** Bytes of slabs under live owned batches of this thread now. */
  readonly bufferedBytes: number;
  /** Whether live owned batches leave room for the next batch under `maxBufferedBytes`. */
  readonly hasRoom: boolean;
  /** Blocks the thread until there is a batch. False after the timeout; -1 waits for ever. */
  wait(timeoutMs: number): boolean;
}

/** A receive ring, whose batches are its blocks, or what has come so far. Throws `NetringError`. */
export interface NativeCapture extends NativeWatchable, NativeReceiver {
  readonly fd: number;
  readonly geometry: NativeCaptureGeometry;
  /** The interface's name now (a rename is followed) and whether it is up with a carrier. */
  readonly interfaceName: string;
  readonly linkUp: boolean;
  /** Packed `struct sock_filter`s; an empty array detaches. */
  setFilter(filter: Uint8Array): void;
  /**
   * From now on `take` sends its batches to the `SlabInbox` of another thread that `outboxFd` belongs to, and gives a receipt
   * instead: the header of what was sent, at most 1024 empty packets, in memory that the next call writes again. Undefined also when as many wait
   * there as may.
   */
  sendTo(outboxFd: number, member: number): void;
  /** The eBPF program is a descriptor, or the path it is pinned to. */
  attachEbpfFilter(program: number | string): void;
  attachFanoutEbpf(program: number | string): void;
  /** `out` has `CAPTURE_COUNTERS` places. */
  statistics(out: Float64Array): void;
  close(): void;
}

/** Where batches arrive that another thread of the process has taken; see native/core/slab_channel.h. */
export interface NativeSlabInbox {
  /** For `NativeCapture.sendTo`; -1 after `closeOutbox`, which is due once the other thread has done that or has ended. */
  readonly outboxFd: number;
  /** Whether `take` would give a batch. */
  readonly ready: boolean;
  /** The sender had a batch and no memory for it when it last looked. */
  readonly senderStalled: boolean;
  /** Bytes of slabs under the sender's live batches: on the way, and with the reader. */
  readonly bufferedBytes: number;
  take(): ArrayBuffer | null;
  /** From then on the counters of a capture that sends here can be read. */
  closeOutbox(): void;
  /** Of the capture that sends here, at this moment; its last ones after its end. As `NativeCapture.statistics`. */
  statistics(out: Float64Array): void;
  /** Frees what was not taken. */
  close(): void;
}
