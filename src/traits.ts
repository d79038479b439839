/** What sources and sinks of packets have in common, after netring's traits. */
import type { PacketBatch } from './batch';
import type { CaptureStats } from './stats';
import type { TxSlot } from './tx-slot';

export interface PacketSource {
  readonly fd: number;
  nextBatch(): PacketBatch | null;
  /** Blocks the thread. */
  nextBatchBlocking(timeoutMs: number): PacketBatch | null;
  stats(): CaptureStats;
  cumulativeStats(): CaptureStats;
}

export interface PacketSink {
  readonly fd: number;
  /** A slot for a frame of `length` bytes; null when all are taken. */
  allocate(length: number): TxSlot | null;
  /** Frames the kernel took since the last flush. */
  flush(): number;
}
