/** Link types (ARPHRD_* of linux/if_arp.h) that a packet socket's frames can be told in a capture file. */
import { NetringError } from './errors';

/** ARPHRD_* to LINKTYPE_* of pcap: Ethernet, loopback (Ethernet headers too), IEEE 802.11 with and without radiotap, raw IP. */
const LINK_TYPES: ReadonlyMap<number, { pcap: number; name: string }> = new Map([
  [1, { pcap: 1, name: 'Ethernet' }],
  [772, { pcap: 1, name: 'loopback' }],
  [801, { pcap: 105, name: 'IEEE 802.11' }],
  [803, { pcap: 127, name: 'IEEE 802.11 with radiotap' }],
  [65534, { pcap: 101, name: 'raw IP' }],
]);

/** @internal Throws Config for a link type whose frames nothing here could make sense of. */
export function assertLinkType(linkType: number, interfaceName: string): void {
  if (LINK_TYPES.has(linkType)) return;
  const known = [...LINK_TYPES].map(([type, { name }]) => `${type} (${name})`).join(', ');
  throw NetringError.config(`interface ${interfaceName} has link type ${linkType}; supported are ${known}`, 'interface');
}
