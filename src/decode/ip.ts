/** The network layer: IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200, RFC 7045, RFC 4302 for AH). */
import { Layer, type FrameBytes, type LayerFields } from './layer';

/** What both versions tell. */
export interface IpFields extends LayerFields {
  /** Address of the sender: dotted, or as RFC 5952 writes IPv6. */
  source: string;
  /** Address of the receiver, in the same form. */
  destination: string;
  /** IP protocol number of what follows, behind all extension headers of IPv6: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6. */
  protocol: number;
  /** Differentiated services, 0 to 63 (RFC 2474). */
  dscp: number;
  /** Congestion notification, 0 to 3 (RFC 3168). */
  ecn: number;
  /** Where the data of a fragment belong, in bytes; 0 for a packet that is whole, and for a first fragment. */
  fragmentOffset: number;
  /** The packet is a fragment, and not the last one. */
  moreFragments: boolean;
}

/** An option of the IPv4 header. */
export interface Ipv4Option {
  /** Copied flag, class and number (RFC 791): 7 record route, 68 timestamp, 148 router alert. */
  type: number;
  /** What stands behind type and length, as hexadecimal. */
  data: string;
}

/** The IPv4 header (RFC 791) as a plain object. */
export interface Ipv4Fields extends IpFields {
  /** Header and data, in bytes; 0 for a segment that was captured before the hardware has cut it up. */
  totalLength: number;
  /** Identification, 16 bits: the same in all fragments of a packet. */
  id: number;
  /** No router may divide the packet. */
  dontFragment: boolean;
  /** Time to live: how many routers may still pass it on. */
  ttl: number;
  /** As it stands in the header. */
  checksum: number;
  /** Without padding; they end where one has an impossible length. */
  options: Ipv4Option[];
}

/** The IPv4 header (RFC 791). */
export class Ipv4Layer extends Layer implements Ipv4Fields {
  /** @internal Where the packet ends, as an offset in the frame; undefined when the header does not say. */
  declare readonly packetEnd: number | undefined;

  /** @internal */
  constructor(frame: FrameBytes, offset: number, end: number) {
    super(frame, offset, end);
    const { totalLength } = this;
    this.packetEnd = totalLength === 0 || this.malformed ? undefined : offset + totalLength;
    this.endsAt(this.packetEnd ?? end);
  }

  get headerLength(): number {
    return this.room < 1 ? 20 : (this.u8(0) & 15) * 4;
  }
  override get truncated(): boolean {
    return this.room < Math.max(20, this.headerLength);
  }
  override get malformed(): boolean {
    if (this.room < 1) return false;
    const { headerLength, totalLength } = this;
    return this.u8(0) >>> 4 !== 4 || headerLength < 20 || (totalLength > 0 && totalLength < headerLength);
  }
  get dscp(): number {
    return this.u8(1) >>> 2;
  }
  get ecn(): number {
    return this.u8(1) & 3;
  }
  get totalLength(): number {
    return this.u16(2);
  }
  get id(): number {
    return this.u16(4);
  }
  get dontFragment(): boolean {
    return (this.u8(6) & 0x40) !== 0;
  }
  get moreFragments(): boolean {
    return (this.u8(6) & 0x20) !== 0;
  }
  get fragmentOffset(): number {
    return (this.u16(6) & 0x1fff) * 8;
  }
  get ttl(): number {
    return this.u8(8);
  }
  get protocol(): number {
    return this.u8(9);
  }
  get checksum(): number {
    return this.u16(10);
  }
  get source(): string {
    return this.ipv4(12);
  }
  get destination(): string {
    return this.ipv4(16);
  }
  get options(): Ipv4Option[] {
    const options: Ipv4Option[] = [];
    const end = Math.min(this.headerLength, this.room);
    for (let at = 20; at < end;) {
      const type = this.u8(at);
      if (type === 0) break;
      // No operation, the only other one of a single byte.
      if (type === 1) {
        at++;
        continue;
      }
      const length = this.u8(at + 1);
      if (length < 2 || at + length > end) break;
      options.push({ type, data: this.hex(at + 2, length - 2) });
      at += length;
    }
    return options;
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): Ipv4Fields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      source: this.source,
      destination: this.destination,
      protocol: this.protocol,
      dscp: this.dscp,
      ecn: this.ecn,
      totalLength: this.totalLength,
      id: this.id,
      dontFragment: this.dontFragment,
      moreFragments: this.moreFragments,
      fragmentOffset: this.fragmentOffset,
      ttl: this.ttl,
      checksum: this.checksum,
      options: this.options,
    });
  }
}

/** An extension header that stands between the IPv6 header and the protocol. */
export interface Ipv6Extension {
  /** 0 hop-by-hop options, 43 routing, 44 fragment, 51 authentication, 60 destination options, 135 mobility, 139 HIP, 140 Shim6. */
  type: number;
  /** In bytes from the start of the frame. */
  offset: number;
  /** Its length in bytes. */
  length: number;
}

/** The IPv6 header (RFC 8200) as a plain object. */
export interface Ipv6Fields extends IpFields {
  /** Flow label, 20 bits (RFC 6437). */
  flowLabel: number;
  /** Everything behind the first 40 bytes, in bytes; 0 for a jumbogram. */
  payloadLength: number;
  /** Number of the first extension header, or of the protocol. */
  nextHeader: number;
  /** How many routers may still pass it on. */
  hopLimit: number;
  /** Of a fragment header; 0 without one. */
  fragmentId: number;
  /** In their order, at most 16: a longer chain is left as payload. */
  extensions: readonly Ipv6Extension[];
}

const HEADER = 40;
const MAX_EXTENSIONS = 16;
const HOP_BY_HOP = 0;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** The others count their length in units of 8 bytes behind the first 8. */
const EXTENSIONS = new Set([0, 43, FRAGMENT, AUTHENTICATION, 60, 135, 139, 140]);
const NONE: readonly Ipv6Extension[] = [];

/** The IPv6 header (RFC 8200) with its extension headers. */
export class Ipv6Layer extends Layer implements Ipv6Fields {
  /** @internal Where the packet ends, as an offset in the frame; undefined when the header does not say. */
  declare readonly packetEnd: number | undefined;
  /** Protocol number of what follows the extension headers: 6 TCP, 17 UDP, 58 ICMPv6. */
  declare readonly protocol: number;
  /** With the extension headers. */
  declare readonly headerLength: number;
  /** In their order, at most 16: a longer chain is left as payload. */
  declare readonly extensions: readonly Ipv6Extension[];
  /** @internal Where the fragment header begins; 0 without one. */
  declare private readonly fragmentAt: number;

  /** @internal */
  constructor(frame: FrameBytes, offset: number, end: number) {
    super(frame, offset, end);
    // The length of a jumbogram stands in a hop-by-hop option (RFC 2675).
    const unknown = this.malformed || this.room < HEADER || (this.payloadLength === 0 && this.nextHeader === HOP_BY_HOP);
    this.packetEnd = unknown ? undefined : offset + HEADER + this.payloadLength;
    this.endsAt(this.packetEnd ?? end);
    const extensions: Ipv6Extension[] = [];
    let protocol = this.u8(6);
    let at = HEADER;
    let fragmentAt = 0;
    // Data of a later fragment are no headers, whatever number stands before them.
    while (EXTENSIONS.has(protocol) && extensions.length < MAX_EXTENSIONS && at + 2 <= this.room) {
      const units = this.u8(at + 1);
      const length = protocol === FRAGMENT ? 8 : protocol === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
      extensions.push({ type: protocol, offset: offset + at, length });
      if (protocol === FRAGMENT) fragmentAt = at;
      protocol = this.u8(at);
      at += length;
      if (fragmentAt > 0 && this.u16(fragmentAt + 2) >= 8) break;
    }
    this.protocol = protocol;
    this.extensions = extensions.length === 0 ? NONE : extensions;
    this.headerLength = at;
    this.fragmentAt = fragmentAt;
  }

  override get malformed(): boolean {
    return this.room > 0 && this.u8(0) >>> 4 !== 6;
  }
  get dscp(): number {
    return (this.u16(0) >>> 6) & 0x3f;
  }
  get ecn(): number {
    return (this.u16(0) >>> 4) & 3;
  }
  get flowLabel(): number {
    return this.u32(0) & 0xfffff;
  }
  get payloadLength(): number {
    return this.u16(4);
  }
  get nextHeader(): number {
    return this.u8(6);
  }
  get hopLimit(): number {
    return this.u8(7);
  }
  get source(): string {
    return this.ipv6(8);
  }
  get destination(): string {
    return this.ipv6(24);
  }
  get fragmentOffset(): number {
    return this.fragmentAt === 0 ? 0 : this.u16(this.fragmentAt + 2) & 0xfff8;
  }
  get moreFragments(): boolean {
    return this.fragmentAt > 0 && (this.u16(this.fragmentAt + 2) & 1) !== 0;
  }
  get fragmentId(): number {
    return this.fragmentAt === 0 ? 0 : this.u32(this.fragmentAt + 4);
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): Ipv6Fields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      source: this.source,
      destination: this.destination,
      protocol: this.protocol,
      dscp: this.dscp,
      ecn: this.ecn,
      flowLabel: this.flowLabel,
      payloadLength: this.payloadLength,
      nextHeader: this.nextHeader,
      hopLimit: this.hopLimit,
      fragmentId: this.fragmentId,
      moreFragments: this.moreFragments,
      fragmentOffset: this.fragmentOffset,
      extensions: this.extensions.map((extension) => ({ ...extension })),
    });
  }
}
