/** Where the headers are, on the link and at the place in the expression: `vlan`, `mpls` and `pppoes` move them for all that follows. */
import { above, all, any, equals, FALSE, not, type Condition, type Size, type Value } from './condition';
import { load, masked } from './value';

export const ETHERTYPE = {
  ip: 0x0800,
  arp: 0x0806,
  xns: 0x0600,
  mopdl: 0x6001,
  moprc: 0x6002,
  decnet: 0x6003,
  lat: 0x6004,
  sca: 0x6007,
  rarp: 0x8035,
  atalk: 0x809b,
  aarp: 0x80f3,
  vlan: 0x8100,
  ipx: 0x8137,
  ip6: 0x86dd,
  mpls: 0x8847,
  pppoed: 0x8863,
  pppoes: 0x8864,
  serviceVlan: 0x88a8,
  loopback: 0x9000,
  qinq: 0x9100,
} as const;

/** Service access points of IEEE 802.2: what an Ethernet type of 1500 or less, a length, has behind it. */
export const SAP = { ip: 0x06, stp: 0x42, snap: 0xaa, ipx: 0xe0, netbeui: 0xf0, iso: 0xfe } as const;

const MAX_LENGTH_FIELD = 1500;

/** Protocol numbers of PPP (IANA) for what has an EtherType or an access point on Ethernet. */
const PPP: ReadonlyMap<number, number> = new Map([
  [ETHERTYPE.ip, 0x0021],
  [SAP.iso, 0x0023],
  [ETHERTYPE.xns, 0x0025],
  [ETHERTYPE.decnet, 0x0027],
  [ETHERTYPE.atalk, 0x0029],
  [SAP.ipx, 0x002b],
  [SAP.stp, 0x0031],
  [ETHERTYPE.ip6, 0x0057],
]);

export class Link {
  /** What the type field at `type` holds; raw IP has none. */
  kind: 'ethernet' | 'ppp' | 'raw';
  header = 0;
  type = 12;
  payload = 14;
  /** From the payload to the network header: labels of MPLS. */
  network = 0;
  /** The same where IEEE 802.2 stands before it. */
  networkOverLlc = 3;
  labels = 0;
  vlans = 0;
  /** Whether the header, and type and payload, are 4 bytes further on if the outer VLAN tag stands in the frame. */
  headerShifted = false;
  shifted = false;
  /** What has been asked here: a long expression asks the same again and again. */
  readonly #asked = new Map<string, Condition>();
  readonly #loads = new Map<number, Value>();

  constructor(kind: 'ethernet' | 'raw') {
    this.kind = kind;
    if (kind === 'raw') this.payload = 0;
  }

  /** A condition that is the same wherever it is asked, until a header is opened. */
  asked(what: string, make: () => Condition): Condition {
    let condition = this.#asked.get(what);
    if (condition === undefined) this.#asked.set(what, (condition = make()));
    return condition;
  }

  /** Another header is open: what follows is about that. */
  opened(): void {
    this.#asked.clear();
    this.#loads.clear();
  }

  fromHeader(size: Size, offset: number, index: Value | null = null): Value {
    const make = (): Value => load(size, this.header + offset, { shifted: this.headerShifted, index });
    return index === null ? this.#once(0, size, offset, make) : make();
  }

  fromPayload(size: Size, offset: number): Value {
    return load(size, this.payload + offset, { shifted: this.shifted });
  }

  fromNetwork(size: Size, offset: number, index: Value | null = null): Value {
    const make = (): Value => load(size, this.payload + this.network + offset, { shifted: this.shifted, index });
    return index === null ? this.#once(1, size, offset, make) : make();
  }

  fromNetworkOverLlc(size: Size, offset: number): Value {
    return load(size, this.payload + this.networkOverLlc + offset, { shifted: this.shifted });
  }

  /** What the IPv4 header carries. */
  fromTransport(size: Size, offset: number, index: Value | null = null): Value {
    const header = this.payload + this.network;
    const make = (): Value => load(size, header + offset, { shifted: this.shifted, header, index });
    return index === null ? this.#once(2, size, offset, make) : make();
  }

  /** One value for a place, counted from one of three headers. */
  #once(from: number, size: Size, offset: number, make: () => Value): Value {
    const key = (offset * 8 + size) * 3 + from;
    let value = this.#loads.get(key);
    if (value === undefined) this.#loads.set(key, (value = make()));
    return value;
  }

  private get typeField(): Value {
    return load(2, this.type, { shifted: this.shifted });
  }

  /** The payload is that of an EtherType, or of an access point of IEEE 802.2 (1500 and less). */
  carries(protocol: number): Condition | null {
    if (this.labels > 0) return this.labelled(protocol);
    if (this.kind === 'ppp') return equals(this.typeField, PPP.get(protocol) ?? protocol);
    if (this.kind === 'raw') return this.version(protocol);
    return this.ethernet(protocol);
  }

  /** Behind MPLS nothing tells the protocol but the version of IP, and that only at the bottom of the stack; null for another protocol. */
  private labelled(protocol: number): Condition | null {
    if (protocol !== ETHERTYPE.ip && protocol !== ETHERTYPE.ip6) return null;
    return all(equals(masked(this.fromNetwork(1, -2), 0x01), 0x01), this.version(protocol));
  }

  private version(protocol: number): Condition {
    const version = masked(this.fromNetwork(1, 0), 0xf0);
    if (protocol === ETHERTYPE.ip) return equals(version, 0x40);
    return protocol === ETHERTYPE.ip6 ? equals(version, 0x60) : FALSE;
  }

  private ethernet(protocol: number): Condition {
    const type = this.typeField;
    const isLength = not(above(type, MAX_LENGTH_FIELD));
    switch (protocol) {
      case SAP.ip:
      case SAP.iso:
      case SAP.netbeui:
        return all(isLength, equals(this.fromPayload(2, 0), (protocol << 8) | protocol));
      case SAP.ipx:
        // Ethernet II; IEEE 802.2, Novell's own form without it, and SNAP.
        return any(
          equals(type, ETHERTYPE.ipx),
          all(isLength, any(this.snap(0, ETHERTYPE.ipx), equals(this.fromPayload(1, 0), SAP.ipx), equals(this.fromPayload(2, 0), 0xffff))),
        );
      case ETHERTYPE.atalk:
        return any(equals(type, protocol), all(isLength, this.snap(0x080007, protocol)));
      case ETHERTYPE.aarp:
        return any(equals(type, protocol), all(isLength, this.snap(0, protocol)));
      default:
        if (protocol > MAX_LENGTH_FIELD) return equals(type, protocol);
        return all(isLength, equals(load(1, this.type + 2, { shifted: this.shifted }), protocol));
    }
  }

  /** Unnumbered information of SNAP with this organization and type. The last bytes are asked first. */
  private snap(organization: number, protocol: number): Condition {
    return all(
      equals(this.fromPayload(4, 4), ((organization & 0xffff) * 0x10000 + protocol) >>> 0),
      equals(this.fromPayload(4, 0), ((SAP.snap << 24) | (SAP.snap << 16) | (0x03 << 8) | (organization >>> 16)) >>> 0),
    );
  }
}
