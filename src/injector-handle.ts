/** The one owner of an injector's native object, behind `Injector` and its async shell. */
import { constants } from 'node:os';
import { NetringError } from './errors';
import type { FrameInput } from './frame-input';
import { native, SEND_RESULTS, SendResult, type NativeInjector } from './native';
import type { InjectorSettings } from './options/generated/builders';
import { toNativeInjectorConfig } from './options/validate';
import { TxSlots } from './tx-slot';

const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;

const { EAGAIN, ENETDOWN, ENOBUFS, ENXIO } = constants.errno;

/** What ended a sending call before its end: the kernel has no room, or a failure. */
export type Stop = 'none' | 'full' | 'congested' | NetringError;

export class InjectorHandle {
  readonly native: NativeInjector;
  readonly warnings: readonly string[];
  /** Longest frame a slot holds, and the number of slots: as the kernel gave them. */
  readonly frameCapacity: number;
  readonly frameCount: number;
  readonly slots: TxSlots;
  /** Filled by `transmit` and `flush`; places are those of `SendResult`. */
  readonly result = new Int32Array(SEND_RESULTS);
  #closed = false;
  #interfaceName: string;

  constructor(settings: InjectorSettings, warnings: readonly string[]) {
    this.native = new (native().Injector)(toNativeInjectorConfig(settings));
    this.#interfaceName = settings.interface;
    const { linkType } = this.native;
    if (linkType !== ARPHRD_ETHER && linkType !== ARPHRD_LOOPBACK) {
      this.native.close();
      throw NetringError.config(
        `interface ${settings.interface} has link type ${linkType}; frames can be sent on 1 (Ethernet) and 772 (loopback)`,
        'interface',
      );
    }
    this.warnings = [...warnings, ...this.native.warnings];
    this.frameCapacity = this.native.frameCapacity;
    this.frameCount = this.native.frameCount;
    this.slots = new TxSlots(this.native, () => this.assertOpen());
  }

  get closed(): boolean {
    return this.#closed;
  }
  /** The socket that sends batches; -1 after `close`. */
  get fd(): number {
    return this.#closed ? -1 : this.native.fd;
  }
  /** The interface's name now: a rename is followed. */
  get interface(): string {
    if (!this.#closed) this.#interfaceName = this.native.interfaceName;
    return this.#interfaceName;
  }
  get linkUp(): boolean {
    return !this.#closed && this.native.linkUp;
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
    if ('memory' in input) this.native.sendIndexed(input.memory.bytes, input.memory.index, first, end, fixChecksums, this.result);
    else this.native.sendFrames(input.frames, first, end, this.result);
    return this.#stop();
  }

  /** Hands the ring's frames to the kernel without waiting. */
  flush(): Stop {
    this.native.flush(this.result);
    return this.#stop();
  }

  /** Whether the kernel holds no frame of this injector any more. */
  get drained(): boolean {
    return this.native.pendingCount() === 0 && this.native.inFlightBytes() === 0;
  }

  assertOpen(): void {
    if (this.#closed) throw NetringError.io('ECANCELED', `the injector on ${this.#interfaceName} is closed`, this.#interfaceName);
  }

  notDrainedError(timeoutMs: number): NetringError {
    const { interface: name } = this;
    return NetringError.io('ETIMEDOUT', `the frames sent on ${name} have not all left within ${timeoutMs} ms`, name);
  }

  goneError(): NetringError {
    return NetringError.io('ENODEV', `interface ${this.interface} is gone`, this.interface);
  }

  /** Hands over what it can at once and gives everything back; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#interfaceName = this.native.interfaceName;
    this.#closed = true;
    this.native.close();
  }

  #opened(): NativeInjector {
    this.assertOpen();
    return this.native;
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
        return NetringError.fromNative({ errno, step: 'sendmmsg', interface: this.interface });
    }
  }
}

/** Throws TypeError. Any other number counts: none above 0 means one look, Infinity no end. */
export function assertTimeout(timeoutMs: unknown): asserts timeoutMs is number {
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) throw new TypeError(`timeoutMs must be a number, not ${String(timeoutMs)}`);
}
