/** What an inject-out node sends through. */
import type { PacketBatch } from '../../src/batch';
import type { NetringError } from '../../src/errors';

/** What became of one call. */
export interface Sent {
  sent: number;
  rejected: number;
  bytes: number;
}

/** What the node needs of an `AsyncInjector`. */
export interface FrameSink {
  readonly linkUp: boolean;
  readonly warnings: readonly string[];
  sendBatch(frames: PacketBatch | readonly Uint8Array[], options: { signal: AbortSignal; fixChecksums: boolean }): Promise<Sent>;
  on(event: 'up' | 'down', listener: () => void): unknown;
  on(event: 'gone' | 'error', listener: (error: NetringError) => void): unknown;
  close(): void | Promise<void>;
}
