/** Interfaces as the kernel tells of them. */

/** What the card or the kernel does to frames before a capture sees them. */
export interface InterfaceOffloads {
  /** The card takes VLAN tags out (rx-vlan-offload); a capture puts them in again, AF_XDP never sees them. */
  vlanStripping: boolean;
  /** The card joins segments (large-receive-offload): frames longer than the MTU arrive. */
  largeReceive: boolean;
  /** The kernel does (generic-receive-offload). */
  genericReceive: boolean;
  /** Segments leave the stack joined (generic-segmentation-offload): a capture sees them so. */
  genericSegmentation: boolean;
  /** As `genericSegmentation`, for TCP by the card (tcp-segmentation-offload). */
  tcpSegmentation: boolean;
  /** The card checks checksums (rx-checksumming). */
  receiveChecksum: boolean;
  /** The card completes checksums (tx-checksumming): what this machine sends is captured with unfinished ones. */
  sendChecksum: boolean;
}

/** One interface of the network namespace that was asked for. */
export interface NativeInterface {
  /** Name, at most 15 bytes. */
  name: string;
  /** Its other names, which systemd gives to many cards. Those of at most 15 bytes open it as well. */
  altNames: string[];
  /** Index by which the kernel knows it in its namespace. */
  index: number;
  /** Most bytes of a frame behind its link-layer header: 1500 for Ethernet as a rule. */
  mtu: number;
  /** IFF_* bits. */
  flags: number;
  /** ARPHRD_*. */
  linkType: number;
  /** Link-layer address, lower-case hexadecimal with colons; empty when it has none. */
  address: string;
  /** The driver sees a link (IFF_LOWER_UP). */
  carrier: boolean;
  /** IF_OPER_* of linux/if.h. */
  operState: number;
  /** Receive queues in use, at least 1. */
  queues: number;
  /** Send queues in use, at least 1. */
  sendQueues: number;
  /** Queues that are both, with one interrupt; counted in both numbers above. 0 when the driver does not say. */
  combinedQueues: number;
  /** Mbit/s, 0 when unknown. */
  speed: number;
  /** Name of the kernel driver, empty when unknown. */
  driver: string;
  /** As `ethtool -k` tells them. */
  offloads: InterfaceOffloads;
  /** IPv4 and IPv6 with prefix length: `192.0.2.1/24`, `fe80::1/64`. */
  addresses: string[];
  /** An IPv4 or IPv6 default route leaves through it. */
  defaultRoute: boolean;
}
