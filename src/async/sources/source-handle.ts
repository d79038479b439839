/** What an `AsyncCapture` asks of its source, whatever that is. */
import type { EbpfProgram } from '../../capture/ebpf';
import type { LoopListener } from '../../native';
import type { Filter } from '../../options/filter-program';
import type { Owner } from '../../owner';
import type { CaptureStats } from '../../capture/capture-stats';
import type { Reader, Readiness, Yield } from '../receive-loop';

/** A source's registration with the event loop. */
export interface Registration extends Readiness {
  watch(listener: LoopListener): void;
  ref(): void;
  unref(): void;
}

export interface SourceHandle extends Owner {
  readonly fd: number;
  readonly linkUp: boolean;
  readonly geometry: unknown;
  readonly warnings: readonly string[];
  readonly reader: Reader;
  readonly registration: Registration;
  /** How long after the end of the interface its last batch may still come, in ms. */
  readonly lastBatchMs: number;
  /** Whether an error of the descriptor ends the waits even where somebody listens for it. */
  readonly errorEndsWaits: boolean;
  /** For how many ms a source that has yielded so much may be left alone. */
  mostGathering(since: Yield): number;
  stats(): CaptureStats;
  cumulativeStats(): CaptureStats;
  /** Throws TypeError where there is no filter to set. */
  setFilter(filter: Filter | null): void;
  /** Both throw TypeError where the source is no capture. */
  attachEbpfFilter(program: EbpfProgram): void;
  attachFanoutEbpf(program: EbpfProgram): void;
  close(): void;
}
