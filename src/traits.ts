/** What sources and sinks of packets have in common, after netring's traits. */
import type { PacketBatch } from './batches/batch';
import type { CaptureStats } from './capture/capture-stats';
import type { TxSlot } from './sending/tx-slot';

/** What batches can be read from. Any object of this shape may be the source of an `AsyncCapture`, whatever it reads. */
export interface PacketSource {
  /** A descriptor that is readable as long as `nextBatch` has something: a socket, a pipe, an eventfd. Waiting makes it non-blocking. */
  readonly fd: number;
  /** Name of the interface, if there is one. */
  readonly interface?: string;
  /** The next batch without waiting, borrowed (valid until the next call) or owned; null when there is none. */
  nextBatch(): PacketBatch | null;
  /** As `nextBatch`, after waiting up to `timeoutMs` milliseconds for a batch. BLOCKS THE THREAD. An async shell never calls it. */
  nextBatchBlocking(timeoutMs: number): PacketBatch | null;
  /** Counters since the last call of this method. */
  stats(): CaptureStats;
  /** Counters since open. */
  cumulativeStats(): CaptureStats;
  /** Gives everything back; a source without it is let go of as it is. */
  close?(): void;
}

/** What frames can be put into: `Injector` and `XdpSocket`. */
export interface PacketSink {
  /** Descriptor of the socket; -1 after `close`. */
  readonly fd: number;
  /** A slot for a frame of `length` bytes; null when all are taken. */
  allocate(length: number): TxSlot | null;
  /** Frames the kernel took since the last flush. */
  flush(): number;
}
