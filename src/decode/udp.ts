/** UDP (RFC 768) and the common header of SCTP (RFC 9260). */
import { Layer, type LayerFields } from './layer';

/** The UDP header (RFC 768) as a plain object. */
export interface UdpFields extends LayerFields {
  /** Port of the sender, 0 to 65535. */
  sourcePort: number;
  /** Port of the receiver, 0 to 65535. */
  destinationPort: number;
  /** Header and data, in bytes. */
  length: number;
  /** As it stands in the header: unfinished in a frame whose `status.csumNotReady` is set; 0 is none. */
  checksum: number;
}

/** The UDP header (RFC 768). */
export class UdpLayer extends Layer implements UdpFields {
  get headerLength(): number {
    return 8;
  }
  /** A length of 0 is that of a jumbogram (RFC 2675). */
  override get malformed(): boolean {
    return this.room >= 6 && this.length > 0 && this.length < 8;
  }
  get sourcePort(): number {
    return this.u16(0);
  }
  get destinationPort(): number {
    return this.u16(2);
  }
  get length(): number {
    return this.u16(4);
  }
  get checksum(): number {
    return this.u16(6);
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): UdpFields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      sourcePort: this.sourcePort,
      destinationPort: this.destinationPort,
      length: this.length,
      checksum: this.checksum,
    });
  }
}

/** The common header of SCTP (RFC 9260) as a plain object. */
export interface SctpFields extends LayerFields {
  /** Port of the sender, 0 to 65535. */
  sourcePort: number;
  /** Port of the receiver, 0 to 65535. */
  destinationPort: number;
  /** Names the association, 32 bits; 0 in the chunk that opens it. */
  verificationTag: number;
  /** CRC32c as it stands in the header. */
  checksum: number;
}

/** The common header of SCTP (RFC 9260); its chunks are payload. */
export class SctpLayer extends Layer implements SctpFields {
  get headerLength(): number {
    return 12;
  }
  get sourcePort(): number {
    return this.u16(0);
  }
  get destinationPort(): number {
    return this.u16(2);
  }
  get verificationTag(): number {
    return this.u32(4);
  }
  get checksum(): number {
    return this.u32(8);
  }
  /** The fields as a plain object, which survives cloning and JSON. */
  toJSON(): SctpFields {
    return this.flagged({
      offset: this.offset,
      headerLength: this.headerLength,
      sourcePort: this.sourcePort,
      destinationPort: this.destinationPort,
      verificationTag: this.verificationTag,
      checksum: this.checksum,
    });
  }
}
