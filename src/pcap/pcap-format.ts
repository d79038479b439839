/** Numbers of the pcap format, draft-ietf-opsawg-pcap. */

/** First four bytes of a file, in its own byte order. */
export const Magic = {
  Microseconds: 0xa1b2c3d4,
  Nanoseconds: 0xa1b23c4d,
  /** Of Alexey Kuznetzov's patches of 1999: microseconds, and records that tell interface and direction besides. */
  Modified: 0xa1b2cd34,
} as const;

export const FILE_HEADER = 24;
/** Seconds, fraction, captured length, original length. */
export const RECORD_HEADER = 16;
/** The same, then interface index, protocol, `sll_pkttype`, padding. */
export const MODIFIED_RECORD_HEADER = 24;

/** Upper bits of the link-type word: length of the check sequence in units of 16 bits, whether that is meant, then 10 reserved ones. */
export const FCS_LENGTH_SHIFT = 28;
export const FCS_PRESENT = 0x0400_0000;
export const RESERVED_LINK_BITS = 0x03ff_0000;
