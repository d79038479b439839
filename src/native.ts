/**
 * The only file that loads the addon and says what is in it.
 *
 * The addon is found as a prebuilt binary inside the package or as the result of `npm run build:native`. It is loaded on first use, never at
 * `require` time, so that the nodes can be registered and edited on a machine where nothing can be captured.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NetringError, type NativeFailure } from './errors';

/** Words of a record in a packet index; `RECORD_WORDS` unsigned 32-bit words a packet. Mirrors `PacketRecord` in native/core/packet_index.h. */
export const enum Word {
  /** Byte offset of the frame in the batch's bytes. */
  Offset = 0,
  /** Captured length in bytes, a re-inserted VLAN tag included. */
  Length = 1,
  /** Length on the wire in bytes, a re-inserted VLAN tag included. */
  OriginalLength = 2,
  Seconds = 3,
  Nanoseconds = 4,
  /** The kernel's `tp_status` bits. */
  Status = 5,
  RxHash = 6,
  /** `tci | tpid << 16`; meaningful with `TP_STATUS_VLAN_VALID` in the status. */
  Vlan = 7,
  /** `protocol | pkttype << 16 | address length << 24`. */
  Meta = 8,
  /** Source link-layer address, bytes 0 to 3, first byte lowest. */
  AddressLow = 9,
  AddressHigh = 10,
}
export const RECORD_WORDS = 11;

/** Words of the header that describes one batch. Mirrors `BatchHeader` in native/core/packet_index.h. */
export const enum Header {
  Count = 0,
  /** Sum of the captured lengths in bytes. */
  ByteLength = 1,
  SequenceLow = 2,
  SequenceHigh = 3,
  FirstSeconds = 4,
  FirstNanoseconds = 5,
  LastSeconds = 6,
  LastNanoseconds = 7,
  /** Bit 0: the block was retired by its timeout. */
  Flags = 8,
  /** Sum of the original lengths in bytes, low and high word. */
  OriginalLow = 9,
  OriginalHigh = 10,
  /** Owned batches: byte offset of the frames in the ArrayBuffer; the index stands at `HEADER_WORDS`. */
  BytesOffset = 11,
  /** Index of the member of a capture group that the batch came from. */
  Member = 12,
}
export const HEADER_WORDS = 16;

/** Everything the core needs to open a receive ring. Values are already checked; the addon re-checks types and sizes only. */
export interface NativeCaptureConfig {
  interface: string;
  blockSize: number;
  blockCount: number;
  frameSize: number;
  /** 0: no truncation. */
  snapLen: number;
  blockTimeoutMs: number;
  fillRxhash: boolean;
  promiscuous: boolean;
  ignoreOutgoing: boolean;
  /** 0: off. */
  busyPollUs: number;
  reuseport: boolean;
  /** 0: the kernel's default. */
  rcvbuf: number;
  rcvbufForce: boolean;
  /** Argument of PACKET_TIMESTAMP: 0 software, SOF_TIMESTAMPING_RAW_HARDWARE 64, SOF_TIMESTAMPING_SYS_HARDWARE 32. */
  timestampFlags: number;
  /** -1: no fanout; else `mode | flags`, the upper half of PACKET_FANOUT's argument. */
  fanout: number;
  fanoutGroup: number;
  /** Packed `struct sock_filter`, 8 bytes an instruction; empty: no filter. */
  filter: Uint8Array;
  /** Bytes of live owned batches at which the ring is no longer drained. */
  maxBufferedBytes: number;
}

/** What the kernel really gave, which may be less than what was asked for. */
export interface NativeCaptureGeometry {
  blockSize: number;
  blockCount: number;
  frameSize: number;
  /** Id of the joined fanout group, read back from the kernel; -1 without fanout. */
  fanoutGroup: number;
  /** ARPHRD_* of the interface. */
  linkType: number;
  /** Human-readable: options the kernel did not honour, a ring made smaller for want of memory. */
  warnings: string[];
}

/** Places in the array that `NativeCapture.statistics` fills. All totals since open. */
export const enum CaptureCounter {
  /** Frames that passed the filter: delivered into the ring plus dropped (`tp_packets`). */
  Received = 0,
  /** Frames dropped because the ring was full (`tp_drops`). */
  Drops = 1,
  /** Times the ring froze because it was full (`tp_freeze_q_cnt`). */
  Freezes = 2,
  /** Frames handed to the user in batches, and the sum of their original lengths. */
  Packets = 3,
  Bytes = 4,
  /** Bytes of slabs under live owned batches now. */
  BufferedBytes = 5,
  /** Times the ring was left alone because `maxBufferedBytes` was reached. */
  Stalls = 6,
  /** Frames in the ring that the filter set later had refused, taken out before delivery. */
  Refiltered = 7,
}
export const CAPTURE_COUNTERS = 8;

/** Kinds of events a handle on the event loop reports. */
export const enum LoopEvent {
  /** What `arm()` waited for: the ring has a retired block, or the socket takes frames again. One event per `arm()`. */
  Ready = 0,
  /** The link is administratively down or has no carrier. */
  Down = 1,
  Up = 2,
  /** The interface was deleted; nothing will come of this handle any more. */
  Gone = 3,
  /** `detail` is an errno. */
  Error = 4,
}
export type LoopListener = (event: LoopEvent, detail: number) => void;

/** An event-loop registration. `watch` starts it, `close` of the handle ends it. */
interface NativeWatchable {
  /** Registers with the environment's event loop; called once. Link events follow by themselves, `Ready` only after `arm()`. */
  watch(listener: LoopListener): void;
  /** Asks for one `Ready`; the last call counts until it came. A capture is left alone for `delayMs` (whole ms) first. */
  arm(delayMs?: number): void;
  disarm(): void;
  ref(): void;
  unref(): void;
}

/** What hands out batches of received frames, borrowed and owned. */
export interface NativeReceiver {
  /** Header and index of the borrowed batch, filled by `borrow`. */
  readonly header: Uint32Array;
  readonly index: Uint32Array;
  /** The next batch as an external ArrayBuffer over the ring; null when there is none. Throws TypeError while one is out. */
  borrow(): ArrayBuffer | null;
  /** Detaches the borrowed ArrayBuffer and gives its memory back to the kernel. No effect when none is out. */
  release(): void;
  /** The next batch, copied into a slab: header, index, bytes. null when there is none; undefined when `maxBufferedBytes` is reached. */
  take(): ArrayBuffer | null | undefined;
  /** Bytes of slabs under live owned batches of this thread now. */
  readonly bufferedBytes: number;
  /** Whether live owned batches leave room for the next batch under `maxBufferedBytes`. */
  readonly hasRoom: boolean;
  /** Blocks the thread until there is a batch. False after the timeout; -1 waits for ever. */
  wait(timeoutMs: number): boolean;
}

/** A receive ring, whose batches are its blocks. Throws `NetringError`. */
export interface NativeCapture extends NativeWatchable, NativeReceiver {
  readonly fd: number;
  readonly geometry: NativeCaptureGeometry;
  /** The interface's name now (a rename is followed) and whether it is up with a carrier. */
  readonly interfaceName: string;
  readonly linkUp: boolean;
  /** Packed `struct sock_filter`s; an empty array detaches. */
  setFilter(filter: Uint8Array): void;
  /**
   * From now on `take` sends its batches to the `SlabInbox` of another thread that `outboxFd` belongs to, and gives a header of no packets instead;
   * undefined also when as many wait there as may.
   */
  sendTo(outboxFd: number, member: number): void;
  /** The eBPF program is a descriptor, or the path it is pinned to. */
  attachEbpfFilter(program: number | string): void;
  attachFanoutEbpf(program: number | string): void;
  /** `out` has `CAPTURE_COUNTERS` places. */
  statistics(out: Float64Array): void;
  close(): void;
}

/** Where batches arrive that another thread of the process has taken; see native/core/slab_channel.h. */
export interface NativeSlabInbox {
  /** For `NativeCapture.sendTo`; -1 after `closeOutbox`, which is due once the other thread has done that or has ended. */
  readonly outboxFd: number;
  /** Whether `take` would give a batch. */
  readonly ready: boolean;
  /** Bytes of slabs under the sender's live batches: on the way, and with the reader. */
  readonly bufferedBytes: number;
  take(): ArrayBuffer | null;
  closeOutbox(): void;
  /** Frees what was not taken. */
  close(): void;
}

export interface NativeInjectorConfig {
  interface: string;
  frameSize: number;
  frameCount: number;
  qdiscBypass: boolean;
}

/** Places in the array that the sending calls fill. */
export const enum SendResult {
  /** Frames the kernel took. */
  Sent = 0,
  /** Frames refused for their length, or by the kernel as EMSGSIZE / EINVAL. */
  Rejected = 1,
  /** Frames of the input that are dealt with (sent or rejected); the rest waits for room, or for the link. */
  Consumed = 2,
  /** errno that ended the call before the end: EAGAIN / ENOBUFS (wait for room), ENETDOWN, ENXIO; 0 when all was consumed. */
  Errno = 3,
  /** Index and length of the first rejected frame; -1 when none. */
  FirstRejected = 4,
  FirstRejectedLength = 5,
  /** Sum of the lengths of the sent frames in bytes. */
  Bytes = 6,
}
export const SEND_RESULTS = 7;

/** What sends frames: slot by slot, and in batches. */
export interface NativeSender {
  readonly interfaceName: string;
  /** Longest frame the link takes: MTU + 14, without the 4 bytes more that a frame with an 802.1Q tag may have. */
  readonly maxFrameLength: number;
  readonly frameCapacity: number;
  readonly frameCount: number;
  /** Index of the next free slot or -1; does not advance. */
  allocate(): number;
  /** The whole data area of a slot as bytes over the ring. */
  slotData(slot: number): Uint8Array;
  /** Marks the allocated slot for sending and advances. Throws RangeError on a length the link does not take. */
  sendSlot(length: number): void;
  /** Kicks the ring without blocking; fills `result`. */
  flush(result: Int32Array): void;
  pendingCount(): number;
  /** Memory of the frames that the kernel has taken and still holds; 0 when all have left. */
  inFlightBytes(): number;
  availableSlots(): number;
  /** Frames refused since open: for their length, or by the kernel. */
  rejectedSlots(): number;
  /**
   * Sends frames `first` up to `end` of an index of `RECORD_WORDS` words a packet over `bytes`, in one go, without blocking.
   * `fixChecksums` completes the checksums of frames whose status says TP_STATUS_CSUMNOTREADY, in a copy.
   */
  sendIndexed(bytes: Uint8Array, index: Uint32Array, first: number, end: number, fixChecksums: boolean, result: Int32Array): void;
  /** The same for an array of byte arrays. Throws TypeError on an element that is none, before anything is sent. */
  sendFrames(frames: readonly Uint8Array[], first: number, end: number, result: Int32Array): void;
}

export interface NativeInjector extends NativeWatchable, NativeSender {
  readonly fd: number;
  /** ARPHRD_* of the interface. */
  readonly linkType: number;
  readonly linkUp: boolean;
  readonly warnings: string[];
  close(): void;
}

export interface NativeXdpConfig {
  interface: string;
  /** -1: all of the interface's. */
  queueId: number;
  /** Size of a chunk of the UMEM: 2048 or 4096. */
  frameSize: number;
  /** Chunks of each queue's UMEM. */
  frameCount: number;
  /** Chunks of `frameCount` that belong to receiving; the rest sends. */
  rxFrames: number;
  needWakeup: boolean;
  /** `XDP_BIND_MODE_VALUES` of options/values.ts. */
  bindMode: number;
  /** `XDP_ATTACH_VALUES`. */
  attach: number;
  /** Packed `struct sock_filter`, 8 bytes an instruction; empty: the program redirects every frame. */
  filter: Uint8Array;
  /** Path of a pinned XSKMAP that a program from outside redirects by; empty: none. */
  mapPin: string;
  promiscuous: boolean;
  /** 0: off. */
  busyPollUs: number;
  preferBusyPoll: boolean;
  /** 0: the kernel's default. */
  busyPollBudget: number;
  /** Bytes of live owned batches at which the rings are no longer drained. */
  maxBufferedBytes: number;
}

/** Places in the array that `NativeXdpSocket.statistics` fills. All totals since open, summed over the queues. */
export const enum XdpCounter {
  /** Frames handed to the user in batches, and the sum of their lengths. */
  Packets = 0,
  Bytes = 1,
  /** Frames in the ring that the filter set later had refused, taken out before delivery. */
  Refiltered = 2,
  /** Bytes of slabs under live owned batches now. */
  BufferedBytes = 3,
  /** Times the ring was left alone because `maxBufferedBytes` was reached. */
  Stalls = 4,
  /** Frames the kernel took for sending, and the sum of their lengths. */
  Sent = 5,
  SentBytes = 6,
  /** Frames that the kernel took and could not send. */
  SendErrors = 7,
  /** `struct xdp_statistics` of linux/if_xdp.h. */
  RxDropped = 8,
  RxInvalidDescs = 9,
  TxInvalidDescs = 10,
  RxRingFull = 11,
  RxFillRingEmptyDescs = 12,
  TxRingEmptyDescs = 13,
  /** Frames received and not handed out yet. */
  Waiting = 14,
}
export const XDP_COUNTERS = 15;

/** AF_XDP sockets on one or all queues of an interface, with the program that redirects frames to them. Throws `NetringError`. */
export interface NativeXdpSocket extends NativeWatchable, NativeReceiver, NativeSender {
  /** One queue: its socket. Several: a descriptor that is readable when a frame waits in one of them. */
  readonly fd: number;
  readonly linkUp: boolean;
  /** ARPHRD_* of the interface. */
  readonly linkType: number;
  /** Human-readable: options that were honoured only in part. */
  readonly warnings: string[];
  /** Ids of the queues. */
  readonly queues: number[];
  /** Whether the kernel binds without copying (XDP_OPTIONS). */
  readonly zeroCopy: boolean;
  /** Where our program is attached: 0 there is none, 1 in the driver, 2 in the kernel's generic path. */
  readonly attachMode: number;
  /** Whether our program is still attached; true when there is none. */
  readonly attached: boolean;
  /** Packed `struct sock_filter`s; an empty array redirects every frame. */
  setFilter(filter: Uint8Array): void;
  /** `out` has `XDP_COUNTERS` places. */
  statistics(out: Float64Array): void;
  close(): void;
}

/** One end of a bridge. */
export interface NativeBridgePort {
  interface: string;
  blockSize: number;
  blockCount: number;
  frameSize: number;
  /** How long the tap's frames gather. */
  blockTimeoutMs: number;
  /** SO_SNDBUF of the sockets that send on it, in bytes. */
  sendBuffer: number;
  promiscuous: boolean;
}

/** What JavaScript sees of the frames while the engine runs. */
export interface NativeBridgeAudience {
  /** One frame in so many is copied for `take`; 0: none. */
  tapEvery: number;
  /** Frames wait in batches for `take` and `answer`. */
  inline: boolean;
  /** After which they get `timeoutForwards`; -1: never. */
  timeoutMs: number;
  timeoutForwards: boolean;
}

export interface NativeBridgeConfig {
  a: NativeBridgePort;
  b: NativeBridgePort;
  qdiscBypass: boolean;
  dropLinkLocal: boolean;
}

/** Places in the array of `NativeBridge.statistics`: a to b, then `BRIDGE_COUNTERS` further b to a. */
export const enum BridgeCounter {
  Received = 0,
  /** Sum of the original lengths in bytes. */
  Bytes = 1,
  Forwarded = 2,
  Filtered = 3,
  TooLarge = 4,
  RingFull = 5,
  Errors = 6,
  KernelDrops = 7,
  TapShed = 8,
  TimedOut = 9,
  ForwardedBytes = 10,
}
export const BRIDGE_COUNTERS = 11;

export const enum PortState {
  Up = 0,
  Down = 1,
  Gone = 2,
}

/** Two interfaces and the engine between them, which runs on a thread of its own. `which`: 0 is interface a, or a to b. */
export interface NativeBridge {
  /** rx a, tx b, rx b, tx a. */
  readonly fds: [number, number, number, number];
  readonly warnings: string[];
  /** ARPHRD_* of both interfaces. */
  readonly linkTypes: [number, number];
  /** errno with which the engine ended by itself; 0. */
  readonly failure: number;
  /** What failed then: a system call or a socket option. */
  readonly failedStep: string;
  portState(which: 0 | 1): PortState;
  /** Packed `struct sock_filter`s, empty for none. `dropsMatching`: holds back what the program accepts, else what it refuses. */
  setFilter(which: 0 | 1, filter: Uint8Array, dropsMatching: boolean): void;
  /** Whether the engine judges by the filter set last. */
  filterApplied(which: 0 | 1): boolean;
  statistics(out: Float64Array): void;
  /**
   * `listener` is called on the loop when a port's state has changed, when there is something to `take` (again only after `take` has returned
   * null), or when the engine has ended by itself.
   */
  start(listener: () => void, audience: NativeBridgeAudience): void;
  /** Returns when the engine has ended, at once. */
  stop(): void;
  /** The next batch for JavaScript, in the layout of an owned batch; null when there is none, undefined while live batches hold too much. */
  take(which: 0 | 1): ArrayBuffer | null | undefined;
  /**
   * The verdict on a batch, by its sequence number: on all of it, or 0 for each frame to drop. With `bytes` and `index`, which hold as many
   * frames, those that differ go out instead. False when the batch waits for no answer (any more). Throws RangeError when the numbers differ.
   */
  answer(which: 0 | 1, sequence: number, forwards: boolean | Uint8Array, bytes?: Uint8Array, index?: Uint32Array): boolean;
  ref(): void;
  unref(): void;
  close(): void;
}

/** One interface of the process's network namespace. */
export interface NativeInterface {
  name: string;
  index: number;
  mtu: number;
  /** IFF_* bits. */
  flags: number;
  /** ARPHRD_*. */
  linkType: number;
  /** Link-layer address, lower-case hexadecimal with colons; empty when it has none. */
  address: string;
  carrier: boolean;
  /** Receive queues, at least 1. */
  queues: number;
  /** Mbit/s, 0 when unknown. */
  speed: number;
  /** Name of the kernel driver, empty when unknown. */
  driver: string;
  /** An IPv4 or IPv6 default route leaves through it. */
  defaultRoute: boolean;
}

export interface NativeAddon {
  /** Gives the addon the function that makes the errors it throws. Called once per environment. */
  initialize(makeError: (failure: NativeFailure) => Error): void;
  Capture: new (config: NativeCaptureConfig) => NativeCapture;
  Injector: new (config: NativeInjectorConfig) => NativeInjector;
  SlabInbox: new () => NativeSlabInbox;
  Bridge: new (config: NativeBridgeConfig) => NativeBridge;
  /** With `sharedUmem` the socket's frames lie in that one's UMEM: same interface, same queue. */
  XdpSocket: new (config: NativeXdpConfig, sharedUmem?: NativeXdpSocket) => NativeXdpSocket;
  interfaces(): NativeInterface[];
  readonly pageSize: number;
}

let loaded: NativeAddon | undefined;

/** The addon. Throws `NetringError` kind `Io`, code `ERR_UNSUPPORTED_PLATFORM`, which says what was tried. */
export function native(): NativeAddon {
  loaded ??= load();
  return loaded;
}

function load(): NativeAddon {
  if (process.platform !== 'linux') throw unavailable(`Linux only: this is ${process.platform}`);
  const tried: string[] = [];
  for (const file of candidates()) {
    try {
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- a native addon can only be required
      const addon = require(file) as NativeAddon;
      addon.initialize((failure) => NetringError.fromNative(failure));
      return addon;
    } catch (error) {
      tried.push(`${file}: ${(error as Error).message.split('\n')[0] ?? ''}`);
    }
  }
  throw unavailable(
    `no native binary for ${process.platform}-${process.arch} (${libc()}), Node.js ${process.version}; tried ${tried.join('; ')}`,
    'build it from source with "npm run build:native" in the package folder',
  );
}

/** Binaries in the order they are tried: what a developer has just built wins over what came with the package. */
function candidates(): string[] {
  const root = packageRoot();
  const target = `${libc() === 'musl' ? 'linuxmusl' : 'linux'}-${process.arch}`;
  return [join(root, 'native', 'build', 'Release', 'netring.node'), join(root, 'native', 'prebuilds', `${target}.node`)];
}

function packageRoot(): string {
  // dist/src/native.js in the package, src/native.ts under a loader in a checkout.
  for (const up of ['..', join('..', '..')]) {
    const root = join(__dirname, up);
    if (readdirSync(root).includes('package.json')) return root;
  }
  return join(__dirname, '..', '..');
}

function libc(): 'glibc' | 'musl' {
  const report = process.report as unknown as { excludeNetwork?: boolean; getReport(): { header: { glibcVersionRuntime?: string } } };
  // Without this the report resolves the names of open sockets' peers, which can take seconds.
  report.excludeNetwork = true;
  return report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

function unavailable(message: string, hint = ''): NetringError {
  return new NetringError('Io', message, { code: 'ERR_UNSUPPORTED_PLATFORM', hint });
}
