/** Counters of an injector. */
import { INJECTOR_COUNTERS, InjectorCounter, type NativeInjector } from '../native';

/** @internal Totals since open; `waiting` is what the ring holds now. */
export interface InjectorStats {
  readonly accepted: number;
  readonly sent: number;
  readonly bytes: number;
  readonly rejected: number;
  readonly waiting: number;
}

const words = new Float64Array(INJECTOR_COUNTERS);

/** @internal */
export function readInjectorStats(native: NativeInjector): InjectorStats {
  native.statistics(words);
  return {
    accepted: words[InjectorCounter.Accepted]!,
    sent: words[InjectorCounter.Sent]!,
    bytes: words[InjectorCounter.Bytes]!,
    rejected: words[InjectorCounter.Rejected]!,
    waiting: words[InjectorCounter.Waiting]!,
  };
}
