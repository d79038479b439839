/** Link types (ARPHRD_* of linux/if_arp.h) whose frames a capture can hand out. */
import { NetringError } from './errors';

const NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'Ethernet'],
  [772, 'loopback'],
  [801, 'IEEE 802.11'],
  [803, 'IEEE 802.11 with radiotap'],
  [65534, 'raw IP'],
]);

/** @internal Throws Config for a link type whose frames nothing here could make sense of. */
export function assertLinkType(linkType: number, interfaceName: string): void {
  if (NAMES.has(linkType)) return;
  const known = [...NAMES].map(([type, name]) => `${type} (${name})`).join(', ');
  throw NetringError.config(`interface ${interfaceName} has link type ${linkType}; supported are ${known}`, 'interface');
}
