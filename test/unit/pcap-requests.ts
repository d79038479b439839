/** Numbered ARP requests with times. */
import { PacketBatch } from '@netring/node-red';
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
