/** TCP (RFC 9293) and its usual options (RFC 7323, RFC 2018). */
import { Layer, type LayerFields } from './layer';

/**
 * An option of the TCP header; `kind` is its number, `name` tells which form it is of.
 *
 * - `mss` (2, RFC 9293): `value` is the longest segment that the sender takes, in bytes.
 * - `window-scale` (3, RFC 7323): the window is to be shifted left by `value` bits.
 * - `sack-permitted` (4, RFC 2018).
 * - `sack` (5, RFC 2018): `blocks` that have come, in sequence numbers: from `left` on, `right` excluded.
 * - `timestamps` (8, RFC 7323): the sender's clock as `value`, and that of the other side as it came last as `echo`.
 * - `other`: `data` is what stands behind kind and length, as hexadecimal.
 */
export type TcpOption =
  | { kind: number; name: 'mss'; value: number }
  | { kind: number; name: 'window-scale'; value: number }
  | { kind: number; name: 'sack-permitted' }
  | { kind: number; name: 'sack'; blocks: { left: number; right: number }[] }
  | { kind: number; name: 'timestamps'; value: number; echo: number }
  | { kind: number; name: 'other'; data: string };

/** The TCP header (RFC 9293) as a plain object. */
export interface TcpFields extends LayerFields {
  /** Port of the sender, 0 to 65535. */
  sourcePort: number;
  /** Port of the receiver, 0 to 65535. */
  destinationPort: number;
  /** Sequence number of the first byte of data, or of the SYN, 32 bits. */
  sequence: number;
  /** The sequence number that the sender expects next; meaningful with `ack`. */
  acknowledgment: number;
  /** The lowest 8 bits, as `tcp[13]` of tcpdump: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128. */
  flags: number;
  /** The sender has no more data. */
  fin: boolean;
  /** Opens a connection: `sequence` is the initial one. */
  syn: boolean;
  /** Resets the connection. */
  rst: boolean;
  /** Data are to be handed on at once. */
  psh: boolean;
  /** `acknowledgment` is meaningful. */
  ack: boolean;
  /** `urgentPointer` is meaningful. */
  urg: boolean;
  /** Congestion was met (RFC 3168), or with `syn`: the sender knows of ECN. */
  ece: boolean;
  /** The sender has reduced its window for congestion (RFC 3168). */
  cwr: boolean;
  /** As it stands in the header: not scaled. */
  window: number;
  /** As it stands in the header: unfinished in a frame whose `status.csumNotReady` is set. */
  checksum: number;
  /** Offset behind the urgent data, from `sequence` on; meaningful with `urg`. */
  urgentPointer: number;
  /** Without padding; they end where one has an impossible length. */
  options: TcpOption[];
}

/** The TCP header (RFC 9293) with its usual options (RFC 7323, RFC 2018). */
export class TcpLayer extends Layer implements TcpFields {
  get headerLength(): number {
    return this.room < 13 ? 20 : (this.u8(12) >>> 4) * 4;
  }
  override get truncated(): boolean {
    return this.room < Math.max(20, this.headerLength);
  }
  override get malformed(): boolean {
    return this.headerLength < 20;
  }
  get sourcePort(): number {
    return this.u16(0);
  }
  get destinationPort(): number {
    return this.u16(2);
  }
  get sequence(): number {
    return this.u32(4);
  }
  get acknowledgment(): number {
    return this.u32(8);
  }
  get flags(): number {
    return this.u8(13);
  }
  get fin(): boolean {
    return (this.flags & 0x01) !== 0;
  }
  get syn(): boolean {
    return (this.flags & 0x02) !== 0;
  }
  get rst(): boolean {
    return (this.flags & 0x04) !== 0;
  }
  get psh(): boolean {
    return (this.flags & 0x08) !== 0;
  }
  get ack(): boolean {
    return (this.flags & 0x10) !== 0;
  }
  get urg(): boolean {
    return (this.flags & 0x20) !== 0;
  }
  get ece(): boolean {
    return (this.flags & 0x40) !== 0;
  }
  get cwr(): boolean {
    return (this.flags & 0x80) !== 0;
  }
  get window(): number {
    return this.u16(14);
  }
  get checksum(): number {
    return this.u16(16);
  }
  get urgentPointer(): number {
    return this.u16(18);
  }
  get options(): TcpOption[] {
    const options: TcpOption[] = [];
    const end = Math.min(this.headerLength, this.room);
    for (let at = 20; at < end;) {
      const kind = this.u8(at);
      if (kind === 0) break;
      // No operation, the only other one of a single byte.
      if (kind === 1) {
        at++;
        continue;
      }
      const length = this.u8(at + 1);
      if (length < 2 || at + length > end) break;
      options.push(this.#option(kind, at, length));
      at += length;
    }
    return options;
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): TcpFields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      sourcePort: this.sourcePort,
      destinationPort: this.destinationPort,
      sequence: this.sequence,
      acknowledgment: this.acknowledgment,
      flags: this.flags,
      fin: this.fin,
      syn: this.syn,
      rst: this.rst,
      psh: this.psh,
      ack: this.ack,
      urg: this.urg,
      ece: this.ece,
      cwr: this.cwr,
      window: this.window,
      checksum: this.checksum,
      urgentPointer: this.urgentPointer,
      options: this.options,
    });
  }

  #option(kind: number, at: number, length: number): TcpOption {
    if (kind === 2 && length === 4) return { kind, name: 'mss', value: this.u16(at + 2) };
    if (kind === 3 && length === 3) return { kind, name: 'window-scale', value: this.u8(at + 2) };
    if (kind === 4 && length === 2) return { kind, name: 'sack-permitted' };
    if (kind === 8 && length === 10) return { kind, name: 'timestamps', value: this.u32(at + 2), echo: this.u32(at + 6) };
    if (kind === 5 && length > 2 && (length - 2) % 8 === 0) {
      const blocks = Array.from({ length: (length - 2) / 8 }, (_, i) => ({
        left: this.u32(at + 2 + 8 * i),
        right: this.u32(at + 6 + 8 * i),
      }));
      return { kind, name: 'sack', blocks };
    }
    return { kind, name: 'other', data: this.hex(at + 2, length - 2) };
  }
}
