/** What sources and sinks of packets have in common, after netring's traits. */
import type { PacketBatch } from './batch';
import type { CaptureStats } from './stats';

export interface PacketSource {
  readonly fd: number;
  nextBatch(): PacketBatch | null;
  /** Blocks the thread. */
  nextBatchBlocking(timeoutMs: number): PacketBatch | null;
  stats(): CaptureStats;
  cumulativeStats(): CaptureStats;
}
