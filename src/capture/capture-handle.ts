/** The one owner of a receive ring's native object, behind `Capture` and its async shells. */
import { BatchReader } from '../batches/batch-reader';
import { checkProgram, type EbpfProgram } from './ebpf';
import { NetringError } from '../errors/errors';
import { native, type NativeCapture, type NativeCaptureGeometry } from '../native';
import { receivedAccount, type CaptureLedger, type LedgerKeeper } from '../ledger';
import { assertLinkType, isEthernet } from '../interfaces/link-types';
import { captures } from '../metrics/books';
import { isExpression, packSocketFilter, type Filter } from '../options/filter-program';
import type { CaptureSettings } from '../options/generated/builders';
import { toNativeCaptureConfig } from '../options/validate';
import type { FanoutMode } from '../options/values';
import type { Owner } from '../owner';
import { readCaptureStats, type CaptureStats } from './capture-stats';

export class CaptureHandle implements Owner, LedgerKeeper {
  readonly settings: CaptureSettings;
  readonly native: NativeCapture;
  readonly geometry: NativeCaptureGeometry;
  readonly warnings: readonly string[];
  readonly reader: BatchReader;
  #previous: CaptureStats;
  #last: CaptureStats | undefined;
  #interfaceName: string;

  /** `filter` is the one of the options, of which `settings` hold what it comes to on Ethernet. */
  constructor(settings: CaptureSettings, warnings: readonly string[], filter: Filter | null | undefined) {
    this.settings = settings;
    this.native = new (native().Capture)(toNativeCaptureConfig(settings));
    this.geometry = this.native.geometry;
    this.warnings = [...warnings, ...this.geometry.warnings];
    this.reader = new BatchReader(this.native, this, this.geometry.linkType, settings.maxBufferedBytes);
    this.#interfaceName = settings.interface;
    try {
      assertLinkType(this.geometry.linkType, settings.interface);
      // Which link it is the open socket tells. What the wrong program let in until here is judged again.
      if (isExpression(filter) && !isEthernet(this.geometry.linkType)) this.setFilter(filter);
      this.#previous = this.cumulativeStats();
    } catch (error) {
      this.native.close();
      throw error;
    }
    captures.open(this);
  }

  get closed(): boolean {
    return this.#last !== undefined;
  }

  /** -1 after `close`. */
  get fd(): number {
    return this.closed ? -1 : this.native.fd;
  }

  get linkUp(): boolean {
    return !this.closed && this.native.linkUp;
  }

  /** The interface's name now: a rename is followed. */
  get interface(): string {
    if (!this.closed) this.#interfaceName = this.native.interfaceName;
    return this.#interfaceName;
  }

  setFilter(filter: Filter | null): void {
    this.assertOpen();
    this.native.setFilter(packSocketFilter(filter, this.geometry.linkType, this.settings.snapLen));
  }

  attachEbpfFilter(program: EbpfProgram): void {
    this.assertOpen();
    this.native.attachEbpfFilter(checkProgram(program));
  }

  attachFanoutEbpf(program: EbpfProgram): void {
    this.assertOpen();
    assertFanoutEbpf(this.settings.fanoutMode);
    this.native.attachFanoutEbpf(checkProgram(program));
  }

  /** Since the last call. */
  stats(): CaptureStats {
    const now = this.cumulativeStats();
    const delta = now.since(this.#previous);
    this.#previous = now;
    return delta;
  }

  /** Since open; the last totals after `close`. */
  cumulativeStats(): CaptureStats {
    return this.#last ?? readCaptureStats(this.native, this.reader.collections);
  }

  ledger(): CaptureLedger {
    return { received: receivedAccount(this.cumulativeStats(), this.closed) };
  }

  close(): void {
    if (this.closed) return;
    this.reader.release();
    this.#interfaceName = this.native.interfaceName;
    this.#last = readCaptureStats(this.native, this.reader.collections);
    this.native.close();
    captures.close(this);
  }

  assertOpen(): void {
    if (this.closed) throw NetringError.io('ECANCELED', `the capture on ${this.#interfaceName} is closed`, this.#interfaceName);
  }
}

/** @internal Only a group of this mode has a program. */
export function assertFanoutEbpf(mode: FanoutMode | null): void {
  if (mode !== 'ebpf')
    throw NetringError.config(`attachFanoutEbpf needs fanoutMode "ebpf", not ${mode === null ? 'none' : `"${mode}"`}`, 'fanoutMode');
}
