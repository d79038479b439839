/** The books of a capture-in node: totals since deploy, whatever the number of captures it took. */
import { receivedAccount } from '../../../src/ledger';
import type { CaptureStats } from '../../../src/capture/capture-stats';
import type { NodeState } from '../node-status';

export interface Totals {
  /** Delivered packets and the sum of their lengths on the wire. */
  packets: number;
  bytes: number;
  /** Dropped by the kernel because the ring was full. */
  drops: number;
  /** Taken into the ring and not delivered: refused by a filter that was set later, or left in the ring when it was closed. */
  shed: number;
  freezes: number;
}

/** What a capture counts: see `CaptureStats`. */
export type CaptureCounters = Pick<CaptureStats, 'packets' | 'bytes' | 'received' | 'drops' | 'freezes' | 'refiltered'>;

/** Payload of a statistics message. */
export interface StatisticsReport extends Totals {
  interface: string;
  state: NodeState;
  /** Share of the interval's packets that was lost, 0 to 1. */
  dropRate: number;
  packetsPerSecond: number;
  bitsPerSecond: number;
  /** Time with an open capture in s, since deploy. */
  uptime: number;
}

export class Ledger {
  #closed: Totals = { packets: 0, bytes: 0, drops: 0, shed: 0, freezes: 0 };
  #current: (() => CaptureCounters) | undefined;
  #undelivered = 0;

  /** Packets taken out of a ring that the flow did not get; `shed` has them too. */
  get undelivered(): number {
    return this.#undelivered;
  }

  /** Books a capture that has just been opened. */
  open(counters: () => CaptureCounters): void {
    this.#current = counters;
  }

  /** Adds up the capture before it is closed. What its ring still holds is shed, and so is what was taken out of it and not delivered. */
  settle(undelivered: Pick<Totals, 'packets' | 'bytes'>): void {
    if (this.#current === undefined) return;
    const last = this.#current();
    this.#current = undefined;
    this.#undelivered += undelivered.packets;
    this.#closed = sum(this.#closed, {
      ...last,
      packets: last.packets - undelivered.packets,
      bytes: last.bytes - undelivered.bytes,
      refiltered: receivedAccount(last, true).shed + undelivered.packets,
    });
  }

  totals(): Totals {
    return this.#current === undefined ? this.#closed : sum(this.#closed, this.#current());
  }
}

function sum(a: Totals, b: Omit<CaptureCounters, 'received'>): Totals {
  return {
    packets: a.packets + b.packets,
    bytes: a.bytes + b.bytes,
    drops: a.drops + b.drops,
    shed: a.shed + b.refiltered,
    freezes: a.freezes + b.freezes,
  };
}

export interface Rates {
  packetsPerSecond: number;
  bitsPerSecond: number;
  dropsPerSecond: number;
  dropRate: number;
}

/** Rates between one look at the totals and the next. */
export class RateMeter {
  #totals: Totals | undefined;
  #at = 0;
  #rates: Rates = { packetsPerSecond: 0, bitsPerSecond: 0, dropsPerSecond: 0, dropRate: 0 };

  /** Two looks within a hundredth of a second tell nothing; the second gets the rates of the first. */
  look(totals: Totals, now: number): Rates {
    const before = this.#totals;
    const seconds = (now - this.#at) / 1000;
    if (before !== undefined && seconds < 0.01) return this.#rates;
    this.#totals = totals;
    this.#at = now;
    if (before === undefined) return this.#rates;
    // Settling a capture takes back what it had counted as delivered and the flow did not get.
    const packets = Math.max(0, totals.packets - before.packets);
    const bytes = Math.max(0, totals.bytes - before.bytes);
    const lost = totals.drops - before.drops + (totals.shed - before.shed);
    this.#rates = {
      packetsPerSecond: packets / seconds,
      bitsPerSecond: (bytes * 8) / seconds,
      dropsPerSecond: lost / seconds,
      dropRate: lost === 0 ? 0 : lost / (lost + packets),
    };
    return this.#rates;
  }
}
