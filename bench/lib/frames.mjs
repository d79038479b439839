/** The bench's frames, made in JavaScript: see c/common.h for what stands where. */
const ETHERNET_LENGTH = 14;
const SEQUENCE_OFFSET = 42;
const FILL_OFFSET = 58;
const SEAL_LENGTH = 4;

export function buildFrame(length) {
  const frame = Buffer.alloc(length);
  Buffer.from('0200000000bb0200000000aa0800', 'hex').copy(frame);
  Buffer.from('450000000000400040110000c0000201c0000202', 'hex').copy(frame, ETHERNET_LENGTH);
  frame.writeUInt16BE(length - ETHERNET_LENGTH, ETHERNET_LENGTH + 2);
  frame.writeUInt16BE(internetChecksum(frame.subarray(ETHERNET_LENGTH, 34)), ETHERNET_LENGTH + 10);
  frame.writeUInt16BE(4000, 34);
  frame.writeUInt16BE(4001, 36);
  frame.writeUInt16BE(length - ETHERNET_LENGTH - 20, 38);
  return frame;
}

function internetChecksum(header) {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += header.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Numbers the frame that stands at `at`. */
export function numberFrame(bytes, at, sequence) {
  const low = at + SEQUENCE_OFFSET;
  bytes[low] = sequence;
  bytes[low + 1] = sequence >>> 8;
  bytes[low + 2] = sequence >>> 16;
  bytes[low + 3] = sequence >>> 24;
}

/** Fills the frame with bytes that depend on its number and ends it with the FNV-1a hash of what stands before. */
export function sealFrame(bytes, at, length, sequence) {
  numberFrame(bytes, at, sequence);
  const end = at + length - SEAL_LENGTH;
  let state = (Math.imul(sequence, 2654435761) + 1) | 0;
  for (let i = at + FILL_OFFSET; i < end; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  let hash = 0x811c9dc5 | 0;
  for (let i = at; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  for (let k = 0; k < SEAL_LENGTH; k++) bytes[end + k] = hash >>> (8 * k);
}
