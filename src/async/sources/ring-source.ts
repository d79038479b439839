/** Captures and AF_XDP sockets as sources of an `AsyncCapture`. */
import type { CaptureHandle } from '../../capture/capture-handle';
import type { EbpfProgram } from '../../capture/ebpf';
import type { XdpHandle } from '../../xdp/xdp-handle';
import { gatheringOfBlocks, gatheringOfChunks, gatheringOfSlots } from '../gathering';
import type { Reader, Yield } from '../receive-loop';
import type { SourceHandle } from './source-handle';

/** How much later than its timeout a block may come to be retired, in ms. */
const RETIRE_SLACK_MS = 20;

type RingHandle = CaptureHandle | XdpHandle;

abstract class RingSource<H extends RingHandle> implements Omit<SourceHandle, 'geometry' | 'attachEbpfFilter' | 'attachFanoutEbpf'> {
  protected readonly handle: H;
  readonly reader: Reader;
  readonly registration: H['native'];
  abstract readonly lastBatchMs: number;
  readonly errorEndsWaits = false;

  constructor(handle: H, reader: Reader) {
    this.handle = handle;
    this.reader = reader;
    this.registration = handle.native;
  }

  get closed(): boolean {
    return this.handle.closed;
  }
  get interface(): string {
    return this.handle.interface;
  }
  get fd(): number {
    return this.handle.fd;
  }
  get linkUp(): boolean {
    return this.handle.linkUp;
  }
  get warnings(): readonly string[] {
    return this.handle.warnings;
  }

  abstract mostGathering(since: Yield): number;
  stats: SourceHandle['stats'] = () => this.handle.stats();
  cumulativeStats: SourceHandle['cumulativeStats'] = () => this.handle.cumulativeStats();
  setFilter: SourceHandle['setFilter'] = (filter) => this.handle.setFilter(filter);
  assertOpen(): void {
    this.handle.assertOpen();
  }
  close(): void {
    this.handle.close();
  }
}

export class CaptureSource extends RingSource<CaptureHandle> implements SourceHandle {
  readonly geometry: CaptureHandle['geometry'];
  /** The block that was being filled is retired by its timeout as ever. */
  readonly lastBatchMs: number;

  constructor(handle: CaptureHandle) {
    super(handle, handle.reader);
    this.geometry = handle.geometry;
    const { latency, blockTimeoutMs } = handle.settings;
    this.lastBatchMs = (latency === 'immediate' ? 0 : blockTimeoutMs) + RETIRE_SLACK_MS;
  }

  mostGathering(since: Yield): number {
    const { latency, blockTimeoutMs } = this.handle.settings;
    return latency === 'immediate' ? gatheringOfSlots(since) : gatheringOfBlocks(since, this.geometry.blockCount, blockTimeoutMs);
  }
  attachEbpfFilter(program: EbpfProgram): void {
    this.handle.attachEbpfFilter(program);
  }
  attachFanoutEbpf(program: EbpfProgram): void {
    this.handle.attachFanoutEbpf(program);
  }
}

/** Throws TypeError for a socket that only sends. */
export class XdpSource extends RingSource<XdpHandle> implements SourceHandle {
  readonly geometry = undefined;
  readonly lastBatchMs = 0;

  constructor(handle: XdpHandle) {
    super(handle, handle.receiver());
  }

  mostGathering(since: Yield): number {
    return gatheringOfChunks(since, this.handle.rxFrames);
  }
  attachEbpfFilter(): never {
    throw new TypeError('attachEbpfFilter needs a capture: an AF_XDP socket has the filter of its XDP program');
  }
  attachFanoutEbpf(): never {
    throw new TypeError('attachFanoutEbpf needs a capture: an AF_XDP socket is in no fanout group');
  }
}
