/** What an inject-out node sends through. */
import type { AsyncSendOptions, SendReport } from '../../src/async/send-loop';
import type { PacketBatch } from '../../src/batches/batch';
import type { NetringError } from '../../src/errors/errors';

/** What the node needs of an `AsyncInjector`. */
export interface FrameSink {
  /** Name of the interface now: a rename is followed. */
  readonly interface: string;
  readonly linkUp: boolean;
  readonly warnings: readonly string[];
  /** Tries at once, before it returns; what has no room then waits for it. `report` holds when it rejects, too. */
  sendBatch(frames: PacketBatch | readonly Uint8Array[], options: AsyncSendOptions): Promise<SendReport>;
  on(event: 'up' | 'down', listener: () => void): unknown;
  on(event: 'gone' | 'error', listener: (error: NetringError) => void): unknown;
  close(): void | Promise<void>;
}
