/** The link layer: Ethernet (IEEE 802.3), VLAN tags (IEEE 802.1Q, 802.1ad), ARP (RFC 826). */
import { Layer, type LayerFields } from './layer';

/** An Ethernet header (IEEE 802.3) as a plain object. */
export interface EthernetFields extends LayerFields {
  /** Address of the receiver: lower-case hexadecimal with colons. */
  destination: string;
  /** Address of the sender, in the same form. */
  source: string;
  /** EtherType of what follows, which may be a VLAN tag; below 1536 the length of an IEEE 802.3 frame. */
  type: number;
}

/** An Ethernet header (IEEE 802.3): 14 bytes, without the preamble and FCS. */
export class EthernetLayer extends Layer implements EthernetFields {
  get headerLength(): number {
    return 14;
  }
  get destination(): string {
    return this.mac(0);
  }
  get source(): string {
    return this.mac(6);
  }
  get type(): number {
    return this.u16(12);
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): EthernetFields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      destination: this.destination,
      source: this.source,
      type: this.type,
    });
  }
}

/** A VLAN tag (IEEE 802.1Q) as a plain object. */
export interface VlanFields extends LayerFields {
  /** Tag protocol: 0x8100 (802.1Q), 0x88a8 (802.1ad, the outer tag) or 0x9100 (its predecessor). */
  tpid: number;
  /** VLAN, 0 to 4095; 0 is none, only the priority counts. */
  id: number;
  /** Priority code point, 0 to 7. */
  priority: number;
  /** Drop eligible indicator. */
  dropEligible: boolean;
  /** EtherType of what follows; below 1536 the length of an IEEE 802.3 frame. */
  type: number;
}

/** A VLAN tag: tag control information and the type behind it. Its TPID is the type of the header before it. */
export class VlanLayer extends Layer implements VlanFields {
  get headerLength(): number {
    return 4;
  }
  get tpid(): number {
    return this.u16(-2);
  }
  get id(): number {
    return this.u16(0) & 0xfff;
  }
  get priority(): number {
    return this.u16(0) >>> 13;
  }
  get dropEligible(): boolean {
    return (this.u16(0) & 0x1000) !== 0;
  }
  get type(): number {
    return this.u16(2);
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): VlanFields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      tpid: this.tpid,
      id: this.id,
      priority: this.priority,
      dropEligible: this.dropEligible,
      type: this.type,
    });
  }
}

/** An ARP packet (RFC 826) as a plain object. */
export interface ArpFields extends LayerFields {
  /** 1 is Ethernet. */
  hardwareType: number;
  /** EtherType of the protocol addresses: 0x0800 is IPv4. */
  protocolType: number;
  /** 1 request, 2 reply. */
  operation: number;
  /** Sender's hardware address: lower-case hexadecimal with colons. */
  senderMac: string;
  /** Sender's protocol address: dotted for IPv4, else hexadecimal. */
  senderIp: string;
  /** Target's hardware address; zeros in a request. */
  targetMac: string;
  /** Target's protocol address: the one that is asked for. */
  targetIp: string;
}

/** An ARP packet (RFC 826), for addresses of any length. */
export class ArpLayer extends Layer implements ArpFields {
  get headerLength(): number {
    return 8 + 2 * (this.#hardwareLength + this.#protocolLength);
  }
  get hardwareType(): number {
    return this.u16(0);
  }
  get protocolType(): number {
    return this.u16(2);
  }
  get operation(): number {
    return this.u16(6);
  }
  get senderMac(): string {
    return this.#hardwareAddress(8);
  }
  get senderIp(): string {
    return this.#protocolAddress(8 + this.#hardwareLength);
  }
  get targetMac(): string {
    return this.#hardwareAddress(8 + this.#hardwareLength + this.#protocolLength);
  }
  get targetIp(): string {
    return this.#protocolAddress(8 + 2 * this.#hardwareLength + this.#protocolLength);
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): ArpFields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      hardwareType: this.hardwareType,
      protocolType: this.protocolType,
      operation: this.operation,
      senderMac: this.senderMac,
      senderIp: this.senderIp,
      targetMac: this.targetMac,
      targetIp: this.targetIp,
    });
  }

  get #hardwareLength(): number {
    return this.u8(4);
  }
  get #protocolLength(): number {
    return this.u8(5);
  }
  #hardwareAddress(at: number): string {
    const length = this.#hardwareLength;
    return length === 6 ? this.mac(at) : this.hex(at, length, ':');
  }
  #protocolAddress(at: number): string {
    return this.protocolType === 0x0800 && this.#protocolLength === 4 ? this.ipv4(at) : this.hex(at, this.#protocolLength);
  }
}
