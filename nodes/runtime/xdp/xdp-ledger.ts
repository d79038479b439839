/** The books of an xdp node: totals since deploy, whatever the number of sockets it took. */
import type { XdpStats } from '../../../src/xdp/xdp-stats';
import { Ledger, type CaptureCounters, type StatisticsReport, type Totals } from '../capture/capture-ledger';

/** The kernel's own counters of AF_XDP sockets, under its names: see `XdpStats`. */
export type KernelCounters = Omit<XdpStats, 'dropped' | 'since' | 'toString'>;

/** What counts, of an `AsyncXdpSocket`. */
export interface XdpCounting {
  cumulativeStats(): CaptureCounters & { sendErrors: number };
  statistics(): KernelCounters;
}

/** Payload of a statistics message. */
export interface XdpReport extends StatisticsReport {
  /** Frames the kernel took to send, and the sum of their lengths. */
  sent: number;
  sentBytes: number;
  /** Frames that the kernel took and the device then refused. */
  sendErrors: number;
  xdp: KernelCounters;
}

const COUNTERS = [
  'rx_dropped',
  'rx_invalid_descs',
  'tx_invalid_descs',
  'rx_ring_full',
  'rx_fill_ring_empty_descs',
  'tx_ring_empty_descs',
] as const satisfies readonly (keyof KernelCounters)[];

export class XdpLedger {
  readonly #received = new Ledger();
  readonly #closed: Partial<Record<keyof KernelCounters, number>> = {};
  #closedErrors = 0;
  #current: XdpCounting | undefined;

  /** Books a socket that has just been opened. */
  open(socket: XdpCounting): void {
    this.#current = socket;
    this.#received.open(() => socket.cumulativeStats());
  }

  /** Adds up the socket before it is closed. What was taken out of its ring and not delivered is shed. */
  settle(undelivered: Pick<Totals, 'packets' | 'bytes'>): void {
    this.#received.settle(undelivered);
    Object.assign(this.#closed, this.kernel());
    this.#closedErrors = this.sendErrors;
    this.#current = undefined;
  }

  /** As of a capture's ledger. */
  get undelivered(): number {
    return this.#received.undelivered;
  }

  totals(): Totals {
    return this.#received.totals();
  }

  /** Frames that the kernel took and the device then refused. */
  get sendErrors(): number {
    return this.#closedErrors + (this.#current?.cumulativeStats().sendErrors ?? 0);
  }

  /** A plain object: it goes into a message. */
  kernel(): KernelCounters {
    const current = this.#current?.statistics();
    const sum = (name: keyof KernelCounters): number => (this.#closed[name] ?? 0) + (current?.[name] ?? 0);
    return Object.fromEntries(COUNTERS.map((name) => [name, sum(name)])) as Record<keyof KernelCounters, number>;
  }
}
