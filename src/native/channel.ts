/** Receive rings that a thread of their own reads. */
import type { PortState } from './bridge';
import type { NativeCaptureGeometry } from './capture';

/** Where the batch begins in `NativeChannel.memory`, in bytes. */
export const CHANNEL_BATCH_OFFSET = 64;

/** Places in the array that `NativeChannel.statistics` fills. All totals since open. */
export const enum ChannelCounter {
  /** Packets that have come into the queue, and those that found no room in it. */
  Queued = 0,
  Dropped = 1,
  /** The kernel's, as in `CaptureCounter`. */
  Received = 2,
  Drops = 3,
  Freezes = 4,
}
export const CHANNEL_COUNTERS = 5;

/** A receive ring that a thread of its own reads into a queue. `new` opens the ring, `start` the thread. Throws `NetringError`. */
export interface NativeChannel {
  readonly fd: number;
  /** Before `start` only. */
  readonly geometry: NativeCaptureGeometry;
  /** The interface's name now: a rename is followed. */
  readonly interfaceName: string;
  readonly linkState: PortState;
  /**
   * The first word tells the reader how many packets have been consumed so far (modulo 2^32), which makes room for others. From
   * `CHANNEL_BATCH_OFFSET` on what `take` has written last.
   */
  readonly memory: ArrayBuffer;
  /** Bytes of ArrayBuffers handed over that have not been collected yet. */
  readonly bytesOut: number;
  /** The reader has ended: drained, or by itself with an errno and what failed (ENODEV: the interface was deleted). */
  readonly ended: boolean;
  readonly failure: number;
  readonly failedStep: string;
  /** As `NativeCapture.setFilter`; before `start` only. */
  setFilter(filter: Uint8Array): void;
  /**
   * `listener` is called on the loop when there is something to `take` after that found nothing, when the link's state has changed, and when the
   * reader has ended.
   */
  start(listener: () => void): void;
  /**
   * The next batch; false when there is none. Header and records stand in `memory` now, in the layout of an owned batch. The frames are handed over
   * as an ArrayBuffer; few of them stand behind the records: true.
   */
  take(): ArrayBuffer | boolean;
  /** Lets nothing more in; the reader ends when it has read what there is. */
  drain(): void;
  /** `out` has `CHANNEL_COUNTERS` places. */
  statistics(out: Float64Array): void;
  ref(): void;
  unref(): void;
  /** Ends the reader at once. */
  close(): void;
}
