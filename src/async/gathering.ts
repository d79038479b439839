/** For how long a busy source is left alone, so that a wake-up finds more. */
import type { Yield } from './receive-loop';

/** Packets a millisecond from which on they are left to gather: below it a wake-up for each costs less than the latency is worth. */
const BUSY_RATE = 64;

/**
 * No longer than a packet may still wait after its block was filled, for the timeout is the highest latency the ring adds; and at most an eighth of
 * the time in which the ring fills up.
 */
export function gatheringOfBlocks({ elapsedMs, batches, lastFull }: Yield, blockCount: number, blockTimeoutMs: number): number {
  if (!lastFull) return 0;
  const perBlock = elapsedMs / batches;
  return Math.min(blockTimeoutMs - perBlock, (perBlock * blockCount) / 8);
}

/** Packets in a millisecond from which on an immediate capture lets them gather: fewer than that are not worth a millisecond. */
const GATHERS_FROM = 32;

/** A millisecond, and only when so much comes that a wake-up for every few packets would leave the loop no time for anything else. */
export function gatheringOfSlots({ elapsedMs, packets }: Yield): number {
  return packets > GATHERS_FROM * elapsedMs ? 1 : 0;
}

/**
 * At most the time in which an eighth of the receiving chunks fills. A busy socket that is read at once yields some ten packets a wake-up, and owned
 * packets of 64 bytes cost 228 ns each; left to gather they cost 116 (a C reader: 139).
 */
export function gatheringOfChunks({ elapsedMs, packets }: Yield, rxFrames: number): number {
  const perMs = packets / elapsedMs;
  return perMs < BUSY_RATE ? 0 : rxFrames / 8 / perMs;
}
