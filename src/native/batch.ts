/** The layout of a batch in memory: its header and its index. */

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
  /** Bit 0: the block was retired by its timeout, or the batch ended by what had come so far. */
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
