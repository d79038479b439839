/**
 * A decoder for what most packets are made of. It never throws on bytes, whatever they hold, reads nothing behind the frame, and its work is bounded: at
 * most 8 VLAN tags, 16 extension headers, 40 bytes of options, one transport header; nothing inside a tunnel.
 */
import { inspect } from 'node:util';
import { isUint8Array } from 'node:util/types';
import { ARPHRD_ETHER, ARPHRD_NONE, isEthernet } from '../interfaces/link-types';
import type { OwnedPacket } from '../batches/packet';
import { ArpLayer, EthernetLayer, VlanLayer, type ArpFields, type EthernetFields, type VlanFields } from './ethernet';
import { IcmpLayer, Icmpv6Layer, type IcmpFields, type Icmpv6Fields } from './icmp';
import { Ipv4Layer, Ipv6Layer, type Ipv4Fields, type Ipv6Fields } from './ip';
import type { FrameBytes, Layer } from './layer';
import { lineOf } from './line';
import { TcpLayer, type TcpFields } from './tcp';
import { SctpLayer, UdpLayer, type SctpFields, type UdpFields } from './udp';

/** The layers of a frame as plain objects, which survive cloning and JSON. Those that the frame does not have are not there. */
export interface PacketLayers {
  /** The Ethernet header; not of raw IP. */
  ethernet?: EthernetFields;
  /** From the outermost on; empty without a tag. */
  vlans: VlanFields[];
  /** The ARP packet. */
  arp?: ArpFields;
  /** The IPv4 header. */
  ipv4?: Ipv4Fields;
  /** The IPv6 header with its extension headers. */
  ipv6?: Ipv6Fields;
  /** The TCP header, of a first fragment or a whole packet: the others hold none. */
  tcp?: TcpFields;
  /** The UDP header, of a first fragment or a whole packet. */
  udp?: UdpFields;
  /** The common header of SCTP, of a first fragment or a whole packet. */
  sctp?: SctpFields;
  /** The ICMP header in IPv4, of a first fragment or a whole packet. */
  icmp?: IcmpFields;
  /** The ICMPv6 header in IPv6, of a first fragment or a whole packet. */
  icmpv6?: Icmpv6Fields;
  /** EtherType behind all VLAN tags; 0 when the frame has none. */
  etherType: number;
  /** Where the payload begins, in bytes from the start of the frame. */
  payloadOffset: number;
  /** Bytes of it that were captured. */
  payloadLength: number;
  /** The capture ends before the packet does. */
  truncated: boolean;
}

/** A packet object of the output form `decoded`: a packet with its layers. `payload` is a view into `data`. */
export interface DecodedPacketObject extends OwnedPacket, PacketLayers {
  /** What the innermost decoded layer carries. */
  payload: Buffer;
}

const ETH_P_IP = 0x0800;
const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
/** Smaller values are lengths of IEEE 802.3 frames. */
const ETH_P_802_3_MIN = 0x0600;
const TAGS: readonly number[] = [0x8100, 0x88a8, 0x9100];
const MAX_TAGS = 8;
const NO_VLANS: readonly VlanLayer[] = Object.freeze([]);

/**
 * A frame taken apart. The layers are views that read their fields from the frame, and valid as long as its bytes are; `toJSON()` copies.
 *
 * @example New connections, and what is no IP
 * ```ts
 * import { Capture } from '@netring/node-red';
 *
 * using capture = Capture.builder({ interface: 'eth0', profile: 'balanced' }).build();
 * for (const packet of capture.packetsFor(200)) {
 *   const { ethernet, vlans, ip, tcp, payload } = packet.decode();
 *   if (tcp?.syn) console.log(ip?.source, tcp.sourcePort, tcp.options);
 *   else if (ip === undefined) console.log(ethernet?.source, vlans.length, payload.length);
 * }
 * ```
 */
export class DecodedPacket {
  /** The Ethernet header; not of raw IP. */
  declare readonly ethernet: EthernetLayer | undefined;
  /** From the outermost on; empty without a tag. */
  declare readonly vlans: readonly VlanLayer[];
  /** The ARP packet. */
  declare readonly arp: ArpLayer | undefined;
  /** The IPv4 header. */
  declare readonly ipv4: Ipv4Layer | undefined;
  /** The IPv6 header with its extension headers. */
  declare readonly ipv6: Ipv6Layer | undefined;
  /** The TCP header, of a first fragment or a whole packet: the others hold none. */
  declare readonly tcp: TcpLayer | undefined;
  /** The UDP header, of a first fragment or a whole packet. */
  declare readonly udp: UdpLayer | undefined;
  /** The common header of SCTP, of a first fragment or a whole packet. */
  declare readonly sctp: SctpLayer | undefined;
  /** The ICMP header in IPv4, of a first fragment or a whole packet. */
  declare readonly icmp: IcmpLayer | undefined;
  /** The ICMPv6 header in IPv6, of a first fragment or a whole packet. */
  declare readonly icmpv6: Icmpv6Layer | undefined;
  /** EtherType behind all VLAN tags; 0 when the frame has none. */
  declare readonly etherType: number;
  /** Where the payload begins, in bytes from the start of the frame. */
  declare readonly payloadOffset: number;
  /** Captured bytes of what the innermost decoded layer carries, without the padding of a short frame. */
  declare readonly payloadLength: number;
  /** The capture ends before the packet does: bytes are missing that its headers tell of. */
  declare readonly truncated: boolean;
  /** @internal */
  declare private readonly frame: FrameBytes;

  /** @internal Use `decode` or `packet.decode()`. */
  constructor(frame: FrameBytes, linkType: number) {
    this.frame = frame;
    const walk = new Walk(frame);
    this.ethernet = isEthernet(linkType) ? walk.ethernet() : undefined;
    this.vlans = walk.type === 0 ? NO_VLANS : walk.vlans();
    if (linkType === ARPHRD_NONE) walk.rawIp();
    this.etherType = walk.type;
    this.arp = walk.type === ETH_P_ARP ? walk.arp() : undefined;
    this.ipv4 = walk.type === ETH_P_IP ? walk.ipv4() : undefined;
    this.ipv6 = walk.type === ETH_P_IPV6 ? walk.ipv6() : undefined;
    const { protocol } = walk;
    this.tcp = protocol === 6 ? walk.tcp() : undefined;
    this.udp = protocol === 17 ? walk.udp() : undefined;
    this.sctp = protocol === 132 ? walk.transport(new SctpLayer(frame, walk.at, walk.end)) : undefined;
    this.icmp = protocol === 1 && this.ipv4 !== undefined ? walk.transport(new IcmpLayer(frame, walk.at, walk.end)) : undefined;
    this.icmpv6 = protocol === 58 && this.ipv6 !== undefined ? walk.transport(new Icmpv6Layer(frame, walk.at, walk.end)) : undefined;
    this.payloadOffset = Math.min(walk.at, walk.end);
    this.payloadLength = walk.end - this.payloadOffset;
    this.truncated = walk.truncated;
  }

  /** The IP layer of either version. */
  get ip(): Ipv4Layer | Ipv6Layer | undefined {
    return this.ipv4 ?? this.ipv6;
  }

  /** What the innermost decoded layer carries: a view, not a copy. */
  get payload(): Buffer {
    const { bytes, start } = this.frame;
    // There is no view of the memory of a borrowed batch that was given back.
    if (bytes.length === 0) return Buffer.alloc(0);
    return Buffer.from(bytes.buffer, bytes.byteOffset + start + this.payloadOffset, this.payloadLength);
  }

  /** One line, much as tcpdump has it: `IP 192.0.2.1.4000 > 192.0.2.2.53: UDP, length 22`. */
  toString(): string {
    return lineOf(this, this.frame.length);
  }

  /** The layers as plain objects, without the payload's bytes. */
  toJSON(): PacketLayers {
    return this.#addLayersTo({});
  }

  /** What `console.log` shows. */
  [inspect.custom](): PacketLayers {
    return this.toJSON();
  }

  /** @internal Makes a packet object, whose bytes these are, one with its layers. */
  addTo(packet: OwnedPacket): DecodedPacketObject {
    const { payload } = this;
    return Object.assign(this.#addLayersTo(packet), { payload });
  }

  /** One by one, as a spread of objects that are not always the same takes V8 microseconds. */
  #addLayersTo<T extends object>(target: T): T & PacketLayers {
    const layers: Partial<PacketLayers> = target;
    if (this.ethernet !== undefined) layers.ethernet = this.ethernet.toJSON();
    layers.vlans = this.vlans.map((vlan) => vlan.toJSON());
    if (this.arp !== undefined) layers.arp = this.arp.toJSON();
    if (this.ipv4 !== undefined) layers.ipv4 = this.ipv4.toJSON();
    if (this.ipv6 !== undefined) layers.ipv6 = this.ipv6.toJSON();
    if (this.tcp !== undefined) layers.tcp = this.tcp.toJSON();
    if (this.udp !== undefined) layers.udp = this.udp.toJSON();
    if (this.sctp !== undefined) layers.sctp = this.sctp.toJSON();
    if (this.icmp !== undefined) layers.icmp = this.icmp.toJSON();
    if (this.icmpv6 !== undefined) layers.icmpv6 = this.icmpv6.toJSON();
    layers.etherType = this.etherType;
    layers.payloadOffset = this.payloadOffset;
    layers.payloadLength = this.payloadLength;
    layers.truncated = this.truncated;
    return layers as T & PacketLayers;
  }
}

/**
 * Takes a frame apart. `linkType` is the ARPHRD_* of the interface it came from, by default what a packet object tells: 1 (Ethernet), 772 (loopback) and
 * 65534 (raw IP) are understood, frames of others are all payload. Never throws on bytes, whatever they hold; TypeError for what is no bytes.
 *
 * @example A UDP packet by hand
 * ```ts
 * import { decode } from '@netring/node-red';
 *
 * const link = 'ffffffffffff0200000000010800';
 * const ip = '4500001e000100004011f6cbc0000201c0000202';
 * const udp = '0fa00035000a00006869';
 * const packet = decode(Buffer.from(link + ip + udp, 'hex'));
 * console.log(packet.ipv4?.source, packet.udp?.destinationPort, `${packet.payload}`); // 192.0.2.1 53 hi
 * console.log(`${packet}`); // IP 192.0.2.1.4000 > 192.0.2.2.53: UDP, length 2
 * ```
 */
export function decode(frame: Uint8Array | { readonly data: Uint8Array; readonly linkType?: number }, linkType?: number): DecodedPacket {
  const packet = isUint8Array(frame) ? { data: frame } : (frame as { data?: unknown; linkType?: number } | null | undefined);
  const bytes = packet?.data;
  const link = linkType ?? packet?.linkType ?? ARPHRD_ETHER;
  if (!isUint8Array(bytes)) throw new TypeError('decode takes bytes, or a packet object with data');
  if (typeof link !== 'number') throw new TypeError(`linkType must be a number, not ${typeof link}`);
  return decodeAt(bytes, 0, bytes.length, link);
}

/** @internal As `decode`, for a frame inside larger memory. */
export function decodeAt(bytes: Uint8Array, start: number, length: number, linkType: number): DecodedPacket {
  return new DecodedPacket({ bytes, start, length: Math.max(0, Math.min(length, bytes.length - start)) }, linkType);
}

/** The way through a frame: where the next header begins, and where that which it belongs to ends. */
class Walk {
  at = 0;
  end: number;
  /** EtherType of what stands at `at`, 0 for none. */
  type = 0;
  /** IP protocol of what stands at `at`, -1 for none. */
  protocol = -1;
  truncated = false;
  readonly #frame: FrameBytes;

  constructor(frame: FrameBytes) {
    this.#frame = frame;
    this.end = frame.length;
  }

  ethernet(): EthernetLayer {
    const layer = new EthernetLayer(this.#frame, 0, this.end);
    this.#enter(layer);
    this.type = layer.type;
    return layer;
  }

  vlans(): readonly VlanLayer[] {
    let vlans: VlanLayer[] | undefined;
    while (TAGS.includes(this.type) && (vlans?.length ?? 0) < MAX_TAGS) {
      const layer = new VlanLayer(this.#frame, this.at, this.end);
      this.#enter(layer);
      this.type = layer.type;
      (vlans ??= []).push(layer);
    }
    if (this.type < ETH_P_802_3_MIN) {
      this.#endsAt(this.at + this.type);
      this.type = 0;
    }
    return vlans ?? NO_VLANS;
  }

  /** Without a link layer the version tells which IP it is. */
  rawIp(): void {
    const { bytes, start, length } = this.#frame;
    const version = length === 0 ? 0 : bytes[start]! >>> 4;
    this.type = version === 4 ? ETH_P_IP : version === 6 ? ETH_P_IPV6 : 0;
  }

  arp(): ArpLayer {
    const layer = new ArpLayer(this.#frame, this.at, this.end);
    this.#enter(layer);
    // The rest is padding.
    this.end = this.at = Math.min(this.at, this.end);
    return layer;
  }

  ipv4(): Ipv4Layer {
    return this.#network(new Ipv4Layer(this.#frame, this.at, this.end));
  }

  ipv6(): Ipv6Layer {
    return this.#network(new Ipv6Layer(this.#frame, this.at, this.end));
  }

  tcp(): TcpLayer {
    return this.transport(new TcpLayer(this.#frame, this.at, this.end));
  }

  udp(): UdpLayer {
    const layer = new UdpLayer(this.#frame, this.at, this.end);
    if (layer.length >= 8) this.end = Math.min(this.end, this.at + layer.length);
    return this.transport(layer);
  }

  transport<L extends Layer>(layer: L): L {
    this.#enter(layer);
    return layer;
  }

  #network<L extends Ipv4Layer | Ipv6Layer>(layer: L): L {
    if (layer.packetEnd !== undefined) this.#endsAt(layer.packetEnd);
    if (this.#enter(layer) && layer.fragmentOffset === 0) this.protocol = layer.protocol;
    return layer;
  }

  /** Goes behind a header; false when nothing can be told of what follows it. */
  #enter(layer: Layer): boolean {
    const whole = !layer.truncated;
    this.at = Math.min(this.at + layer.headerLength, this.end);
    if (!whole && this.end === this.#frame.length) this.truncated = true;
    return whole && !layer.malformed;
  }

  /** A header tells where its data end. */
  #endsAt(end: number): void {
    if (end > this.#frame.length) this.truncated = true;
    this.end = Math.min(this.end, end);
  }
}
