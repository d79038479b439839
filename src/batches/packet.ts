/** One packet: its metadata in the kernel's terms, as a view into a batch or as a copy of its own. */
import { inspect } from 'node:util';
import type { PacketBatch } from './batch';
import type { DecodedPacket } from '../decode/decode';
import { packetLine } from '../decode/line';

/** Seconds and nanoseconds since the epoch, of the clock that the batch names. */
export interface Timestamp {
  /** Whole seconds. */
  sec: number;
  /** Nanoseconds of the second, 0 to 999999999. */
  nsec: number;
}

/** `sll_pkttype` of packet(7). */
export type PacketDirection = 'host' | 'broadcast' | 'multicast' | 'other-host' | 'outgoing' | 'unknown';

const DIRECTIONS: readonly PacketDirection[] = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing'];

/** @internal */
export function directionOf(packetType: number): PacketDirection {
  return DIRECTIONS[packetType] ?? 'unknown';
}

/** @internal Inverse of `directionOf`. */
export function packetTypeOf(direction: PacketDirection): number {
  const index = DIRECTIONS.indexOf(direction);
  return index < 0 ? 0xff : index;
}

/** Bits of `tp_status`, linux/if_packet.h. */
export const TP_STATUS = {
  LOSING: 1 << 2,
  CSUM_NOT_READY: 1 << 3,
  VLAN_VALID: 1 << 4,
  VLAN_TPID_VALID: 1 << 6,
  CSUM_VALID: 1 << 7,
  GSO_TCP: 1 << 8,
} as const;

/** The seven flags netring reads out of `tp_status`. */
export interface PacketStatus {
  /** Captured shorter than it was on the wire. (The kernel's own bit is never set on a TPACKET_V3 ring, so this compares the lengths.) */
  truncated: boolean;
  /** Never set by the kernel on a TPACKET_V3 ring: see the statistics for losses. */
  losing: boolean;
  /** The checksum is left to the hardware: the bytes hold a partial one. Normal for frames that a local socket sent. */
  csumNotReady: boolean;
  /** The kernel has taken a VLAN tag out, which stands in the bytes again: `vlanTci` holds its control information. */
  vlanValid: boolean;
  /** `vlanTpid` holds the type of that tag. */
  vlanTpidValid: boolean;
  /** The hardware or the kernel has checked the transport checksum. */
  csumValid: boolean;
  /** Joined TCP segments, longer than the link takes, as a card joins or cuts them (TP_STATUS_GSO_TCP). */
  gsoTcp: boolean;
}

/** @internal */
export function statusFlags(status: number, length: number, originalLength: number): PacketStatus {
  return {
    truncated: length < originalLength,
    losing: (status & TP_STATUS.LOSING) !== 0,
    csumNotReady: (status & TP_STATUS.CSUM_NOT_READY) !== 0,
    vlanValid: (status & TP_STATUS.VLAN_VALID) !== 0,
    vlanTpidValid: (status & TP_STATUS.VLAN_TPID_VALID) !== 0,
    csumValid: (status & TP_STATUS.CSUM_VALID) !== 0,
    gsoTcp: (status & TP_STATUS.GSO_TCP) !== 0,
  };
}

/** @internal Inverse of `statusFlags`, for packet objects that come back from a flow. */
export function statusBits(flags: Partial<PacketStatus>): number {
  return (
    (flags.losing ? TP_STATUS.LOSING : 0) |
    (flags.csumNotReady ? TP_STATUS.CSUM_NOT_READY : 0) |
    (flags.vlanValid ? TP_STATUS.VLAN_VALID : 0) |
    (flags.vlanTpidValid ? TP_STATUS.VLAN_TPID_VALID : 0) |
    (flags.csumValid ? TP_STATUS.CSUM_VALID : 0) |
    (flags.gsoTcp ? TP_STATUS.GSO_TCP : 0)
  );
}

/** A packet of its own: plain data that survives cloning and JSON, its bytes copied. */
export interface OwnedPacket {
  /** The frame, from the link-layer header, without FCS. */
  data: Buffer;
  /** Captured length in bytes. */
  length: number;
  /** Length on the wire in bytes. */
  originalLength: number;
  /** When it was captured, by the clock of its batch. */
  timestamp: Timestamp;
  /** The kernel's flags. */
  status: PacketStatus;
  /** What the frame was to the interface: for this machine, for another one, sent by it. */
  direction: PacketDirection;
  /** The kernel's flow hash; 0 unless `fillRxhash` is on. */
  rxhash: number;
  /** VLAN tag control information; meaningful when `status.vlanValid`. */
  vlanTci: number;
  /** EtherType of that tag: 0x8100 or 0x88a8; 0 without one. */
  vlanTpid: number;
  /** EtherType as the kernel classified the frame, host byte order. */
  protocol: number;
  /** Link-layer source address, lower-case hexadecimal with colons; empty when there is none. */
  sourceAddress: string;
  /** ARPHRD_* of what is no Ethernet frame, such as 65534 for raw IP; missing for Ethernet and loopback. */
  linkType?: number;
}

/** A light view of one packet of a batch; reads lazily, valid as long as the batch is. */
export class Packet {
  readonly #batch: PacketBatch;
  readonly #index: number;

  /** @internal Use the batch's iterator. */
  constructor(batch: PacketBatch, index: number) {
    this.#batch = batch;
    this.#index = index;
  }

  /** The frame: a view, not a copy. */
  get data(): Buffer {
    return this.#batch.dataAt(this.#index);
  }
  /** Captured length in bytes. */
  get length(): number {
    return this.#batch.lengthAt(this.#index);
  }
  /** Length on the wire in bytes. */
  get originalLength(): number {
    return this.#batch.originalLengthAt(this.#index);
  }
  /** When it was captured: seconds and nanoseconds since the epoch, of the clock that the batch names. */
  get timestamp(): Timestamp {
    return this.#batch.timestampAt(this.#index);
  }
  /** Nanoseconds since the epoch. */
  get timestampNs(): bigint {
    return this.#batch.timestampNsAt(this.#index);
  }
  /** The kernel's flags. */
  get status(): PacketStatus {
    return statusFlags(this.#batch.statusAt(this.#index), this.length, this.originalLength);
  }
  /** What the frame was to the interface: for this machine, for another one, sent by it. */
  get direction(): PacketDirection {
    return this.#batch.directionAt(this.#index);
  }
  /** The kernel's flow hash, 32 bits; 0 unless `fillRxhash` is on. */
  get rxhash(): number {
    return this.#batch.rxhashAt(this.#index);
  }
  /** VLAN tag control information; 0 without a tag. */
  get vlanTci(): number {
    return this.#batch.vlanAt(this.#index)?.tci ?? 0;
  }
  /** EtherType of that tag: 0x8100 or 0x88a8; 0 without one. */
  get vlanTpid(): number {
    return this.#batch.vlanAt(this.#index)?.tpid ?? 0;
  }
  /** EtherType as the kernel classified the frame, host byte order. */
  get protocol(): number {
    return this.#batch.protocolAt(this.#index);
  }
  /** Link-layer source address, lower-case hexadecimal with colons. */
  get sourceAddress(): string {
    return this.#batch.sourceAddressAt(this.#index);
  }
  /** ARPHRD_* of the interface: 1 for Ethernet, 772 for loopback, 65534 for raw IP. */
  get linkType(): number {
    return this.#batch.linkType;
  }

  /** The packet's layers, as views that read from its bytes. Never throws on bytes, whatever they hold. */
  decode(): DecodedPacket {
    return this.#batch.decodeAt(this.#index);
  }

  /** One line, much as tcpdump has it: local time, addresses, ports, what it is. */
  toString(): string {
    return packetLine(this);
  }
  /** What `console.log` shows. */
  [inspect.custom](): string {
    return this.toString();
  }

  /** A copy that outlives the batch. */
  toOwned(): OwnedPacket {
    return this.#batch.ownedAt(this.#index);
  }
}
