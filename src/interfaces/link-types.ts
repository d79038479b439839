/** Link types (ARPHRD_* of linux/if_arp.h) whose frames a capture can hand out. */
import { NetringError } from '../errors/errors';

/** @internal */
export const ARPHRD_ETHER = 1;
/** @internal */
export const ARPHRD_LOOPBACK = 772;
/** @internal */
export const ARPHRD_IEEE80211 = 801;
/** @internal */
export const ARPHRD_IEEE80211_RADIOTAP = 803;
/** @internal Of tun, whose frames begin with an IP header. */
export const ARPHRD_NONE = 65534;

const NAMES: ReadonlyMap<number, string> = new Map([
  [ARPHRD_ETHER, 'Ethernet'],
  [ARPHRD_LOOPBACK, 'loopback'],
  [ARPHRD_IEEE80211, 'IEEE 802.11'],
  [ARPHRD_IEEE80211_RADIOTAP, 'IEEE 802.11 with radiotap'],
  [ARPHRD_NONE, 'raw IP'],
]);

/** @internal Whether frames of the link begin with an Ethernet header. */
export function isEthernet(linkType: number): boolean {
  return linkType === ARPHRD_ETHER || linkType === ARPHRD_LOOPBACK;
}

/** @internal Throws Config unless frames of the link begin with an Ethernet header. `use` says what works there only. */
export function assertEthernet(linkType: number, interfaceName: string, use: string): void {
  if (isEthernet(linkType)) return;
  throw NetringError.config(
    `interface ${interfaceName} has link type ${linkType}; ${use} ${ARPHRD_ETHER} (Ethernet) and ${ARPHRD_LOOPBACK} (loopback)`,
    'interface',
  );
}

/** @internal Throws Config for a link type whose frames nothing here could make sense of. */
export function assertLinkType(linkType: number, interfaceName: string): void {
  if (NAMES.has(linkType)) return;
  const known = [...NAMES].map(([type, name]) => `${type} (${name})`).join(', ');
  throw NetringError.config(`interface ${interfaceName} has link type ${linkType}; supported are ${known}`, 'interface');
}
