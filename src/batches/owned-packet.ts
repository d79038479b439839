/** Packets as plain data, made from the records of a packet index. */
import { isEthernet } from '../interfaces/link-types';
import { Word } from '../native';
import { directionOf, statusFlags, TP_STATUS, type OwnedPacket } from './packet';

const MOST_OCTETS = 8;
const OCTETS = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));

/** @internal The packet whose record begins at `record`, over bytes that are its own. */
export function ownedPacket(index: Uint32Array, record: number, data: Buffer, linkType: number): OwnedPacket {
  const length = index[record + Word.Length]!;
  const originalLength = index[record + Word.OriginalLength]!;
  const status = index[record + Word.Status]!;
  const vlan = (status & TP_STATUS.VLAN_VALID) === 0 ? 0 : index[record + Word.Vlan]!;
  const meta = index[record + Word.Meta]!;
  const packet: OwnedPacket = {
    data,
    length,
    originalLength,
    timestamp: { sec: index[record + Word.Seconds]!, nsec: index[record + Word.Nanoseconds]! },
    status: statusFlags(status, length, originalLength),
    direction: directionOf((meta >>> 16) & 0xff),
    rxhash: index[record + Word.RxHash]!,
    vlanTci: vlan & 0xffff,
    vlanTpid: vlan >>> 16,
    protocol: meta & 0xffff,
    sourceAddress: linkAddress(index, record),
  };
  if (!isEthernet(linkType)) packet.linkType = linkType;
  return packet;
}

/** The link-layer address that was written last, because frames come in runs: making the text anew takes as long as the rest of a packet. */
let lastLow = 0;
let lastHigh = 0;
let lastOctets = 0;
let lastText = '';

/** @internal Link-layer source address, lower-case hexadecimal with colons; empty when there is none. */
export function linkAddress(index: Uint32Array, record: number): string {
  const low = index[record + Word.AddressLow]!;
  const high = index[record + Word.AddressHigh]!;
  const octets = Math.min(index[record + Word.Meta]! >>> 24, MOST_OCTETS);
  if (low === lastLow && high === lastHigh && octets === lastOctets) return lastText;
  let text = '';
  for (let k = 0; k < octets; k++) {
    const word = k < 4 ? low : high;
    text += (k === 0 ? '' : ':') + OCTETS[(word >>> ((k & 3) * 8)) & 0xff]!;
  }
  lastLow = low;
  lastHigh = high;
  lastOctets = octets;
  lastText = text;
  return text;
}
