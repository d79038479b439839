import { type VlanTag } from '../batches/batch';

/** What a program can ask besides the bytes of the frame. What is not given is 0, as it is for a frame about which the kernel knows nothing. */
export interface FilterContext {
  /** Length on the wire, in bytes, when the frame was cut; the number of its bytes by default. Loads never go beyond the bytes. */
  length?: number;
  /** Where the network header begins, in bytes: 14 by default. Behind it are the loads of `[net + k]`. */
  networkOffset?: number;
  /** The VLAN tag that the kernel took out of the frame. A tag that stands in the bytes does not belong here. */
  vlan?: VlanTag | null;
  /** PACKET_HOST 0, PACKET_BROADCAST 1, PACKET_MULTICAST 2, PACKET_OTHERHOST 3, PACKET_OUTGOING 4. */
  packetType?: number;
  /** EtherType. */
  protocol?: number;
  /** Index of the interface, as `InterfaceInfo.index`. */
  interfaceIndex?: number;
  /** ARPHRD_*. */
  hardwareType?: number;
  /** `skb->mark`, which a firewall may have set. */
  mark?: number;
  /** Receive queue, as the kernel maps it (`skb->queue_mapping`). */
  queue?: number;
  /** The kernel's flow hash. */
  rxhash?: number;
  /** Number of the processor on which the program runs. */
  cpu?: number;
  /** Offset of what follows the headers that the kernel's flow dissector knows. */
  payloadOffset?: number;
  /** 32 bits for `ld rand`. */
  random?: number;
}
