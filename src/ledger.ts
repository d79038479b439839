/**
 * What became of every frame. Each account is one equation whose first number the others add up to, at any moment of an open handle and after its
 * end.
 */
import type { AsyncCapture } from './async/async-capture';
import type { AsyncInjector } from './async/async-injector';
import type { AsyncXdpSocket } from './async/async-xdp-socket';
import type { PacketStream } from './async/packet-stream';
import type { XdpStream } from './async/xdp-stream';
import type { Bridge } from './bridge/bridge';
import type { BridgeDirectionStats } from './bridge/bridge-stats';
import type { Capture } from './capture/capture';
import type { ChannelCapture } from './channel/channel-capture';
import type { CaptureGroup } from './group/capture-group';
import type { Injector } from './injector/injector';
import type { InjectorStats } from './injector/injector-stats';
import type { CaptureStats } from './capture/capture-stats';
import type { XdpSocket } from './xdp/xdp-socket';
import type { XdpReading } from './xdp/xdp-stats';

/** `wire = delivered + drops + shed + waiting`, in frames since open. */
export interface ReceivedAccount {
  /**
   * Frames that came to the socket past its filter. AF_PACKET: `tp_packets` of PACKET_STATISTICS, the kernel's own count. AF_XDP, whose kernel
   * counts only what it loses: the sum of the others.
   */
  readonly wire: number;
  /** Handed out in batches, counted where a batch is made. */
  readonly delivered: number;
  /** Dropped by the kernel. AF_PACKET: `tp_drops`. AF_XDP: `rx_dropped` + `rx_ring_full` of XDP_STATISTICS. */
  readonly drops: number;
  /** Taken into the ring and not handed out: refused there by a filter that was set later, without room in a channel's queue, or left at `close`. */
  readonly shed: number;
  /** In the ring now, in a channel's queue, or read ahead by a group's members. AF_PACKET: `wire` less the rest. AF_XDP: read off the rings. */
  readonly waiting: number;
}

/** `accepted = sent + rejected + dropped + waiting`, in frames since open. */
export interface SentAccount {
  /** Handed over by whoever sends: put into a slot, or dealt with by a call that sends batches. */
  readonly accepted: number;
  /** Taken by the kernel: by `sendmmsg`, or out of the transmit ring. */
  readonly sent: number;
  /** Refused for their length, here or by the kernel. */
  readonly rejected: number;
  /** Taken by the kernel and not sent (AF_XDP: EBUSY of a full device, and `tx_invalid_descs`), or still in a slot at `close`. */
  readonly dropped: number;
  /** In slots of the transmit ring now, read off the ring. */
  readonly waiting: number;
}

/** One direction of a bridge: `wire = forwarded + filtered + rejected + drops + shed + waiting`, in frames since open. */
export interface ForwardedAccount {
  /** `tp_packets` of PACKET_STATISTICS of the receiving interface, at most 20 ms old while the bridge runs. */
  readonly wire: number;
  /** Taken by the kernel of the other interface, counted by `sendmmsg`. */
  readonly forwarded: number;
  /** Held back by a filter, by a verdict, or as link-local. */
  readonly filtered: number;
  /** Longer than the other interface takes, or refused by it, or it was down: `tooLarge` + `errors`. */
  readonly rejected: number;
  /** `tp_drops` and what came while the bridge was stopped (`kernelDrops`), and what the other interface had no room for (`ringFull`). */
  readonly drops: number;
  /** Still in the ring at `close`. */
  readonly shed: number;
  /** In the ring, in the engine's hands, or with the flow now: `wire` less the rest. */
  readonly waiting: number;
}

/** The books of what receives. */
export interface CaptureLedger {
  /** Frames that came to it. */
  readonly received: ReceivedAccount;
}
/** The books of what sends. */
export interface InjectorLedger {
  /** Frames that were given to it. */
  readonly sent: SentAccount;
}
/** The books of what receives and sends. */
export interface XdpLedger {
  /** Frames that came to it. */
  readonly received: ReceivedAccount;
  /** Frames that were given to it. */
  readonly sent: SentAccount;
}
/** The books of a bridge, one account a direction. */
export interface BridgeLedger {
  /** What came in on port A. */
  readonly aToB: ForwardedAccount;
  /** What came in on port B. */
  readonly bToA: ForwardedAccount;
}
/** The books of any handle. */
export type Ledger = CaptureLedger | InjectorLedger | XdpLedger | BridgeLedger;

/** @internal What keeps the books of a handle. */
export interface LedgerKeeper {
  ledger(): Ledger;
}

const keepers = new WeakMap<object, LedgerKeeper>();

/** @internal `ledger(handle)` asks `keeper`: what is kept of one resource is the same for all its shells. */
export function keepLedger(handle: object, keeper: LedgerKeeper): void {
  keepers.set(handle, keeper);
}

/** @internal `ledger(shell)` is that of what it stands for. */
export function shareLedger(shell: object, source: object): void {
  keepers.set(shell, { ledger: () => ledgerOf(source) });
}

/**
 * The books of a handle, open or closed: every frame that reached it or was given to it, exactly once. Costs a system call; changes nothing that
 * `stats()` tells.
 *
 * Throws TypeError for what is no handle of this library.
 *
 * @example Nothing is missing: the last word is true
 * ```ts
 * import { Capture, ledger } from '@netring/node-red';
 *
 * using capture = Capture.builder({ interface: 'eth0', profile: 'balanced' }).build();
 * let bytes = 0;
 * for (const { length } of capture.packetsFor(200)) bytes += length;
 * const { wire, delivered, drops, shed, waiting } = ledger(capture).received;
 * console.log(bytes, delivered, wire === delivered + drops + shed + waiting);
 * ```
 */
export function ledger(handle: Capture | AsyncCapture | PacketStream | ChannelCapture | CaptureGroup): CaptureLedger;
export function ledger(handle: Injector | AsyncInjector): InjectorLedger;
export function ledger(handle: XdpSocket | AsyncXdpSocket | XdpStream): XdpLedger;
export function ledger(handle: Bridge): BridgeLedger;
export function ledger(handle: object): Ledger {
  return ledgerOf(handle);
}

function ledgerOf(handle: object): Ledger {
  const keeper = keepers.get(handle);
  if (keeper === undefined)
    throw new TypeError(
      'ledger() takes a Capture, a ChannelCapture, a CaptureGroup, an Injector, an XdpSocket, a Bridge, or a shell or stream of one',
    );
  return keeper.ledger();
}

/** @internal */
export function receivedAccount(
  { packets, received, drops, refiltered }: Pick<CaptureStats, 'packets' | 'received' | 'drops' | 'refiltered'>,
  closed: boolean,
): ReceivedAccount {
  const inRing = Math.max(0, received - drops - packets - refiltered);
  return { wire: received, delivered: packets, drops, shed: refiltered + (closed ? inRing : 0), waiting: closed ? 0 : inRing };
}

/** @internal */
export function injectorAccount({ accepted, sent, rejected, waiting }: InjectorStats, closed: boolean): SentAccount {
  return { accepted, sent, rejected, dropped: closed ? waiting : 0, waiting: closed ? 0 : waiting };
}

/** @internal */
export function xdpSentAccount({ socket, kernel, unsent, rejected }: XdpReading, closed: boolean): SentAccount {
  const failed = socket.sendErrors + kernel.tx_invalid_descs;
  return {
    accepted: socket.sent + rejected,
    sent: socket.sent - unsent - failed,
    rejected,
    dropped: failed + (closed ? unsent : 0),
    waiting: closed ? 0 : unsent,
  };
}

/** @internal */
export function forwardedAccount(stats: BridgeDirectionStats, closed: boolean): ForwardedAccount {
  const { forwarded, filtered } = stats;
  const rejected = stats.tooLarge + stats.errors;
  const drops = stats.kernelDrops + stats.ringFull;
  // The engine is ahead of its last look at the kernel's count.
  const wire = Math.max(stats.wire, stats.received);
  const rest = wire - forwarded - filtered - rejected - drops;
  return { wire, forwarded, filtered, rejected, drops, shed: closed ? rest : 0, waiting: closed ? 0 : rest };
}
