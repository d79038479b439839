/** The loads that ask for what the kernel knows of a packet besides its bytes. */
import { type FilterContext } from './filter-context';
import { SKF_AD } from './opcodes';

const PRESENT = 1;

/** The value at `SKF_AD_OFF + which`; -1 where the kernel has none. Netlink attributes are found in no frame: 0. */
export function ancillary(which: number, context: FilterContext): number {
  switch (which) {
    case SKF_AD.protocol:
      return (context.protocol ?? 0) >>> 0;
    case SKF_AD.packetType:
      return (context.packetType ?? 0) >>> 0;
    case SKF_AD.interfaceIndex:
      return (context.interfaceIndex ?? 0) >>> 0;
    case SKF_AD.netlinkAttribute:
    case SKF_AD.netlinkNested:
      return 0;
    case SKF_AD.mark:
      return (context.mark ?? 0) >>> 0;
    case SKF_AD.queue:
      return (context.queue ?? 0) >>> 0;
    case SKF_AD.hardwareType:
      return (context.hardwareType ?? 0) >>> 0;
    case SKF_AD.rxhash:
      return (context.rxhash ?? 0) >>> 0;
    case SKF_AD.cpu:
      return (context.cpu ?? 0) >>> 0;
    case SKF_AD.vlanTag:
      return (context.vlan?.tci ?? 0) >>> 0;
    case SKF_AD.vlanTagPresent:
      return context.vlan === undefined || context.vlan === null ? 0 : PRESENT;
    case SKF_AD.payloadOffset:
      return (context.payloadOffset ?? 0) >>> 0;
    case SKF_AD.random:
      return (context.random ?? 0) >>> 0;
    case SKF_AD.vlanTpid:
      return (context.vlan?.tpid ?? 0) >>> 0;
    default:
      return -1;
  }
}
