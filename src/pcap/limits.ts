/** Beyond these a length is taken for garbage, not for a sign that the file was cut short. */

/** Of a pcapng block, in bytes; the same as libpcap's. */
export const MAX_BLOCK_LENGTH = 16 * 1024 * 1024;
/** Of a packet in a pcap file, in bytes: what fits a pcapng block fits here. */
export const MAX_CAPTURED_LENGTH = MAX_BLOCK_LENGTH;
/** Interfaces of one section: as many as the 16-bit number of the obsolete packet block tells apart. */
export const MAX_INTERFACES = 65_536;
/** Bytes of an interface's name that are kept. */
export const MAX_INTERFACE_NAME = 256;
/**
 * Bytes of all names of a section: 16 for each of as many interfaces as there may be, one more than the kernel's names have. Many long names shall
 * not fill the memory with text.
 */
export const MAX_SECTION_NAMES = MAX_INTERFACES * 16;
/** Bytes that a packet takes in a file at least, those of its own aside: an empty one in a pcap file, or a simple packet block. */
export const LEAST_RECORD = 16;
