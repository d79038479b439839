/** Counters of a bridge. */
import { BRIDGE_COUNTERS, BridgeCounter, type NativeBridge } from '../native';

/**
 * One direction: every received frame is counted in exactly one of forwarded, filtered, tooLarge, ringFull, errors and kernelDrops (or is in the
 * ring, or with the flow, at this moment).
 */
export interface BridgeDirectionStats {
  /** Frames read from the receive ring. */
  readonly received: number;
  /** Sum of the lengths on the wire in bytes. */
  readonly bytes: number;
  /** Taken by the kernel of the other interface. */
  readonly forwarded: number;
  /** Sum of their lengths in bytes. */
  readonly forwardedBytes: number;
  /** Held back by the filter, by a verdict, or by `dropLinkLocal`. */
  readonly filtered: number;
  /** Longer than the other interface's MTU allows. */
  readonly tooLarge: number;
  /** The other interface had taken nothing for 100 ms. */
  readonly ringFull: number;
  /** The other interface was down, or refused the frame. */
  readonly errors: number;
  /** Dropped by the kernel for want of room in the receive ring, or received while the bridge was not running. */
  readonly kernelDrops: number;
  /** Frames that the tap was to see and had no room for, because nobody took the batches before. */
  readonly tapShed: number;
  /** Frames whose verdict did not come in time. */
  readonly timedOut: number;
  /**
   * Frames that the kernel had for the bridge, those it dropped included, as of at most 20 ms ago: the sum that `received` comes to once the ring is
   * empty.
   */
  readonly wire: number;
}

/** Counters of both directions, either since open or since the last call of `stats()`. */
export class BridgeStats {
  /** What came in on port A. */
  readonly aToB: BridgeDirectionStats;
  /** What came in on port B. */
  readonly bToA: BridgeDirectionStats;

  /** @internal */
  constructor(aToB: BridgeDirectionStats, bToA: BridgeDirectionStats) {
    this.aToB = aToB;
    this.bToA = bToA;
  }

  /** What was counted between `earlier` and this. */
  since(earlier: BridgeStats): BridgeStats {
    return new BridgeStats(difference(this.aToB, earlier.aToB), difference(this.bToA, earlier.bToA));
  }

  /** One line for both directions, with the counters by netring's names. */
  toString(): string {
    return `A→B: ${describe(this.aToB)} | B→A: ${describe(this.bToA)}`;
  }
}

const words = new Float64Array(2 * BRIDGE_COUNTERS);

/** @internal Totals since open. */
export function readBridgeStats(native: NativeBridge): BridgeStats {
  native.statistics(words);
  return new BridgeStats(direction(0), direction(BRIDGE_COUNTERS));
}

function direction(at: number): BridgeDirectionStats {
  return {
    received: words[at + BridgeCounter.Received]!,
    bytes: words[at + BridgeCounter.Bytes]!,
    forwarded: words[at + BridgeCounter.Forwarded]!,
    filtered: words[at + BridgeCounter.Filtered]!,
    tooLarge: words[at + BridgeCounter.TooLarge]!,
    ringFull: words[at + BridgeCounter.RingFull]!,
    errors: words[at + BridgeCounter.Errors]!,
    kernelDrops: words[at + BridgeCounter.KernelDrops]!,
    tapShed: words[at + BridgeCounter.TapShed]!,
    timedOut: words[at + BridgeCounter.TimedOut]!,
    forwardedBytes: words[at + BridgeCounter.ForwardedBytes]!,
    wire: words[at + BridgeCounter.Wire]!,
  };
}

/** @internal Counter by counter. */
export function combine(
  one: BridgeDirectionStats,
  other: BridgeDirectionStats,
  operation: (one: number, other: number) => number,
): BridgeDirectionStats {
  const names = Object.keys(one) as (keyof BridgeDirectionStats)[];
  return Object.fromEntries(names.map((name) => [name, operation(one[name], other[name])])) as unknown as BridgeDirectionStats;
}

const difference = (now: BridgeDirectionStats, earlier: BridgeDirectionStats): BridgeDirectionStats =>
  combine(now, earlier, (a, b) => a - b);

function describe(one: BridgeDirectionStats): string {
  const dropped = `too_large=${one.tooLarge}, ring_full=${one.ringFull}, kernel=${one.kernelDrops}`;
  return `received: ${one.received}, forwarded: ${one.forwarded}, filtered: ${one.filtered}, dropped(${dropped}), errors: ${one.errors}`;
}
