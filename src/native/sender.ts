/** What sends frames. */
import type { NativeNamespace, NativeWatchable } from './watch';

export interface NativeInjectorConfig extends NativeNamespace {
  interface: string;
  frameSize: number;
  frameCount: number;
  qdiscBypass: boolean;
}

/** Places in the array that the sending calls fill. */
export const enum SendResult {
  /** Frames the kernel took. */
  Sent = 0,
  /** Frames refused for their length, or by the kernel as EMSGSIZE / EINVAL. */
  Rejected = 1,
  /** Frames of the input that are dealt with (sent or rejected); the rest waits for room, or for the link. */
  Consumed = 2,
  /** errno that ended the call before the end: EAGAIN / ENOBUFS (wait for room), ENETDOWN, ENXIO; 0 when all was consumed. */
  Errno = 3,
  /** Index and length of the first rejected frame; -1 when none. */
  FirstRejected = 4,
  FirstRejectedLength = 5,
  /** Sum of the lengths of the sent frames in bytes. */
  Bytes = 6,
}
export const SEND_RESULTS = 7;

/** What sends frames: slot by slot, and in batches. */
export interface NativeSender {
  readonly interfaceName: string;
  /** Longest frame the link takes: MTU + 14, without the 4 bytes more that a frame with an 802.1Q tag may have. */
  readonly maxFrameLength: number;
  readonly frameCapacity: number;
  readonly frameCount: number;
  /** Index of the next free slot or -1; does not advance. */
  allocate(): number;
  /** The whole data area of a slot as bytes over the ring. */
  slotData(slot: number): Uint8Array;
  /** Marks the allocated slot for sending and advances. Throws RangeError on a length the link does not take. */
  sendSlot(length: number): void;
  /** Kicks the ring without blocking; fills `result`. */
  flush(result: Int32Array): void;
  pendingCount(): number;
  /** Memory of the frames that the kernel has taken and still holds; 0 when all have left. */
  inFlightBytes(): number;
  availableSlots(): number;
  /** Frames refused since open: for their length, or by the kernel. */
  rejectedSlots(): number;
  /**
   * Sends frames `first` up to `end` of an index of `RECORD_WORDS` words a packet over `bytes`, in one go, without blocking.
   * `fixChecksums` completes the checksums of frames whose status says TP_STATUS_CSUMNOTREADY, in a copy.
   */
  sendIndexed(bytes: Uint8Array, index: Uint32Array, first: number, end: number, fixChecksums: boolean, result: Int32Array): void;
  /** The same for an array of byte arrays. Throws TypeError on an element that is none, before anything is sent. */
  sendFrames(frames: readonly Uint8Array[], first: number, end: number, result: Int32Array): void;
}

/** Places in the array that `NativeInjector.statistics` fills. All totals since open, but for `Waiting`. */
export const enum InjectorCounter {
  /** Frames handed over: those sent or rejected, and those in the ring. */
  Accepted = 0,
  /** Frames the kernel took, and the sum of their lengths. */
  Sent = 1,
  Bytes = 2,
  /** Frames refused for their length, or by the kernel. */
  Rejected = 3,
  /** Frames in the ring that the kernel has not taken. */
  Waiting = 4,
}
export const INJECTOR_COUNTERS = 5;

export interface NativeInjector extends NativeWatchable, NativeSender {
  readonly fd: number;
  /** ARPHRD_* of the interface. */
  readonly linkType: number;
  readonly linkUp: boolean;
  readonly warnings: string[];
  /** `out` has `INJECTOR_COUNTERS` places. */
  statistics(out: Float64Array): void;
  close(): void;
}
