/** Counters of a capture. All are exact numbers: 2^53 frames is 250 years at a million a second. */
import { CAPTURE_COUNTERS, CaptureCounter, type NativeCapture } from '../native';

/** Counters, either since open or since the last call of `stats()`. */
export class CaptureStats {
  /** Frames handed out in batches. */
  readonly packets: number;
  /** Sum of their lengths on the wire in bytes. */
  readonly bytes: number;
  /** Frames that passed the filter, as the kernel counts them: those in the ring, read or not, plus the dropped ones. */
  readonly received: number;
  /** Frames the kernel dropped because the ring was full, or that are longer than a slot and found the receive buffer full (latency immediate). */
  readonly drops: number;
  /** Times the ring was full; 0 with latency immediate. */
  readonly freezes: number;
  /** Frames that an earlier filter had let into the ring and the present one refuses. */
  readonly refiltered: number;
  /** Times draining stopped because live owned batches had reached `maxBufferedBytes`. */
  readonly stalls: number;
  /** Full garbage collections asked for at `maxBufferedBytes`, in order to get the memory of forgotten batches back. */
  readonly collections: number;
  /** Bytes under live owned batches now; never a difference. */
  readonly bufferedBytes: number;

  /** @internal */
  constructor(values: Omit<CaptureStats, 'since' | 'toString'>) {
    this.packets = values.packets;
    this.bytes = values.bytes;
    this.received = values.received;
    this.drops = values.drops;
    this.freezes = values.freezes;
    this.refiltered = values.refiltered;
    this.stalls = values.stalls;
    this.collections = values.collections;
    this.bufferedBytes = values.bufferedBytes;
  }

  /** What was counted between `earlier` and this. */
  since(earlier: CaptureStats): CaptureStats {
    return new CaptureStats({
      packets: this.packets - earlier.packets,
      bytes: this.bytes - earlier.bytes,
      received: this.received - earlier.received,
      drops: this.drops - earlier.drops,
      freezes: this.freezes - earlier.freezes,
      refiltered: this.refiltered - earlier.refiltered,
      stalls: this.stalls - earlier.stalls,
      collections: this.collections - earlier.collections,
      bufferedBytes: this.bufferedBytes,
    });
  }

  /** `packets: 10, drops: 0, freezes: 0`, as netring has it. */
  toString(): string {
    return `packets: ${this.packets}, drops: ${this.drops}, freezes: ${this.freezes}`;
  }
}

/** @internal Counters together; the sum of none is all zeros, with `collections`. */
export function sumOfStats(all: readonly CaptureStats[], collections = 0): CaptureStats {
  const sum = (field: keyof Omit<CaptureStats, 'since' | 'toString'>): number => all.reduce((total, one) => total + one[field], 0);
  return new CaptureStats({
    packets: sum('packets'),
    bytes: sum('bytes'),
    received: sum('received'),
    drops: sum('drops'),
    freezes: sum('freezes'),
    refiltered: sum('refiltered'),
    stalls: sum('stalls'),
    collections: sum('collections') + collections,
    bufferedBytes: sum('bufferedBytes'),
  });
}

const words = new Float64Array(CAPTURE_COUNTERS);

/** @internal Totals since open. */
export function readCaptureStats(native: Pick<NativeCapture, 'statistics'>, collections: number): CaptureStats {
  native.statistics(words);
  return new CaptureStats({
    received: words[CaptureCounter.Received]!,
    drops: words[CaptureCounter.Drops]!,
    freezes: words[CaptureCounter.Freezes]!,
    packets: words[CaptureCounter.Packets]!,
    bytes: words[CaptureCounter.Bytes]!,
    bufferedBytes: words[CaptureCounter.BufferedBytes]!,
    stalls: words[CaptureCounter.Stalls]!,
    refiltered: words[CaptureCounter.Refiltered]!,
    collections,
  });
}
