/** The synchronous sender: a transmit ring filled slot by slot, and batches in one native call. It knows nothing of the event loop. */
import { assertNotAdopted } from '../async/adoption';
import { drainBeforeClose, waitDrained } from '../sending/frame-drain';
import { frameInput, type SendInput } from '../sending/frame-input';
import type { FrameSender } from '../sending/frame-sender';
import { InjectorHandle } from './injector-handle';
import { keepLedger } from '../ledger';
import { native } from '../native';
import { InjectorSetters, type InjectorOptions } from '../options/generated/builders';
import { resolveInjector } from '../options/validate';
import type { PacketSink } from '../traits';
import type { TxSlot } from '../sending/tx-slot';

/** Options of the calls that send batches. */
export interface SendOptions {
  /** Completes the checksums of captured frames whose status says that they are unfinished, in a copy. Default true. */
  fixChecksums?: boolean;
}

let handleOf: (injector: Injector) => InjectorHandle;

/** Sets the options of an injector one by one; `build` opens it. */
export class InjectorBuilder extends InjectorSetters {
  /** Opens the ring. Throws `NetringError`: `Config` for a bad option, else by what the kernel refused. */
  build(): Injector {
    return new Injector(this.options);
  }
}

/**
 * Sends Ethernet frames on one interface, as they are, without FCS. Needs CAP_NET_RAW.
 *
 * A frame has 14 bytes to MTU + 14, and 4 more when it carries an 802.1Q tag.
 *
 * After `close` all but `fd` (-1), `interface`, `linkUp`, `frameCapacity`, `frameCount` and `warnings` throws `Io` / `ECANCELED`; `ledger` goes on
 * telling what became of the frames.
 *
 * @example A frame by hand, and many in one call
 * ```ts
 * import { Injector } from '@netring/node-red';
 *
 * using injector = Injector.open('eth0');
 * const frame = Buffer.from('ffffffffffff02000000000188b5', 'hex');
 * using slot = injector.allocate(60);
 * if (slot === null) throw new Error('no slot is free');
 * slot.data.set(frame);
 * slot.setLen(60);
 * slot.send();
 * console.log(injector.flush()); // 1
 * console.log(injector.sendBatch([frame, frame, frame])); // 3
 * ```
 */
export class Injector implements PacketSink, Disposable {
  readonly #handle: InjectorHandle;

  static {
    handleOf = (injector) => injector.#handle;
  }

  /** Throws `NetringError`. Prefer `Injector.open` or `Injector.builder`. */
  constructor(options: InjectorOptions) {
    const { settings, warnings } = resolveInjector(options, native().pageSize);
    this.#handle = new InjectorHandle(settings, warnings);
    keepLedger(this, this.#handle);
  }

  /**
   * An injector with netring's defaults: 256 slots of 2048 bytes.
   * Throws `NetringError`: `PermissionDenied` without CAP_NET_RAW, `InterfaceNotFound` for a name that is none.
   */
  static open(interfaceName: string): Injector {
    return new Injector({ interface: interfaceName });
  }

  /** A builder that starts from `options`. */
  static builder(options: InjectorOptions = {}): InjectorBuilder {
    return new InjectorBuilder(options);
  }

  /** The file descriptor of the socket that sends batches; -1 after `close`. */
  get fd(): number {
    return this.#own().fd;
  }
  /** Name of the interface now: a rename is followed. */
  get interface(): string {
    return this.#own().interface;
  }
  /** Whether the interface is up and has a carrier. */
  get linkUp(): boolean {
    return this.#own().linkUp;
  }
  /** Options that were honoured only in part. */
  get warnings(): readonly string[] {
    return this.#own().warnings;
  }
  /** Longest frame the link takes now, in bytes: MTU + 14. With an 802.1Q tag 4 more. */
  get maxFrameLength(): number {
    return this.#own().sender.maxFrameLength;
  }
  /** Longest frame a slot holds, in bytes. Frames of `sendBatch` are bound by the link alone. */
  get frameCapacity(): number {
    return this.#own().sender.frameCapacity;
  }
  /** Slots of the ring: `frameCount` rounded up to whole blocks. */
  get frameCount(): number {
    return this.#own().sender.frameCount;
  }
  /** Slots that wait for `flush`, or that the kernel is sending. */
  get pendingCount(): number {
    return this.#own().sender.pendingCount;
  }
  /** Slots that are free. Each call looks at every slot of the ring. */
  get availableSlots(): number {
    return this.#own().sender.availableSlots;
  }
  /** Frames refused since open: for their length, or by the kernel. */
  get rejectedSlots(): number {
    return this.#own().sender.rejectedSlots;
  }

  /**
   * The next slot for a frame of `length` bytes, or null when the ring is full (see `flush`). One slot at a time: TypeError while one is out.
   * Throws RangeError when no slot can hold that much.
   */
  allocate(length: number): TxSlot | null {
    return this.#own().sender.slots.allocate(length);
  }

  /**
   * Puts a copy of a frame into the next slot; the next `flush`, `sendBatch` or `close` sends it. False when the ring is full.
   * Throws RangeError for a length that the slot or the link does not take.
   */
  send(frame: Uint8Array): boolean {
    return this.#own().sender.slots.put(frame);
  }

  /**
   * Sends frames in order without waiting, after those the ring still holds, and returns how many the kernel took. Frames of a length that the
   * link does not take are skipped and counted in `rejectedSlots`; taken and skipped ones together short of the input means that the kernel
   * has no room for the rest.
   * Throws `Io` when nothing could be sent: `ENETDOWN` without a link, `ENODEV` when the interface is gone. Throws TypeError for an input of
   * another type before anything is sent.
   */
  sendBatch(input: SendInput, options: SendOptions = {}): number {
    const frames = frameInput(input);
    const sender = this.#open();
    return sender.sent(sender.transmit(frames, 0, frames.count, options.fixChecksums ?? true));
  }

  /**
   * Hands the ring's frames to the kernel without waiting, and returns how many it took since the last call. Fewer than were sent: it has no
   * room for the rest. Throws as `sendBatch`.
   */
  flush(): number {
    const sender = this.#open();
    return sender.sent(sender.flush());
  }

  /**
   * Flushes and waits until the kernel holds no frame of this injector any more. BLOCKS THE THREAD for up to `timeoutMs` milliseconds.
   * Throws `Io`: `ETIMEDOUT`, or as `flush`.
   */
  waitDrained(timeoutMs: number): void {
    waitDrained(this.#open(), timeoutMs);
  }

  /**
   * Gives everything back to the kernel; idempotent. Frames in the ring are handed over before; while the kernel has no room for them this
   * BLOCKS THE THREAD for up to a second. Views of slots have length 0 from then on.
   */
  close(): void {
    const handle = this.#own();
    if (handle.closed) return;
    try {
      drainBeforeClose(handle.sender);
    } finally {
      handle.close();
    }
  }

  /** `using` closes it, as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #own(): InjectorHandle {
    assertNotAdopted(this);
    return this.#handle;
  }

  #open(): FrameSender {
    const { sender } = this.#own();
    sender.assertOpen();
    return sender;
  }
}

/** @internal */
export function injectorHandle(injector: Injector): InjectorHandle {
  return handleOf(injector);
}
