/** The slots of a transmit ring, one at a time: the kernel takes them strictly in order, so that only the next one can be handed out. */
import { types } from 'node:util';
import type { NativeSender } from '../native';

export class TxSlots {
  readonly #ring: NativeSender;
  readonly #capacity: number;
  readonly #assertOpen: () => void;
  /** Views of the slots, made when one is first used. */
  readonly #views: (Buffer | undefined)[] = [];
  #out: TxSlot | undefined;

  /** `assertOpen` throws when its owner is closed. */
  constructor(ring: NativeSender, assertOpen: () => void) {
    this.#ring = ring;
    this.#capacity = ring.frameCapacity;
    this.#assertOpen = assertOpen;
  }

  /** The next slot, or null when the ring is full. Throws TypeError while one is out, RangeError when no slot can hold that much. */
  allocate(length: number): TxSlot | null {
    const slot = this.#next(length);
    return slot < 0 ? null : (this.#out = new TxSlot(this, this.#view(slot), length));
  }

  /** Marks a copy of the frame for sending. False when the ring is full. Throws as `allocate` and `send`. */
  put(frame: Uint8Array): boolean {
    assertFrame(frame);
    const slot = this.#next(frame.byteLength);
    if (slot < 0) return false;
    this.#view(slot).set(frame);
    this.#ring.sendSlot(frame.byteLength);
    return true;
  }

  /** Marks the slot that is out for sending. Throws RangeError for a length that the link does not take; it stays out then. */
  send(slot: TxSlot, length: number): void {
    this.assertOut(slot);
    this.#assertOpen();
    this.#ring.sendSlot(length);
    this.#out = undefined;
  }

  /** Takes the slot that is out back, unsent. */
  reclaim(): void {
    this.#out = undefined;
  }

  isOut(slot: TxSlot): boolean {
    return slot === this.#out;
  }

  assertOut(slot: TxSlot): void {
    if (!this.isOut(slot)) throw new TypeError('the slot was sent or given back, or an async shell has taken its owner over');
  }

  /** The number of the next slot or -1. */
  #next(length: number): number {
    this.#assertOpen();
    if (this.#out !== undefined) throw new TypeError('a slot is out: send or dispose it first');
    assertLength(length);
    if (!Number.isInteger(length) || length < 0 || length > this.#capacity)
      throw new RangeError(`a frame of ${length} bytes does not fit into a slot of ${this.#capacity} bytes: see frameSize`);
    return this.#ring.allocate();
  }

  #view(slot: number): Buffer {
    const known = this.#views[slot];
    if (known !== undefined) return known;
    const { buffer, byteOffset, byteLength } = this.#ring.slotData(slot);
    return (this.#views[slot] = Buffer.from(buffer, byteOffset, byteLength));
  }
}

/** A slot of the transmit ring, to be filled in place. Disposing it unsent gives it back. */
export class TxSlot implements Disposable {
  readonly #slots: TxSlots;
  readonly #data: Buffer;
  #length: number;

  /** @internal Use `allocate` of an injector. */
  constructor(slots: TxSlots, data: Buffer, length: number) {
    this.#slots = slots;
    this.#data = data;
    this.#length = length;
  }

  /** The slot's whole memory, which holds what its last frame left. Writing to it after `send` changes a frame that is under way. */
  get data(): Buffer {
    this.#slots.assertOut(this);
    return this.#data;
  }
  /** Bytes that `send` will send. */
  get length(): number {
    return this.#length;
  }

  /** Sets how many bytes `send` will send. Throws RangeError beyond the slot's memory. */
  setLen(length: number): void {
    this.#slots.assertOut(this);
    assertLength(length);
    if (!Number.isInteger(length) || length < 0 || length > this.#data.length)
      throw new RangeError(`packet length ${length} exceeds frame capacity ${this.#data.length}`);
    this.#length = length;
  }

  /** Marks the frame for the next `flush`. Throws RangeError for a length that the link does not take; the slot stays out then. */
  send(): void {
    this.#slots.send(this, this.#length);
  }

  /** `using` gives a slot back that was not sent. */
  [Symbol.dispose](): void {
    if (this.#slots.isOut(this)) this.#slots.reclaim();
  }
}

/** Throws TypeError when `frame` is no byte array. */
export function assertFrame(frame: unknown): asserts frame is Uint8Array {
  if (!types.isUint8Array(frame)) throw new TypeError('the frame must be a Uint8Array');
}

function assertLength(length: unknown): asserts length is number {
  if (typeof length !== 'number') throw new TypeError(`the length must be a number, not ${typeof length}`);
}
