/** The synchronous AF_XDP socket, which receives and sends. It owns the kernel's resources and knows nothing of the event loop. */
import { assertNotAdopted } from '../async/adoption';
import type { PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import { drainBeforeClose, waitDrained } from '../sending/frame-drain';
import { frameInput, type SendInput } from '../sending/frame-input';
import type { FrameSender } from '../sending/frame-sender';
import type { SendOptions } from '../injector/injector';
import { keepLedger } from '../ledger';
import { native } from '../native';
import type { Filter } from '../options/filter-program';
import { XdpSetters, type XdpOptions } from '../options/generated/builders';
import { resolveXdp } from '../options/validate';
import type { Packet } from '../batches/packet';
import { PacketWalk } from '../batches/packet-walk';
import type { PacketSink, PacketSource } from '../traits';
import type { TxSlot } from '../sending/tx-slot';
import { withSharedSizes } from './xdp-checks';
import { XdpHandle } from './xdp-handle';
import type { XdpSocketStats, XdpStats } from './xdp-stats';

/** Longest single wait of the blocking iterators, in ms. */
const LONGEST_WAIT_MS = 100;

/** Options of an AF_XDP socket as a plain object. */
export interface XdpSocketOptions extends XdpOptions {
  /**
   * An open socket on the same queue of the same interface, in whose memory the frames of this one lie too. Sizes left out are those of that socket.
   */
  sharedUmem?: XdpSocket;
}

let handleOf: (socket: XdpSocket) => XdpHandle;
let isSocket: (value: unknown) => value is XdpSocket;

/** Sets the options of an AF_XDP socket one by one; `build` opens it. */
export class XdpSocketBuilder extends XdpSetters {
  #sharedUmem: XdpSocket | undefined;

  /** Starts from `options`. Throws `NetringError` kind `Config` for what is no object. */
  constructor(options: XdpSocketOptions = {}) {
    super(options);
    this.#sharedUmem = options.sharedUmem;
  }

  /** An open socket on the same queue of the same interface, in whose memory the frames of this one lie too. */
  sharedUmem(socket: XdpSocket): this {
    this.#sharedUmem = socket;
    return this;
  }

  /** Opens the socket. Throws `NetringError`: `Config` for a bad option, else by what the kernel refused. */
  build(): XdpSocket {
    return new XdpSocket({ ...this.options, ...(this.#sharedUmem === undefined ? {} : { sharedUmem: this.#sharedUmem }) });
  }
}

/**
 * An AF_XDP socket (Documentation/networking/af_xdp.rst) on one queue of an interface, or one on each of its queues that are used as one, with the
 * program that redirects frames to it. Frames it gets no longer reach the kernel; those that its filter refuses do.
 *
 * Needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF. The program leaves the interface with the socket.
 *
 * After `close` whatever reads, sends or sets a filter throws `Io` / `ECANCELED`; counters stay readable, `fd` is -1.
 *
 * @example Takes what comes of one protocol, leaves the rest to the kernel
 * ```ts
 * import { XdpSocket } from '@netring/node-red';
 *
 * using socket = XdpSocket.builder({ interface: 'eth0', frameCount: 2048, filter: 'ether proto 0x88b5' }).build();
 * console.log(socket.attachMode, socket.boundMode);
 * console.log(`${socket.nextBatchBlocking(1000)}`);
 * console.log(socket.sendBatch([Buffer.from('ffffffffffff02000000000188b5', 'hex')])); // 1
 * socket.waitDrained(1000);
 * console.log(`${socket.stats()}`);
 * ```
 */
export class XdpSocket implements PacketSource, PacketSink, Disposable {
  readonly #handle: XdpHandle;
  readonly #walk: PacketWalk;

  static {
    handleOf = (socket) => socket.#handle;
    isSocket = (value): value is XdpSocket => typeof value === 'object' && value !== null && #handle in value;
  }

  /** Throws `NetringError`. Prefer `XdpSocket.open` or `XdpSocket.builder`. */
  constructor(options: XdpSocketOptions) {
    const [own, shared] = splitShared(options);
    const { settings, warnings } = resolveXdp(shared === undefined ? own : withSharedSizes(own, shared), native().pageSize);
    this.#handle = new XdpHandle(settings, warnings, shared);
    keepLedger(this, this.#handle);
    this.#walk = new PacketWalk((timeoutMs) => this.nextBatchBlocking(timeoutMs), LONGEST_WAIT_MS);
  }

  /**
   * A socket with netring's defaults on queue 0: 4096 chunks of 4096 bytes, half of them for receiving. It takes every frame of that queue.
   * Throws `NetringError`: `PermissionDenied` without the capabilities, `InterfaceNotFound` for a name that is none, `Bind` when another XDP program
   * is on the interface.
   */
  static open(interfaceName: string): XdpSocket {
    return new XdpSocket({ interface: interfaceName });
  }

  /** A builder that starts from `options`. */
  static builder(options: XdpSocketOptions = {}): XdpSocketBuilder {
    return new XdpSocketBuilder(options);
  }

  /** File descriptor that is readable when a frame waits: the socket's, with several queues one for all of them; -1 after `close`. */
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
  /** Options that were honoured only in part, or that are likely not meant. */
  get warnings(): readonly string[] {
    return this.#own().warnings;
  }
  /** Ids of the queues that the socket is bound to. */
  get queues(): readonly number[] {
    return this.#own().queues;
  }
  /** Whether the kernel copies frames, as it says itself. */
  get boundMode(): 'copy' | 'zerocopy' {
    return this.#own().boundMode;
  }
  /** Where the program of this socket runs: in the driver, or after it (skb); null when the socket has none. */
  get attachMode(): 'driver' | 'skb' | null {
    return this.#own().attachMode;
  }
  /** Whether the program is still attached, which others may detach; true when the socket has none, false after `close`. */
  get attached(): boolean {
    return this.#own().attached;
  }
  /** Longest frame the link takes now, in bytes: MTU + 14. With an 802.1Q tag 4 more. */
  get maxFrameLength(): number {
    return this.#own().slots.maxFrameLength;
  }
  /** Longest frame a chunk holds for sending, in bytes. */
  get frameCapacity(): number {
    return this.#own().slots.frameCapacity;
  }
  /** Chunks for sending. */
  get frameCount(): number {
    return this.#own().slots.frameCount;
  }
  /** Frames that wait for `flush`, or that the kernel is sending. */
  get pendingCount(): number {
    return this.#own().slots.pendingCount;
  }
  /** Chunks for sending that are free. */
  get availableSlots(): number {
    return this.#own().slots.availableSlots;
  }
  /** Frames refused since open: for their length, or by the kernel. */
  get rejectedSlots(): number {
    return this.#own().slots.rejectedSlots;
  }

  /**
   * The frames that have come, without waiting, or null. The batch views the socket's memory: it is valid until its `release()`, until the next
   * call of any reading method, or until `close`. Throws TypeError, as all that reads, when the socket's mode is to send only.
   */
  nextBatch(): PacketBatch | null {
    return this.#own().receiver().borrow();
  }

  /**
   * As `nextBatch`, after waiting up to `timeoutMs` milliseconds (-1: for ever) for a frame. BLOCKS THE THREAD: in an event loop use
   * `AsyncXdpSocket`. Throws `Io` / `ENODEV` when the interface is deleted and nothing is left to read.
   */
  nextBatchBlocking(timeoutMs: number): PacketBatch | null {
    return this.#own().receiver().borrowBlocking(timeoutMs);
  }

  /** Packets without end, each valid until the next one is asked for. BLOCKS THE THREAD while there are none. */
  packets(): Generator<Packet, void, undefined> {
    return this.packetsUntil(Infinity);
  }

  /** Packets for `ms` milliseconds from the first request on. BLOCKS THE THREAD. */
  packetsFor(ms: number): Generator<Packet, void, undefined> {
    return this.#walk.during(ms);
  }

  /** Packets until a point in time (milliseconds since the epoch, or a Date); none when it has passed. BLOCKS THE THREAD. */
  packetsUntil(deadline: number | Date): Generator<Packet, void, undefined> {
    return this.#walk.until(deadline);
  }

  /**
   * The next chunk for a frame of `length` bytes, or null when all are taken (see `flush`). One at a time: TypeError while one is out, and, as all
   * that sends, when the socket's mode is to receive only. Throws RangeError when no chunk can hold that much.
   */
  allocate(length: number): TxSlot | null {
    return this.#own().sender().slots.allocate(length);
  }

  /**
   * Puts a copy of a frame into the next chunk; the next `flush`, `sendBatch` or `close` sends it. False when all are taken.
   * Throws RangeError for a length that the chunk or the link does not take.
   */
  send(frame: Uint8Array): boolean {
    return this.#own().sender().slots.put(frame);
  }

  /**
   * Sends frames in order without waiting, after those that wait for `flush`, and returns how many the kernel took. Frames of a length that the
   * link or a chunk does not take are skipped and counted in `rejectedSlots`; taken and skipped ones together short of the input means that there
   * is no room for the rest.
   * Throws `Io` when nothing could be sent: `ENETDOWN` without a link, `ENODEV` when the interface is gone. Throws TypeError for an input of
   * another type before anything is sent.
   */
  sendBatch(input: SendInput, options: SendOptions = {}): number {
    const frames = frameInput(input);
    const sender = this.#open();
    return sender.sent(sender.transmit(frames, 0, frames.count, options.fixChecksums ?? true));
  }

  /** Hands the frames that wait to the kernel without waiting, and returns how many it took since the last call. Throws as `sendBatch`. */
  flush(): number {
    const sender = this.#open();
    return sender.sent(sender.flush());
  }

  /**
   * Flushes and waits until the kernel holds no frame of this socket any more. BLOCKS THE THREAD for up to `timeoutMs` milliseconds.
   * Throws `Io`: `ETIMEDOUT`, or as `flush`.
   */
  waitDrained(timeoutMs: number): void {
    waitDrained(this.#open(), timeoutMs);
  }

  /** Counters of both directions since the last call of this method. */
  stats(): XdpSocketStats {
    return this.#own().stats();
  }

  /** Counters of both directions since open; readable after `close`. */
  cumulativeStats(): XdpSocketStats {
    return this.#own().cumulativeStats();
  }

  /** The kernel's six counters since open; readable after `close`. */
  statistics(): XdpStats {
    return this.#own().statistics();
  }

  /**
   * Changes which frames the program redirects, while it runs; null takes every frame. No batch read after this holds a frame that the new filter
   * refuses. A bad filter throws `Config` and leaves the old one; so does one for a socket without a program of its own (attach none).
   */
  setFilter(filter: Filter | null): void {
    this.#own().setFilter(filter);
  }

  /** As `setFilter(null)`. */
  detachFilter(): void {
    this.setFilter(null);
  }

  /**
   * Takes the program off the interface and gives everything back to the kernel; idempotent. Frames that wait are handed over before; while the
   * kernel has no room for them this BLOCKS THE THREAD for up to a second. A borrowed batch and views of chunks have length 0 from then on.
   */
  close(): void {
    const handle = this.#own();
    if (handle.closed) return;
    try {
      if (handle.sends) drainBeforeClose(handle.sender());
    } finally {
      handle.close();
    }
  }

  /** `using` closes it, as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #own(): XdpHandle {
    assertNotAdopted(this);
    return this.#handle;
  }

  #open(): FrameSender {
    const sender = this.#own().sender();
    sender.assertOpen();
    return sender;
  }
}

/** @internal */
export function isXdpSocket(value: unknown): value is XdpSocket {
  return isSocket(value);
}

/** @internal */
export function xdpHandle(socket: XdpSocket): XdpHandle {
  return handleOf(socket);
}

/** The options of the table, and the handle of the socket that shares its memory. */
function splitShared(options: XdpSocketOptions): [own: XdpOptions, shared: XdpHandle | undefined] {
  if (typeof options !== 'object' || options === null) return [options, undefined];
  const { sharedUmem, ...own } = options;
  if (sharedUmem === undefined) return [own, undefined];
  if (!isSocket(sharedUmem)) throw NetringError.config('sharedUmem is no XdpSocket', 'sharedUmem');
  assertNotAdopted(sharedUmem);
  return [own, handleOf(sharedUmem)];
}
