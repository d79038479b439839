/** Counters of a channel. */
import { CHANNEL_COUNTERS, ChannelCounter, type NativeChannel } from '../native';

/**
 * Either since open or since the last call of `stats()`. Each frame that passed the filter is counted once: `received` is `packets` + `dropped` +
 * `drops` + what waits in the queue (`waiting`) and in the ring. Once the channel is closed nothing waits.
 */
export class ChannelStats {
  /** Packets handed out. */
  readonly packets: number;
  /** Sum of their lengths on the wire in bytes. */
  readonly bytes: number;
  /** Packets that the queue had no room for, and those that nobody had fetched when the channel was closed. */
  readonly dropped: number;
  /** Frames that passed the filter, as the kernel counts them. */
  readonly received: number;
  /** Frames the kernel dropped because the ring was full. */
  readonly drops: number;
  /** Times the ring was full. */
  readonly freezes: number;
  /** Packets in the queue now; never a difference. */
  readonly waiting: number;

  /** @internal */
  constructor(values: Omit<ChannelStats, 'since' | 'toString'>) {
    this.packets = values.packets;
    this.bytes = values.bytes;
    this.dropped = values.dropped;
    this.received = values.received;
    this.drops = values.drops;
    this.freezes = values.freezes;
    this.waiting = values.waiting;
  }

  /** What was counted between `earlier` and this. */
  since(earlier: ChannelStats): ChannelStats {
    return new ChannelStats({
      packets: this.packets - earlier.packets,
      bytes: this.bytes - earlier.bytes,
      dropped: this.dropped - earlier.dropped,
      received: this.received - earlier.received,
      drops: this.drops - earlier.drops,
      freezes: this.freezes - earlier.freezes,
      waiting: this.waiting,
    });
  }

  /** `packets: 10, dropped: 0, drops: 0, freezes: 0`. */
  toString(): string {
    return `packets: ${this.packets}, dropped: ${this.dropped}, drops: ${this.drops}, freezes: ${this.freezes}`;
  }
}

const words = new Float64Array(CHANNEL_COUNTERS);

/** @internal Totals since open, with what has been handed out so far. */
export function readChannelStats(native: NativeChannel, { packets, bytes }: { packets: number; bytes: number }): ChannelStats {
  native.statistics(words);
  return new ChannelStats({
    packets,
    bytes,
    dropped: words[ChannelCounter.Dropped]!,
    received: words[ChannelCounter.Received]!,
    drops: words[ChannelCounter.Drops]!,
    freezes: words[ChannelCounter.Freezes]!,
    waiting: words[ChannelCounter.Queued]! - packets,
  });
}
