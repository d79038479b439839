/**
 * Link-layer header types: what the kernel calls them (ARPHRD_*, in a batch) and what capture files call them (LINKTYPE_*).
 */

import { ARPHRD_ETHER, ARPHRD_IEEE80211, ARPHRD_IEEE80211_RADIOTAP, ARPHRD_LOOPBACK, ARPHRD_NONE } from '../interfaces/link-types';

const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;
const LINKTYPE_IEEE802_11 = 105;
const LINKTYPE_IEEE802_11_RADIOTAP = 127;
/** Reserved for private use: no reader takes the bytes for something they are not. */
const LINKTYPE_USER0 = 147;

/** Beyond the 16 bits of an ARPHRD, so that a file's link type without one stays what it is, and is never taken for Ethernet. */
const FILE_ONLY = 0x1_0000;

const TO_FILE = new Map([
  [ARPHRD_ETHER, LINKTYPE_ETHERNET],
  [ARPHRD_LOOPBACK, LINKTYPE_ETHERNET],
  [ARPHRD_NONE, LINKTYPE_RAW],
  [ARPHRD_IEEE80211, LINKTYPE_IEEE802_11],
  [ARPHRD_IEEE80211_RADIOTAP, LINKTYPE_IEEE802_11_RADIOTAP],
]);

const FROM_FILE = new Map([
  [LINKTYPE_ETHERNET, ARPHRD_ETHER],
  [LINKTYPE_RAW, ARPHRD_NONE],
  [LINKTYPE_IEEE802_11, ARPHRD_IEEE80211],
  [LINKTYPE_IEEE802_11_RADIOTAP, ARPHRD_IEEE80211_RADIOTAP],
]);

/** The LINKTYPE of a batch's link type; LINKTYPE_USER0 for an ARPHRD that files have no counterpart of. */
export function fileLinkType(linkType: number): number {
  return linkType >= FILE_ONLY ? linkType - FILE_ONLY : (TO_FILE.get(linkType) ?? LINKTYPE_USER0);
}

/** A batch's link type for a LINKTYPE: its ARPHRD, or 0x10000 + LINKTYPE when it has none. */
export function batchLinkTypeOf(fileType: number): number {
  return FROM_FILE.get(fileType) ?? FILE_ONLY + fileType;
}
