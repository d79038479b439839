/** How frames become the columns of a batch: see native/batch.ts for the layout. */
import { inspect } from 'node:util';
import { isUint8Array } from 'node:util/types';
import { ARPHRD_ETHER, isEthernet } from '../interfaces/link-types';
import { Header, HEADER_WORDS, RECORD_WORDS, Word } from '../native/batch';
import { packetTypeOf, statusBits, type OwnedPacket } from './packet';

/** A frame to make a batch of: its bytes, or a packet object whose missing fields are filled in. */
export type FrameLike = Uint8Array | (Pick<OwnedPacket, 'data'> & Partial<OwnedPacket>);

/** A frame whose bytes are there. */
export type FrameParts = Omit<Partial<OwnedPacket>, 'data'> & { data: Uint8Array };

const ETH_P_8021Q = 0x8100;
export const TWO_TO_32 = 0x1_0000_0000;

/** Bytes of the frames, one after the other, and a record for each. */
export function packFrames(list: readonly FrameParts[]): { bytes: Buffer; index: Uint32Array } {
  const bytes = Buffer.allocUnsafeSlow(list.reduce((sum, frame) => sum + frame.data.byteLength, 0));
  const index = new Uint32Array(list.length * RECORD_WORDS);
  let offset = 0;
  list.forEach((frame, i) => {
    bytes.set(frame.data, offset);
    writeRecord(index, i * RECORD_WORDS, offset, frame);
    offset += frame.data.byteLength;
  });
  return { bytes, index };
}

/** The header words that follow from an index. */
export function headerOf(index: Uint32Array, seqNum: number): Uint32Array {
  const header = new Uint32Array(HEADER_WORDS);
  const count = index.length / RECORD_WORDS;
  let bytes = 0;
  let original = 0;
  for (let record = 0; record < index.length; record += RECORD_WORDS) {
    bytes += index[record + Word.Length]!;
    original += index[record + Word.OriginalLength]!;
  }
  header[Header.Count] = count;
  header[Header.ByteLength] = bytes;
  header[Header.SequenceLow] = seqNum % TWO_TO_32;
  header[Header.SequenceHigh] = Math.floor(seqNum / TWO_TO_32);
  header[Header.OriginalLow] = original % TWO_TO_32;
  header[Header.OriginalHigh] = Math.floor(original / TWO_TO_32);
  if (count > 0) {
    const last = (count - 1) * RECORD_WORDS;
    header[Header.FirstSeconds] = index[Word.Seconds]!;
    header[Header.FirstNanoseconds] = index[Word.Nanoseconds]!;
    header[Header.LastSeconds] = index[last + Word.Seconds]!;
    header[Header.LastNanoseconds] = index[last + Word.Nanoseconds]!;
  }
  return header;
}

/** What a frame is made of. Bytes of another realm, such as the sandbox of a function node, are bytes too. Throws TypeError for what is neither bytes nor a packet object. */
export function frameParts(frame: FrameLike, i: number): FrameParts {
  if (isUint8Array(frame)) return { data: frame };
  if (typeof frame === 'object' && frame !== null && isUint8Array(frame.data)) return frame;
  throw new TypeError(`frames[${i}] is neither bytes nor a packet object with data`);
}

/** The same for frames that somebody will ask for their times and lengths, which therefore must be some. Throws TypeError. */
export function recordableParts(frame: FrameLike, i: number): FrameParts {
  const parts = frameParts(frame, i);
  const { timestamp, originalLength, linkType } = parts;
  // A Date, or milliseconds, would stand there as the first second of 1970.
  if (timestamp !== undefined && !(isUint32(timestamp?.sec) && isUint32(timestamp.nsec) && timestamp.nsec < 1e9))
    throw new TypeError(
      `frames[${i}].timestamp is ${inspect(timestamp, { breakLength: Infinity })}, no { sec, nsec } of whole seconds since 1970 and nanoseconds below 1000000000`,
    );
  if (originalLength !== undefined && !isUint32(originalLength))
    throw new TypeError(`frames[${i}].originalLength is ${inspect(originalLength)}, no whole number of bytes`);
  if (linkType !== undefined && !isUint32(linkType))
    throw new TypeError(`frames[${i}].linkType is ${inspect(linkType)}, no number of a link type`);
  return parts;
}

/** The link type of all frames, those of Ethernet as `ARPHRD_ETHER`. Throws TypeError when they have several. */
export function commonLinkType(list: readonly FrameParts[]): number {
  const typeOf = ({ linkType = ARPHRD_ETHER }: FrameParts): number => (isEthernet(linkType) ? ARPHRD_ETHER : linkType);
  const [first = ARPHRD_ETHER] = list.map(typeOf);
  const other = list.findIndex((frame) => typeOf(frame) !== first);
  if (other === -1) return first;
  throw new TypeError(
    `frames[${other}] has link type ${typeOf(list[other] as FrameParts)}, those before it have ${first}: a batch has one, and so has a file of pcap`,
  );
}

const isUint32 = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) < TWO_TO_32;

function writeRecord(index: Uint32Array, at: number, offset: number, frame: FrameParts): void {
  const { data } = frame;
  const status = frame.status === undefined ? 0 : statusBits(frame.status);
  const address = (frame.sourceAddress ?? '')
    .split(':')
    .filter((octet) => octet !== '')
    .map((octet) => parseInt(octet, 16));
  const type = packetTypeOf(frame.direction ?? 'host');
  index[at + Word.Offset] = offset;
  index[at + Word.Length] = data.byteLength;
  index[at + Word.OriginalLength] = Math.max(frame.originalLength ?? 0, data.byteLength);
  index[at + Word.Seconds] = frame.timestamp?.sec ?? 0;
  index[at + Word.Nanoseconds] = frame.timestamp?.nsec ?? 0;
  index[at + Word.Status] = status;
  index[at + Word.RxHash] = frame.rxhash ?? 0;
  index[at + Word.Vlan] = (frame.vlanTci ?? 0) | ((frame.vlanTpid ?? ETH_P_8021Q) << 16);
  index[at + Word.Meta] = (frame.protocol ?? etherType(data)) | (type << 16) | (address.length << 24);
  index[at + Word.AddressLow] = packOctets(address, 0);
  index[at + Word.AddressHigh] = packOctets(address, 4);
}

function packOctets(octets: readonly number[], from: number): number {
  let word = 0;
  for (let k = 0; k < 4; k++) word |= (octets[from + k] ?? 0) << (k * 8);
  return word;
}

function etherType(frame: Uint8Array): number {
  return frame.byteLength < 14 ? 0 : (frame[12]! << 8) | frame[13]!;
}
