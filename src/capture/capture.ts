/** The synchronous receive ring. It owns the kernel's resources and knows nothing of the event loop. */
import { assertNotAdopted } from '../async/adoption';
import type { PacketBatch } from '../batches/batch';
import { CaptureHandle } from './capture-handle';
import type { EbpfProgram } from './ebpf';
import { keepLedger } from '../ledger';
import { native, type NativeCaptureGeometry } from '../native';
import { CaptureSetters, type CaptureOptions } from '../options/generated/builders';
import type { Filter } from '../options/filter-program';
import { resolveCapture } from '../options/validate';
import type { Packet } from '../batches/packet';
import { PacketWalk } from '../batches/packet-walk';
import type { CaptureStats } from './capture-stats';
import type { PacketSource } from '../traits';

let handleOf: (capture: Capture) => CaptureHandle;
let isOne: (value: unknown) => value is Capture;

/** Sets the options of a capture one by one; `build` opens it. */
export class CaptureBuilder extends CaptureSetters {
  /** Opens the ring. Throws `NetringError`: `Config` for a bad option, else by what the kernel refused. */
  build(): Capture {
    return new Capture(this.options);
  }
}

/**
 * A receive ring on one interface (Documentation/networking/packet_mmap.rst): TPACKET_V3, whose batches are retired blocks, or with latency
 * `immediate` TPACKET_V2, whose batches hold what has come so far, and may be of one packet.
 *
 * Needs CAP_NET_RAW. Link-down is no error: frames come again once the link is up.
 *
 * After `close` whatever reads or sets a filter throws `Io` / `ECANCELED`; counters, `geometry` and `interface` stay readable, `fd` is -1.
 *
 * @example Ten packets, then the counters
 * ```ts
 * import { Capture } from '@netring/node-red';
 *
 * using capture = Capture.builder({ interface: 'eth0', profile: 'balanced' }).build();
 * let left = 10;
 * for (const packet of capture.packets()) {
 *   console.log(packet.timestampNs, packet.sourceAddress, packet.length);
 *   if (--left === 0) break;
 * }
 * console.log(`${capture.stats()}`);
 * ```
 */
export class Capture implements PacketSource, Disposable {
  readonly #handle: CaptureHandle;
  readonly #walk: PacketWalk;

  static {
    handleOf = (capture) => capture.#handle;
    isOne = (value): value is Capture => typeof value === 'object' && value !== null && #handle in value;
  }

  /** Throws `NetringError`. Prefer `Capture.open` or `Capture.builder`. */
  constructor(options: CaptureOptions) {
    const { settings, warnings } = resolveCapture(options, native().pageSize);
    this.#handle = new CaptureHandle(settings, warnings, options.filter);
    keepLedger(this, this.#handle);
    this.#walk = new PacketWalk((timeoutMs) => this.nextBatchBlocking(timeoutMs), settings.pollTimeoutMs);
  }

  /**
   * A capture with netring's defaults: 256 MiB of ring, 60 ms block timeout.
   * Throws `NetringError`: `PermissionDenied` without CAP_NET_RAW, `InterfaceNotFound` for a name that is none, `Mmap` when there is no memory for
   * the ring.
   */
  static open(interfaceName: string): Capture {
    return new Capture({ interface: interfaceName });
  }

  /** A builder that starts from `options`. */
  static builder(options: Partial<CaptureOptions> = {}): CaptureBuilder {
    return new CaptureBuilder(options);
  }

  /** The socket's file descriptor; -1 after `close`. */
  get fd(): number {
    return this.#own().fd;
  }
  /** Name of the interface: a rename is followed. Brought up to date while waiting. */
  get interface(): string {
    return this.#own().interface;
  }
  /** Whether the interface is up and has a carrier. Brought up to date while waiting. */
  get linkUp(): boolean {
    return this.#own().linkUp;
  }
  /** The ring as the kernel gave it, and the id of the fanout group. */
  get geometry(): NativeCaptureGeometry {
    return this.#own().geometry;
  }
  /** Options that were honoured only in part. */
  get warnings(): readonly string[] {
    return this.#own().warnings;
  }

  /**
   * The next retired block without waiting, or null. The batch views the ring: it is valid until its `release()`, until the next call of any
   * reading method, or until `close`.
   */
  nextBatch(): PacketBatch | null {
    return this.#own().reader.borrow();
  }

  /**
   * As `nextBatch`, after waiting up to `timeoutMs` milliseconds (-1: for ever) for a block. BLOCKS THE THREAD: in an event loop use
   * `AsyncCapture`. Throws `Io` / `ENODEV` when the interface is deleted and the ring is empty.
   *
   * The memory of borrowed blocks is let go of on a turn of the event loop: a program that never lets it turn keeps the rings of captures it has
   * closed.
   */
  nextBatchBlocking(timeoutMs: number): PacketBatch | null {
    return this.#own().reader.borrowBlocking(timeoutMs);
  }

  /** Packets without end, each valid until the next one is asked for. BLOCKS THE THREAD while there are none. */
  packets(): Generator<Packet, void, undefined> {
    return this.packetsUntil(Infinity);
  }

  /** Packets for `ms` milliseconds from the first request on. BLOCKS THE THREAD. */
  packetsFor(ms: number): Generator<Packet, void, undefined> {
    return this.#walk.during(ms);
  }

  /**
   * Packets until a point in time (milliseconds since the epoch, or a Date); none when it has passed. The rest of a block that is left goes to the
   * next iteration. BLOCKS THE THREAD.
   */
  packetsUntil(deadline: number | Date): Generator<Packet, void, undefined> {
    return this.#walk.until(deadline);
  }

  /** Counters since the last call of this method. */
  stats(): CaptureStats {
    return this.#own().stats();
  }

  /** Counters since open; readable after `close`. */
  cumulativeStats(): CaptureStats {
    return this.#own().cumulativeStats();
  }

  /**
   * Changes the filter without touching the ring; null takes it away. No batch read after this holds a packet that the new filter refuses, and
   * none that it wants is lost (but one that the old filter had truncated before what the new one looks at). Where the new one asks for what no ring
   * tells (mark, queue, flow hash, processor, offset of the payload, random number, netlink attributes), what is in the ring stays as the old one
   * has let it in. A bad filter throws `Config` and leaves the old one.
   */
  setFilter(filter: Filter | null): void {
    this.#own().setFilter(filter);
  }

  /**
   * Has an eBPF program pick packets in the kernel (SO_ATTACH_BPF; Documentation/networking/filter.rst), by descriptor or pinned path: see
   * `EbpfProgram`. It sees a frame from its link-layer header on, without the VLAN tag that the kernel has taken out (`skb->vlan_tci`), and returns how
   * many bytes of it to keep, 0 for none.
   *
   * A socket has one filter: the program takes the place of `filter` and of what `setFilter` has set, and a later `setFilter` takes its. The ring stays;
   * packets in it stay too, as the filter before has let them in, for a program of the kernel cannot judge them here. `snapLen` goes on to limit
   * what batches show; what the ring holds of a packet is as long as the program says (with latency `immediate`: one that is too long for a slot comes
   * whole). `detachFilter` takes it away.
   *
   * Throws `SockOpt`: `EINVAL` when the program is of another type, `EBADF` when the descriptor is none; `Io`: `ENOENT` when nothing is pinned at the path,
   * `EACCES` when it cannot be opened or is no object of BPF; `PermissionDenied`: before Linux 5.19 opening a path wants CAP_BPF (a descriptor does not).
   *
   * @example A program that bpftool has loaded
   * ```ts
   * import { Capture } from '@netring/node-red';
   *
   * // bpftool prog load only_88b5.o /sys/fs/bpf/only_88b5 type socket
   * using capture = Capture.builder({ interface: 'eth0', profile: 'balanced' }).build();
   * capture.attachEbpfFilter('/sys/fs/bpf/only_88b5');
   * console.log(`${capture.nextBatchBlocking(1000)}`);
   * capture.detachFilter();
   * ```
   */
  attachEbpfFilter(program: EbpfProgram): void {
    this.#own().attachEbpfFilter(program);
  }

  /**
   * Has an eBPF program share the packets of the fanout group out (PACKET_FANOUT_DATA): its return value modulo the number of members is the member, in
   * the order of their joining. For a capture with `fanoutMode` `ebpf`; any member attaches for all, and a new program takes the place of the
   * one before. Without one the first member takes all.
   *
   * Unlike a filter it sees an incoming frame from its network header on (`bpf_skb_load_bytes_relative` with BPF_HDR_START_MAC reaches the
   * link-layer header in any case), and an outgoing one from its link-layer header.
   *
   * Throws `Config` without that mode, else as `attachEbpfFilter`.
   */
  attachFanoutEbpf(program: EbpfProgram): void {
    this.#own().attachFanoutEbpf(program);
  }

  /** Takes the filter away, classic or eBPF, as `setFilter(null)`; no error when there is none. */
  detachFilter(): void {
    this.setFilter(null);
  }

  /** Gives everything back to the kernel; idempotent. A borrowed batch has length 0 from then on. */
  close(): void {
    assertNotAdopted(this);
    this.#handle.close();
  }

  /** `using` closes it, as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #own(): CaptureHandle {
    assertNotAdopted(this);
    return this.#handle;
  }
}

/** @internal */
export function isCapture(value: unknown): value is Capture {
  return isOne(value);
}

/** @internal */
export function captureHandle(capture: Capture): CaptureHandle {
  return handleOf(capture);
}
