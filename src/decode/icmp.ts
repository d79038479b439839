/** ICMP (RFC 792), ICMPv6 (RFC 4443) and the addresses of neighbour discovery (RFC 4861). */
import { Layer, type LayerFields } from './layer';

/** The ICMP header (RFC 792) as a plain object. */
export interface IcmpFields extends LayerFields {
  /** 0 echo reply, 3 unreachable, 8 echo request, 11 time exceeded. */
  type: number;
  /** What the type leaves open: of `unreachable` whether net, host or port, for instance. */
  code: number;
  /** As it stands in the header. */
  checksum: number;
  /** Of an echo request or reply, 16 bits; undefined, and not in JSON, for others. */
  id?: number | undefined;
  /** Of an echo request or reply, 16 bits; undefined, and not in JSON, for others. */
  sequence?: number | undefined;
}

/** The ICMP header (RFC 792); what an error quotes is payload. */
export class IcmpLayer extends Layer implements IcmpFields {
  get headerLength(): number {
    return 8;
  }
  get type(): number {
    return this.u8(0);
  }
  get code(): number {
    return this.u8(1);
  }
  get checksum(): number {
    return this.u16(2);
  }
  get id(): number | undefined {
    return this.#isEcho ? this.u16(4) : undefined;
  }
  get sequence(): number | undefined {
    return this.#isEcho ? this.u16(6) : undefined;
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): IcmpFields {
    const { offset, headerLength, type, code, checksum, id, sequence } = this;
    const fields: IcmpFields = { offset, headerLength, type, code, checksum };
    if (id !== undefined) fields.id = id;
    if (sequence !== undefined) fields.sequence = sequence;
    return this.flagged(fields);
  }

  get #isEcho(): boolean {
    return this.type === 0 || this.type === 8;
  }
}

/** The ICMPv6 header (RFC 4443) as a plain object. */
export interface Icmpv6Fields extends LayerFields {
  /** 1 unreachable, 2 too big, 128 echo request, 129 echo reply, 135 neighbour solicitation, 136 neighbour advertisement. */
  type: number;
  /** What the type leaves open: of `unreachable` whether net, host or port, for instance. */
  code: number;
  /** As it stands in the header. */
  checksum: number;
  /** Of an echo request or reply, 16 bits; undefined, and not in JSON, for others. */
  id?: number | undefined;
  /** Of an echo request or reply, 16 bits; undefined, and not in JSON, for others. */
  sequence?: number | undefined;
  /** Of a neighbour solicitation or advertisement; undefined, and not in JSON, for others. */
  target?: string | undefined;
}

/** The ICMPv6 header (RFC 4443), of neighbour discovery (RFC 4861) with the target address. */
export class Icmpv6Layer extends Layer implements Icmpv6Fields {
  get headerLength(): number {
    return this.#isNeighbour ? 24 : 8;
  }
  get type(): number {
    return this.u8(0);
  }
  get code(): number {
    return this.u8(1);
  }
  get checksum(): number {
    return this.u16(2);
  }
  get id(): number | undefined {
    return this.#isEcho ? this.u16(4) : undefined;
  }
  get sequence(): number | undefined {
    return this.#isEcho ? this.u16(6) : undefined;
  }
  get target(): string | undefined {
    return this.#isNeighbour ? this.ipv6(8) : undefined;
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): Icmpv6Fields {
    const { offset, headerLength, type, code, checksum, id, sequence, target } = this;
    const fields: Icmpv6Fields = { offset, headerLength, type, code, checksum };
    if (id !== undefined) fields.id = id;
    if (sequence !== undefined) fields.sequence = sequence;
    if (target !== undefined) fields.target = target;
    return this.flagged(fields);
  }

  get #isEcho(): boolean {
    return this.type === 128 || this.type === 129;
  }
  get #isNeighbour(): boolean {
    return this.type === 135 || this.type === 136;
  }
}
