import { type VlanTag } from '../batches/batch';

/** What a program can ask besides the bytes of the frame. What is not given is 0, as it is for a frame about which the kernel knows nothing. */
export interface FilterContext {
  /** Length on the wire, in bytes, when the frame was cut; the number of its bytes by default. Loads never go beyond the bytes. */
  length?: number;
  /** The VLAN tag that the kernel took out of the frame. A tag that stands in the bytes does not belong here. */
  vlan?: VlanTag | null;
  /** PACKET_HOST 0, PACKET_BROADCAST 1, PACKET_MULTICAST 2, PACKET_OTHERHOST 3, PACKET_OUTGOING 4. */
  packetType?: number;
  /** EtherType. */
  protocol?: number;
  interfaceIndex?: number;
  /** ARPHRD_*. */
  hardwareType?: number;
  mark?: number;
  queue?: number;
  rxhash?: number;
  cpu?: number;
  /** Offset of what follows the headers that the kernel's flow dissector knows. */
  payloadOffset?: number;
  /** 32 bits for `ld rand`. */
  random?: number;
}
