/** Counters of an AF_XDP socket, summed over its queues. */
import { XDP_COUNTERS, XdpCounter, type NativeXdpSocket } from '../native';
import { CaptureStats } from '../capture/capture-stats';

/** The kernel's own counters since open (`struct xdp_statistics` of linux/if_xdp.h), under its names. */
export class XdpStats {
  /** Frames dropped because no chunk waited in the fill ring, or because they were longer than a chunk. */
  readonly rx_dropped: number;
  /** Chunks handed to the kernel for receiving that it refused. */
  readonly rx_invalid_descs: number;
  /** Frames handed to the kernel for sending that it refused. */
  readonly tx_invalid_descs: number;
  /** Frames dropped because the receive ring was full. */
  readonly rx_ring_full: number;
  /** Times a chunk was wanted and the fill ring was empty. The frame is in `rx_dropped` already. */
  readonly rx_fill_ring_empty_descs: number;
  /** Times a frame to send was wanted and there was none. */
  readonly tx_ring_empty_descs: number;

  /** @internal */
  constructor(values: Omit<XdpStats, 'dropped' | 'since' | 'toString'>) {
    this.rx_dropped = values.rx_dropped;
    this.rx_invalid_descs = values.rx_invalid_descs;
    this.tx_invalid_descs = values.tx_invalid_descs;
    this.rx_ring_full = values.rx_ring_full;
    this.rx_fill_ring_empty_descs = values.rx_fill_ring_empty_descs;
    this.tx_ring_empty_descs = values.tx_ring_empty_descs;
  }

  /** Frames that were meant for the socket and lost, each counted once. */
  get dropped(): number {
    return this.rx_dropped + this.rx_ring_full;
  }

  /** What was counted between `earlier` and this. */
  since(earlier: XdpStats): XdpStats {
    return new XdpStats({
      rx_dropped: this.rx_dropped - earlier.rx_dropped,
      rx_invalid_descs: this.rx_invalid_descs - earlier.rx_invalid_descs,
      tx_invalid_descs: this.tx_invalid_descs - earlier.tx_invalid_descs,
      rx_ring_full: this.rx_ring_full - earlier.rx_ring_full,
      rx_fill_ring_empty_descs: this.rx_fill_ring_empty_descs - earlier.rx_fill_ring_empty_descs,
      tx_ring_empty_descs: this.tx_ring_empty_descs - earlier.tx_ring_empty_descs,
    });
  }

  /** The six counters in one line, `rx_dropped=0 rx_invalid=0 …`, as netring has it. */
  toString(): string {
    return (
      `rx_dropped=${this.rx_dropped} rx_invalid=${this.rx_invalid_descs} tx_invalid=${this.tx_invalid_descs} ` +
      `rx_ring_full=${this.rx_ring_full} rx_fill_empty=${this.rx_fill_ring_empty_descs} tx_ring_empty=${this.tx_ring_empty_descs}`
    );
  }
}

/**
 * Counters in both directions, either since open or since the last call of `stats()`. The kernel counts neither what it delivers nor how often a ring
 * is full: `received` are the frames in the rings, read or not, plus `drops`, `freezes` is 0.
 */
export class XdpSocketStats extends CaptureStats {
  /** Frames the kernel took for sending. */
  readonly sent: number;
  /** Sum of their lengths in bytes. */
  readonly sentBytes: number;
  /** Frames that the kernel took and could not send. */
  readonly sendErrors: number;

  /** @internal */
  constructor(values: Omit<XdpSocketStats, 'since' | 'toString'>) {
    super(values);
    this.sent = values.sent;
    this.sentBytes = values.sentBytes;
    this.sendErrors = values.sendErrors;
  }

  /** What was counted between `earlier` and this. */
  override since(earlier: XdpSocketStats): XdpSocketStats {
    return new XdpSocketStats({
      ...super.since(earlier),
      sent: this.sent - earlier.sent,
      sentBytes: this.sentBytes - earlier.sentBytes,
      sendErrors: this.sendErrors - earlier.sendErrors,
    });
  }

  /** `packets: 10, drops: 0, sent: 0, sendErrors: 0`. */
  override toString(): string {
    return `packets: ${this.packets}, drops: ${this.drops}, sent: ${this.sent}, sendErrors: ${this.sendErrors}`;
  }
}

/** @internal Both views of one reading. */
export interface XdpReading {
  readonly socket: XdpSocketStats;
  readonly kernel: XdpStats;
  /** Of the frames sent, those that the kernel has not taken out of the TX ring yet. */
  readonly unsent: number;
  /** Frames refused for their length. */
  readonly rejected: number;
}

const words = new Float64Array(XDP_COUNTERS);

/** @internal Totals since open. */
export function readXdpStats(native: Pick<NativeXdpSocket, 'statistics'>, collections: number): XdpReading {
  native.statistics(words);
  const kernel = new XdpStats({
    rx_dropped: words[XdpCounter.RxDropped]!,
    rx_invalid_descs: words[XdpCounter.RxInvalidDescs]!,
    tx_invalid_descs: words[XdpCounter.TxInvalidDescs]!,
    rx_ring_full: words[XdpCounter.RxRingFull]!,
    rx_fill_ring_empty_descs: words[XdpCounter.RxFillRingEmptyDescs]!,
    tx_ring_empty_descs: words[XdpCounter.TxRingEmptyDescs]!,
  });
  const packets = words[XdpCounter.Packets]!;
  const refiltered = words[XdpCounter.Refiltered]!;
  const socket = new XdpSocketStats({
    packets,
    bytes: words[XdpCounter.Bytes]!,
    received: packets + refiltered + words[XdpCounter.Waiting]! + kernel.dropped,
    drops: kernel.dropped,
    freezes: 0,
    refiltered,
    stalls: words[XdpCounter.Stalls]!,
    collections,
    bufferedBytes: words[XdpCounter.BufferedBytes]!,
    sent: words[XdpCounter.Sent]!,
    sentBytes: words[XdpCounter.SentBytes]!,
    sendErrors: words[XdpCounter.SendErrors]!,
  });
  return { socket, kernel, unsent: words[XdpCounter.Unsent]!, rejected: words[XdpCounter.Rejected]! };
}
