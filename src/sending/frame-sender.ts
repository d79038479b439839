/** Sends frames by what holds them, slots and batches, and says what became of them. */
import { constants } from 'node:os';
import { NetringError } from '../errors/errors';
import type { FrameInput } from './frame-input';
import { SEND_RESULTS, SendResult, type NativeSender } from '../native';
import type { Owner } from '../owner';
import { TxSlots } from './tx-slot';

const { EAGAIN, ENETDOWN, ENOBUFS, ENXIO } = constants.errno;

/** What ended a sending call before its end: the kernel has no room, or a failure. */
export type Stop = 'none' | 'full' | 'congested' | NetringError;

export class FrameSender {
  /** Longest frame a slot holds, and the number of slots: as the kernel gave them. */
  readonly frameCapacity: number;
  readonly frameCount: number;
  readonly slots: TxSlots;
  /** Filled by `transmit` and `flush`; places are those of `SendResult`. */
  readonly result = new Int32Array(SEND_RESULTS);
  readonly #native: NativeSender;
  readonly #owner: Owner;
  readonly #step: string;

  /** `step` is the system call that sends, as errors name it. */
  constructor(sender: NativeSender, owner: Owner, step: string) {
    this.#native = sender;
    this.#owner = owner;
    this.#step = step;
    this.frameCapacity = sender.frameCapacity;
    this.frameCount = sender.frameCount;
    this.slots = new TxSlots(sender, () => owner.assertOpen());
  }

  get interface(): string {
    return this.#owner.interface;
  }
  get maxFrameLength(): number {
    return this.#opened().maxFrameLength;
  }
  get pendingCount(): number {
    return this.#opened().pendingCount();
  }
  get availableSlots(): number {
    return this.#opened().availableSlots();
  }
  get rejectedSlots(): number {
    return this.#opened().rejectedSlots();
  }

  /** Sends frames `first` up to `end` without waiting; `result` tells how far it came. */
  transmit(input: FrameInput, first: number, end: number, fixChecksums: boolean): Stop {
    if ('memory' in input) this.#native.sendIndexed(input.memory.bytes, input.memory.index, first, end, fixChecksums, this.result);
    else this.#native.sendFrames(input.frames, first, end, this.result);
    return this.#stop();
  }

  /** Hands the slots' frames to the kernel without waiting. */
  flush(): Stop {
    this.#native.flush(this.result);
    return this.#stop();
  }

  /** Frames that the last call sent. Throws when a failure let it send none. */
  sent(stop: Stop): number {
    const sent = this.result[SendResult.Sent]!;
    if (sent === 0 && stop instanceof NetringError) throw stop;
    return sent;
  }

  /** Whether the kernel holds no frame of this sender any more. */
  get drained(): boolean {
    return this.#native.pendingCount() === 0 && this.#native.inFlightBytes() === 0;
  }

  assertOpen(): void {
    this.#owner.assertOpen();
  }

  notDrainedError(timeoutMs: number): NetringError {
    const { interface: name } = this;
    return NetringError.io('ETIMEDOUT', `the frames sent on ${name} have not all left within ${timeoutMs} ms`, name);
  }

  goneError(): NetringError {
    return NetringError.io('ENODEV', `interface ${this.interface} is gone`, this.interface);
  }

  #opened(): NativeSender {
    this.#owner.assertOpen();
    return this.#native;
  }

  #stop(): Stop {
    const errno = this.result[SendResult.Errno]!;
    switch (errno) {
      case 0:
        return 'none';
      case EAGAIN:
        return 'full';
      case ENOBUFS:
        return 'congested';
      case ENETDOWN:
        return NetringError.io('ENETDOWN', `interface ${this.interface} is down`, this.interface);
      case ENXIO:
        return this.goneError();
      default:
        return NetringError.fromNative({ errno, step: this.#step, interface: this.interface });
    }
  }
}

/** Throws TypeError. Any other number counts: none above 0 means one look, Infinity no end. */
export function assertTimeout(timeoutMs: unknown): asserts timeoutMs is number {
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) throw new TypeError(`timeoutMs must be a number, not ${String(timeoutMs)}`);
}
