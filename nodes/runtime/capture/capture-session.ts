/** One open capture of a capture-in node and the loop that drains it. */
import type { PacketBatch } from '../../../src/batches/batch';
import { NetringError } from '../../../src/errors/errors';
import type { Filter } from '../../../src/options/filter-program';
import type { CaptureOutput, OutputContext } from './capture-output';
import type { Clock } from '../clock';
import type { CaptureCounters } from './capture-ledger';

/** What a session reads. */
export interface PacketSource {
  readonly interface: string;
  readonly linkUp: boolean;
  readonly warnings: readonly string[];
  readable(options: { signal: AbortSignal }): Promise<unknown>;
  tryRecv(): PacketBatch | null;
  setFilter(filter: Filter | null): void | Promise<void>;
  on(event: 'up' | 'down', listener: () => void): unknown;
  on(event: 'gone' | 'error', listener: (error: NetringError) => void): unknown;
  close(): void | Promise<void>;
}

/** What the node needs of an `AsyncCapture`. */
export interface CaptureSource extends PacketSource {
  cumulativeStats(): CaptureCounters;
}

export interface SessionEvents {
  link(up: boolean): void;
  /** The capture failed; `gone` when the interface was deleted. Comes once, after the ring was drained. */
  ended(error: unknown, gone: boolean): void;
}

/** Longest time that what an ending capture still holds is delivered for. */
const DRAIN_MS = 500;
/** Longest time that packets are waited for after the interface is gone. */
const LAST_BLOCK_MS = 2000;

export class CaptureSession {
  readonly #source: PacketSource;
  readonly #output: CaptureOutput;
  readonly #context: OutputContext;
  readonly #events: SessionEvents;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #finished: Promise<void>;
  #running = true;
  #failure: { error: unknown; gone: boolean } | undefined;
  #cancelLastWait: () => void = () => undefined;

  constructor(source: PacketSource, output: CaptureOutput, context: OutputContext, events: SessionEvents, clock: Clock) {
    this.#source = source;
    this.#output = output;
    this.#context = context;
    this.#events = events;
    this.#clock = clock;
    source.on('up', () => events.link(true));
    source.on('down', () => events.link(false));
    source.on('gone', (error) => this.#fail(error, true));
    source.on('error', (error) => this.#fail(error, false));
    this.#finished = this.#run();
  }

  /** Whether the loop still delivers. */
  get running(): boolean {
    return this.#running;
  }

  get source(): PacketSource {
    return this.#source;
  }

  /** Ends the loop; resolves when it has let go of the capture, which the caller closes. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#finished;
  }

  /** Delivers what the ring holds, for a bounded time. */
  async drain(): Promise<void> {
    const until = this.#clock.now() + DRAIN_MS;
    while (this.#output.turn(this.#context) && this.#clock.now() < until) await this.#clock.turn();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    try {
      while (!signal.aborted) {
        await this.#source.readable({ signal });
        while (!signal.aborted && this.#output.turn(this.#context)) await this.#clock.turn();
      }
    } catch (error) {
      if (this.#failure === undefined && !signal.aborted) this.#failure = { error, gone: isGone(error) };
    }
    this.#cancelLastWait();
    this.#running = false;
    if (this.#failure === undefined) return;
    await this.drain().catch(() => undefined);
    this.#events.ended(this.#failure.error, this.#failure.gone);
  }

  /** An event may come before, after or without the rejection of the wait for packets. */
  #fail(error: unknown, gone: boolean): void {
    if (this.#failure !== undefined || this.#abort.signal.aborted) return;
    this.#failure = { error, gone };
    if (!gone) return this.#abort.abort();
    // The kernel retires the block it was filling only when that times out: reading goes on until the capture says that nothing is left.
    this.#cancelLastWait = this.#clock.after(LAST_BLOCK_MS, () => this.#abort.abort());
  }
}

function isGone(error: unknown): boolean {
  return error instanceof NetringError && (error.code === 'ENODEV' || error.code === 'ENXIO');
}
