/** The books of an xdp node: what it received since deploy, whatever the number of sockets it took, and what the kernel counted meanwhile. */
import { Ledger, type StatisticsReport, type Totals } from './ledger';

/** The kernel's counters of AF_XDP sockets, summed over the queues: XDP_STATISTICS. */
export interface KernelCounters {
  /** Frames that found no room in the socket's memory, or did not fit a frame of it. */
  rxDropped: number;
  rxInvalidDescs: number;
  txInvalidDescs: number;
  /** Frames that found the receive ring full. */
  rxRingFull: number;
  rxFillRingEmptyDescs: number;
  txRingEmptyDescs: number;
}

/** What a socket counts. */
export interface XdpCounters extends KernelCounters {
  /** Packets handed out and the sum of their lengths. */
  packets: number;
  bytes: number;
  /** Refused by a filter that was set later. */
  refiltered: number;
}

/** Payload of a statistics message. */
export interface XdpReport extends StatisticsReport {
  /** Frames the kernel took to send, and the sum of their lengths. */
  sent: number;
  sentBytes: number;
  xdp: KernelCounters;
}

const NONE: KernelCounters = {
  rxDropped: 0,
  rxInvalidDescs: 0,
  txInvalidDescs: 0,
  rxRingFull: 0,
  rxFillRingEmptyDescs: 0,
  txRingEmptyDescs: 0,
};

export class XdpLedger {
  readonly #received = new Ledger();
  #closed = NONE;
  #current: (() => XdpCounters) | undefined;

  /** Books a socket that has just been opened. */
  open(counters: () => XdpCounters): void {
    this.#current = counters;
    this.#received.open(() => {
      const { packets, bytes, refiltered, rxDropped, rxRingFull } = counters();
      const drops = rxDropped + rxRingFull;
      // The kernel does not tell what a ring still holds when it is closed.
      return { packets, bytes, refiltered, drops, freezes: 0, received: packets + refiltered + drops };
    });
  }

  /** Adds up the socket before it is closed. What was taken out of its ring and not delivered is shed. */
  settle(undelivered: Pick<Totals, 'packets' | 'bytes'>): void {
    this.#received.settle(undelivered);
    this.#closed = this.kernel();
    this.#current = undefined;
  }

  totals(): Totals {
    return this.#received.totals();
  }

  kernel(): KernelCounters {
    return this.#current === undefined ? this.#closed : sum(this.#closed, this.#current());
  }
}

function sum(a: KernelCounters, b: KernelCounters): KernelCounters {
  return {
    rxDropped: a.rxDropped + b.rxDropped,
    rxInvalidDescs: a.rxInvalidDescs + b.rxInvalidDescs,
    txInvalidDescs: a.txInvalidDescs + b.txInvalidDescs,
    rxRingFull: a.rxRingFull + b.rxRingFull,
    rxFillRingEmptyDescs: a.rxFillRingEmptyDescs + b.rxFillRingEmptyDescs,
    txRingEmptyDescs: a.txRingEmptyDescs + b.txRingEmptyDescs,
  };
}
