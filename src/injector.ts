/** The synchronous sender: a transmit ring filled slot by slot, and batches in one native call. It knows nothing of the event loop. */
import { types } from 'node:util';
import { assertNotAdopted } from './async/adoption';
import { NetringError } from './errors';
import { frameInput, type SendInput } from './frame-input';
import { InjectorHandle, type Stop } from './injector-handle';
import { native, SendResult } from './native';
import { InjectorSetters, type InjectorOptions } from './options/generated/builders';
import { resolveInjector } from './options/validate';
import type { PacketSink } from './traits';

export interface SendOptions {
  /** Completes the checksums of captured frames whose status says that they are unfinished, in a copy. Default true. */
  fixChecksums?: boolean;
}

/** How long `close` waits for frames that the ring still holds. */
const CLOSE_DRAIN_MS = 1000;

let handleOf: (injector: Injector) => InjectorHandle;

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
 */
export class Injector implements PacketSink, Disposable {
  readonly #handle: InjectorHandle;
  /** Views of the slots, made when one is first used. */
  readonly #slots: (Buffer | undefined)[] = [];
  #out: TxSlot | undefined;

  static {
    handleOf = (injector) => injector.#handle;
  }

  /** Throws `NetringError`. Prefer `Injector.open` or `Injector.builder`. */
  constructor(options: InjectorOptions) {
    const { settings, warnings } = resolveInjector(options, native().pageSize);
    this.#handle = new InjectorHandle(settings, warnings);
  }

  /** An injector with netring's defaults: 256 slots of 2048 bytes. */
  static open(interfaceName: string): Injector {
    return new Injector({ interface: interfaceName });
  }

  static builder(options: InjectorOptions = {}): InjectorBuilder {
    return new InjectorBuilder(options);
  }

  /** The file descriptor of the socket that sends batches; -1 after `close`. */
  get fd(): number {
    return this.#handle.closed ? -1 : this.#handle.native.fd;
  }
  /** Name of the interface now: a rename is followed. */
  get interface(): string {
    return this.#handle.interface;
  }
  /** Whether the interface is up and has a carrier. */
  get linkUp(): boolean {
    return this.#handle.linkUp;
  }
  /** Options that were honoured only in part. */
  get warnings(): readonly string[] {
    return this.#handle.warnings;
  }
  /** Longest frame the link takes now, in bytes: MTU + 14. With an 802.1Q tag 4 more. */
  get maxFrameLength(): number {
    return this.#own().native.maxFrameLength;
  }
  /** Longest frame a slot holds, in bytes. Frames of `sendBatch` are bound by the link alone. */
  get frameCapacity(): number {
    return this.#handle.frameCapacity;
  }
  /** Slots of the ring: `frameCount` rounded up to whole blocks. */
  get frameCount(): number {
    return this.#handle.frameCount;
  }
  /** Slots that wait for `flush`, or that the kernel is sending. */
  get pendingCount(): number {
    return this.#own().native.pendingCount();
  }
  get availableSlots(): number {
    return this.#own().native.availableSlots();
  }
  /** Frames refused since open: for their length, or by the kernel. */
  get rejectedSlots(): number {
    return this.#own().native.rejectedSlots();
  }

  /**
   * The next slot for a frame of `length` bytes, or null when the ring is full (see `flush`). One slot at a time: TypeError while one is out.
   * Throws RangeError when no slot can hold that much.
   */
  allocate(length: number): TxSlot | null {
    const handle = this.#free();
    this.#assertCapacity(length);
    const slot = handle.native.allocate();
    if (slot < 0) return null;
    this.#out = new TxSlot(this.#slot(slot), length, (sent) => this.#give(sent));
    return this.#out;
  }

  /**
   * Puts a copy of a frame into the next slot; the next `flush`, `sendBatch` or `close` sends it. False when the ring is full.
   * Throws RangeError for a length that the slot or the link does not take.
   */
  send(frame: Uint8Array): boolean {
    const handle = this.#free();
    if (!types.isUint8Array(frame)) throw new TypeError('the frame must be a Uint8Array');
    this.#assertCapacity(frame.byteLength);
    const slot = handle.native.allocate();
    if (slot < 0) return false;
    this.#slot(slot).set(frame);
    handle.native.sendSlot(frame.byteLength);
    return true;
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
    return this.#sent(this.#own().transmit(frames, 0, frames.count, options.fixChecksums ?? true));
  }

  /**
   * Hands the ring's frames to the kernel without waiting, and returns how many it took since the last call. Fewer than were sent: it has no
   * room for the rest. Throws as `sendBatch`.
   */
  flush(): number {
    return this.#sent(this.#own().flush());
  }

  /**
   * Flushes and waits until the kernel holds no frame of this injector any more. BLOCKS THE THREAD for up to `timeoutMs` milliseconds.
   * Throws `Io`: `ETIMEDOUT`, or as `flush`.
   */
  waitDrained(timeoutMs: number): void {
    if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs))
      throw new TypeError(`timeoutMs must be a number, not ${String(timeoutMs)}`);
    const handle = this.#own();
    if (drain(handle, timeoutMs)) return;
    throw NetringError.io('ETIMEDOUT', `the frames sent on ${this.interface} have not all left within ${timeoutMs} ms`, this.interface);
  }

  /**
   * Gives everything back to the kernel; idempotent. Frames in the ring are handed over before; while the kernel has no room for them this
   * BLOCKS THE THREAD for up to a second. Views of slots have length 0 from then on.
   */
  close(): void {
    assertNotAdopted(this);
    if (this.#handle.closed) return;
    try {
      drainRing(this.#handle, CLOSE_DRAIN_MS);
    } finally {
      this.#out = undefined;
      this.#handle.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #own(): InjectorHandle {
    assertNotAdopted(this);
    this.#handle.assertOpen();
    return this.#handle;
  }

  /** The handle, when no slot is out. */
  #free(): InjectorHandle {
    if (this.#out !== undefined) throw new TypeError('a slot is out: send or dispose it first');
    return this.#own();
  }

  #slot(slot: number): Buffer {
    const known = this.#slots[slot];
    if (known !== undefined) return known;
    const { buffer, byteOffset, byteLength } = this.#handle.native.slotData(slot);
    return (this.#slots[slot] = Buffer.from(buffer, byteOffset, byteLength));
  }

  /** Ends the slot that is out, by sending that many bytes of it or not at all. */
  #give(length: number | null): void {
    if (length !== null) this.#own().native.sendSlot(length);
    this.#out = undefined;
  }

  #assertCapacity(length: number): void {
    if (typeof length !== 'number') throw new TypeError(`the length must be a number, not ${typeof length}`);
    if (Number.isInteger(length) && length >= 0 && length <= this.frameCapacity) return;
    throw new RangeError(`a frame of ${length} bytes does not fit into a slot of ${this.frameCapacity} bytes: see frameSize`);
  }

  #sent(stop: Stop): number {
    const sent = this.#handle.result[SendResult.Sent]!;
    if (sent === 0 && stop instanceof NetringError) throw stop;
    return sent;
  }
}

/** A slot of the transmit ring, to be filled in place. Disposing it unsent gives it back. */
export class TxSlot implements Disposable {
  readonly #data: Buffer;
  readonly #end: (length: number | null) => void;
  #length: number;
  #open = true;

  /** @internal Use `Injector.allocate`. */
  constructor(data: Buffer, length: number, end: (length: number | null) => void) {
    this.#data = data;
    this.#length = length;
    this.#end = end;
  }

  /** The slot's whole memory, which holds what its last frame left. Writing to it after `send` changes a frame that is under way. */
  get data(): Buffer {
    this.#assertOpen();
    return this.#data;
  }
  /** Bytes that `send` will send. */
  get length(): number {
    return this.#length;
  }

  /** Throws RangeError beyond the slot's memory. */
  setLen(length: number): void {
    this.#assertOpen();
    if (typeof length !== 'number') throw new TypeError(`the length must be a number, not ${typeof length}`);
    if (!Number.isInteger(length) || length < 0 || length > this.#data.length)
      throw new RangeError(`packet length ${length} exceeds frame capacity ${this.#data.length}`);
    this.#length = length;
  }

  /** Marks the frame for the next `flush`. Throws RangeError for a length that the link does not take; the slot stays out then. */
  send(): void {
    this.#assertOpen();
    this.#end(this.#length);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#end(null);
  }

  #assertOpen(): void {
    if (!this.#open) throw new TypeError('the slot was sent or given back');
  }
}

/** @internal */
export function injectorHandle(injector: Injector): InjectorHandle {
  return handleOf(injector);
}

/** Pauses between looks at the kernel's queues, in ms. POLLOUT is no help: it tells of room, not of emptiness. */
const PAUSES = [0.2, 0.5, 1, 2, 5, 10] as const;

function poll(done: () => boolean, timeoutMs: number): boolean {
  const deadline = performance.now() + timeoutMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; ; round++) {
    if (done()) return true;
    const rest = deadline - performance.now();
    if (rest <= 0) return false;
    Atomics.wait(pause, 0, 0, Math.min(rest, PAUSES[Math.min(round, PAUSES.length - 1)]!));
  }
}

function drain(handle: InjectorHandle, timeoutMs: number): boolean {
  return poll(() => {
    const stop = handle.flush();
    if (stop instanceof NetringError) throw stop;
    return handle.drained;
  }, timeoutMs);
}

/** Waits until the kernel has taken the ring's frames, or will not. */
function drainRing(handle: InjectorHandle, timeoutMs: number): void {
  poll(() => {
    const stop = handle.flush();
    return stop === 'none' || stop instanceof NetringError;
  }, timeoutMs);
}
