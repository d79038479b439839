/** Numbered ARP requests with times, and batches that end. */
import { PacketBatch } from '@netring/node-red';
import { batchMemory } from '../../src/batches/batch';
import { Header, HEADER_WORDS } from '../../src/native';
import { arpRequest } from './pcap-files';

export const START = 1_700_000_000;

/** Requests `first` up to `end`, so many a second from `START` on. */
export function requests(first: number, end: number, { perSecond = 10, name = 'eth0' } = {}): PacketBatch {
  const frames = Array.from({ length: end - first }, (_, k) => ({
    data: arpRequest(first + k),
    timestamp: { sec: START + Math.floor((first + k) / perSecond), nsec: ((first + k) % perSecond) * (1_000_000_000 / perSecond) },
  }));
  return PacketBatch.from(frames, { interface: name });
}

/** A view into a ring: when it is released, the ring is written anew. */
export function borrowed(from: PacketBatch): PacketBatch {
  const { bytes, index } = batchMemory(from.copy());
  const header = new Uint32Array(HEADER_WORDS);
  header[Header.Count] = from.length;
  header[Header.ByteLength] = from.byteLength;
  return new PacketBatch({
    header,
    index,
    bytes: bytes as Buffer,
    interface: from.interface,
    linkType: 1,
    release: () => bytes.fill(0xdd),
  });
}
