/** A bridge whose frames are judged one by one by a function. */
import type { PacketBatch } from '../batches/batch';
import { isForward, type Judge } from './bridge-feed';
import type { BridgeAction, BridgeDirection } from '../options/values';
import { Packet } from '../batches/packet';

/** Judges one frame. It holds up all traffic while it runs. */
export type BridgeFilterFunction = (packet: Packet, direction: BridgeDirection) => BridgeAction;

/** @internal A run's end, which comes from the filter, a signal, the engine, or whoever stops the bridge. */
export class FilterRun {
  readonly finished: Promise<void>;
  #resolve: () => void = () => undefined;
  #reject: (reason: unknown) => void = () => undefined;
  readonly #filter: BridgeFilterFunction;
  readonly #onEnd: () => void;
  readonly #pollTimeoutMs: number;
  #iterationsLeft: number;
  #idle: NodeJS.Timeout | undefined;
  #ended = false;

  /** `iterations` may be Infinity. `onEnd` is called before `finished` settles. */
  constructor(filter: BridgeFilterFunction, iterations: number, pollTimeoutMs: number, onEnd: () => void) {
    if (typeof filter !== 'function') throw new TypeError('filter must be a function');
    this.#filter = filter;
    this.#iterationsLeft = iterations;
    this.#pollTimeoutMs = pollTimeoutMs;
    this.#onEnd = onEnd;
    this.finished = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Verdicts on a batch. When the filter throws, or ends the run otherwise, all of the batch is dropped. */
  readonly judge: Judge = (batch: PacketBatch, direction: BridgeDirection) => {
    const forwards = new Uint8Array(batch.length);
    if (this.#iterationsLeft <= 0) return forwards;
    try {
      for (let i = 0; i < forwards.length && !this.#ended; i++)
        forwards[i] = isForward(this.#filter(new Packet(batch, i), direction), 'the verdict') ? 1 : 0;
    } catch (error) {
      this.end({ reason: error });
    }
    this.#iterated();
    return forwards;
  };

  /** The engine runs now. */
  begin(): void {
    if (this.#iterationsLeft === 0) return this.end();
    if (this.#iterationsLeft !== Infinity && !this.#ended) this.#idle = setInterval(() => this.#iterated(), this.#pollTimeoutMs).unref();
  }

  #iterated(): void {
    this.#idle?.refresh();
    if (--this.#iterationsLeft > 0) return;
    // The last batch's verdicts are handed over first.
    setImmediate(() => this.end());
  }

  end(failure?: { reason: unknown }): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#idle);
    this.#onEnd();
    if (failure === undefined) this.#resolve();
    else this.#reject(failure.reason);
  }
}
