/** Packets that were lost on the way to a file. */
import type { InterfaceCounters } from './file-window';

/** Counters of the interface of that name since it was opened; undefined when there are none. */
export type CountersOf = (interfaceName: string) => InterfaceCounters | undefined;

export class LossCounter {
  readonly #countersOf: CountersOf;
  /** Drops of an interface that were told already. */
  readonly #told = new Map<string, number>();

  constructor(countersOf: CountersOf) {
    this.#countersOf = countersOf;
  }

  /** Throws RangeError when a count is no integer from 0 on. */
  counters(interfaceName: string): InterfaceCounters | undefined {
    const counters = this.#countersOf(interfaceName);
    if (counters === undefined) return undefined;
    const { received, drops } = counters;
    for (const [name, count] of Object.entries({ received, drops }) as [string, unknown][])
      if (!Number.isSafeInteger(count) || (count as number) < 0)
        throw new RangeError(`statistics.${name} is ${String(count)}: not a count`);
    return { received, drops };
  }

  /** Drops since the last call for the interface; 0 the first time, since what was lost before is no gap in the file. */
  since(interfaceName: string): number {
    const drops = this.counters(interfaceName)?.drops;
    if (drops === undefined) return 0;
    const before = this.#told.get(interfaceName) ?? drops;
    this.#told.set(interfaceName, drops);
    // A capture that was opened anew counts from 0 again.
    return drops >= before ? drops - before : drops;
  }
}
