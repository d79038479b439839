/** The books of a bridge node: totals since deploy, whatever the number of bridges it took, and rates. */
import { combine, type BridgeDirectionStats, type BridgeStats } from '../../../src/bridge/bridge-stats';
import type { BridgeDirection } from '../../../src/options/values';
import type { NodeState } from '../node-status';

/** What one direction has counted since deploy: see `BridgeDirectionStats`. */
export interface DirectionTotals {
  received: number;
  forwarded: number;
  filtered: number;
  tooLarge: number;
  ringFull: number;
  kernelDrops: number;
  /** Frames that the tap was to copy and the flow was too slow for. */
  tapShed: number;
  errors: number;
  /** Frames that the flow did not send back in time. */
  timedOut: number;
  /** Answers of the flow that came after another one, or too late. */
  lateAnswers: number;
  /** Answers of the flow that could not be taken for one. */
  wrongAnswers: number;
}

export interface DirectionReport extends DirectionTotals {
  /** Forwarded frames and their bits, over the last interval. */
  packetsPerSecond: number;
  bitsPerSecond: number;
}

/** Payload of a statistics message. */
export interface BridgeReport {
  state: NodeState;
  /** Time with an open bridge in s, since deploy. */
  uptime: number;
  aToB: DirectionReport;
  bToA: DirectionReport;
}

export const SIDES = ['aToB', 'bToA'] as const;
export type Side = (typeof SIDES)[number];
export const sideOf = (direction: BridgeDirection): Side => (direction === 'a-to-b' ? 'aToB' : 'bToA');

type Counters = Readonly<Record<Side, BridgeDirectionStats>>;

export class BridgeLedger {
  #closed: Counters | undefined;
  #current: (() => BridgeStats) | undefined;
  readonly #late: Record<Side, number> = { aToB: 0, bToA: 0 };
  readonly #wrong: Record<Side, number> = { aToB: 0, bToA: 0 };

  /** Books a bridge that has just been opened. */
  open(counters: () => BridgeStats): void {
    this.#current = counters;
  }

  /** Adds up a bridge that is closed. */
  settle(): void {
    this.#closed = this.counters();
    this.#current = undefined;
  }

  countLate(side: Side): void {
    this.#late[side]++;
  }

  countWrong(side: Side): void {
    this.#wrong[side]++;
  }

  answers(side: Side): Pick<DirectionTotals, 'lateAnswers' | 'wrongAnswers'> {
    return { lateAnswers: this.#late[side], wrongAnswers: this.#wrong[side] };
  }

  /** Undefined before the first bridge. */
  counters(): Counters | undefined {
    const current = this.#current?.();
    if (current === undefined || this.#closed === undefined) return current ?? this.#closed;
    return { aToB: sum(this.#closed.aToB, current.aToB), bToA: sum(this.#closed.bToA, current.bToA) };
  }

  totals(side: Side): DirectionTotals {
    const counted = this.counters()?.[side];
    return {
      received: counted?.received ?? 0,
      forwarded: counted?.forwarded ?? 0,
      filtered: counted?.filtered ?? 0,
      tooLarge: counted?.tooLarge ?? 0,
      ringFull: counted?.ringFull ?? 0,
      kernelDrops: counted?.kernelDrops ?? 0,
      tapShed: counted?.tapShed ?? 0,
      errors: counted?.errors ?? 0,
      timedOut: counted?.timedOut ?? 0,
      ...this.answers(side),
    };
  }
}

const sum = (one: BridgeDirectionStats, other: BridgeDirectionStats): BridgeDirectionStats => combine(one, other, (a, b) => a + b);

export interface BridgeRates {
  packetsPerSecond: number;
  bitsPerSecond: number;
  /** Frames that were lost for want of room, here or at the kernel, or for their length. */
  dropsPerSecond: number;
  latePerSecond: number;
}

const STILL: BridgeRates = { packetsPerSecond: 0, bitsPerSecond: 0, dropsPerSecond: 0, latePerSecond: 0 };

/** Rates between one look at the ledger and the next. */
export class BridgeRateMeter {
  readonly #ledger: BridgeLedger;
  #counters: Counters | undefined;
  #at: number;
  #rates: Record<Side, BridgeRates> = { aToB: STILL, bToA: STILL };

  constructor(ledger: BridgeLedger, now: number) {
    this.#ledger = ledger;
    this.#at = now;
  }

  /** Two looks within a hundredth of a second tell nothing; the second gets the rates of the first. */
  look(now: number): Record<Side, BridgeRates> {
    const seconds = (now - this.#at) / 1000;
    if (seconds < 0.01) return this.#rates;
    const counters = this.#ledger.counters();
    if (counters !== undefined) {
      const rate = (side: Side): BridgeRates => ratesOf(counters[side], this.#counters?.[side], seconds);
      this.#rates = { aToB: rate('aToB'), bToA: rate('bToA') };
    }
    this.#counters = counters;
    this.#at = now;
    return this.#rates;
  }
}

function ratesOf(counters: BridgeDirectionStats, before: BridgeDirectionStats | undefined, seconds: number): BridgeRates {
  const delta = before === undefined ? counters : combine(counters, before, (a, b) => a - b);
  return {
    packetsPerSecond: delta.forwarded / seconds,
    bitsPerSecond: (delta.forwardedBytes * 8) / seconds,
    dropsPerSecond: (delta.kernelDrops + delta.ringFull + delta.tooLarge) / seconds,
    latePerSecond: delta.timedOut / seconds,
  };
}
