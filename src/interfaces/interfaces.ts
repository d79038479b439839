/** The network interfaces of a namespace. Those of the process's own need no privilege. */
import { constants } from 'node:os';
import { NetringError } from '../errors/errors';
import { native, type NativeInterface } from '../native';
import { knownOptions } from '../options/known-options';
import { checkNamespace, NAMESPACE_OPTIONS, nativeNamespace, type NamespaceOptions } from './network-namespace';

/** RFC 2863; linux/if.h numbers them in this order. */
const OPER_STATES = ['unknown', 'not-present', 'down', 'lower-layer-down', 'testing', 'dormant', 'up'] as const;
/**
 * What the driver says of the link (RFC 2863 `ifOperStatus`, IF_OPER_* of linux/if.h).
 * @useDeclaredType
 */
export type OperState = (typeof OPER_STATES)[number];

/** One interface: its index, MTU in bytes, speed in Mbit/s (0 unknown), queues, and what goes through it. */
export interface InterfaceInfo extends Omit<NativeInterface, 'operState'> {
  /** What the driver says of the link. Many that never say are `unknown` and work: `up` and `carrier` count. */
  operState: OperState;
  /** The bits of `flags` that are set, by name: `up`, `broadcast`, `running`, `lower-up`. */
  flagNames: string[];
  /** Administratively up and with a carrier: frames can pass. */
  up: boolean;
  /** A capture on it sees every frame once: the copy of the sender's side is left out. */
  loopback: boolean;
}

/** IFF_* of linux/if.h, from bit 0 on. */
const FLAGS = (
  'up broadcast debug loopback point-to-point no-trailers running no-arp promiscuous all-multicast ' +
  'master slave multicast port-select auto-media dynamic lower-up dormant echo'
).split(' ');
const IFF_UP = 1 << 0;
const IFF_LOOPBACK = 1 << 3;

/**
 * All interfaces, in the kernel's order. Throws `NetringError`: `Config` for a bad option, `Io` when the kernel refuses to tell, `InterfaceNotFound` / `PermissionDenied` for a
 * namespace that is not there or may not be entered.
 *
 * @example What there is to open
 * ```ts
 * import { interfaces } from '@netring/node-red';
 *
 * for (const { name, up, mtu, addresses } of interfaces()) console.log(name, up ? 'up' : 'down', mtu, addresses.join(' '));
 * ```
 */
export function interfaces(options: NamespaceOptions = {}): InterfaceInfo[] {
  const { netns = '' } = knownOptions(options, NAMESPACE_OPTIONS);
  return native()
    .interfaces(nativeNamespace(checkNamespace(netns)))
    .map((entry) => ({
      ...entry,
      operState: OPER_STATES[entry.operState] ?? 'unknown',
      flagNames: FLAGS.filter((_, bit) => (entry.flags & (1 << bit)) !== 0),
      up: (entry.flags & IFF_UP) !== 0 && entry.carrier,
      loopback: (entry.flags & IFF_LOOPBACK) !== 0,
    }));
}

/**
 * The interface of that name, or of that alternative name. Throws `NetringError` kind `InterfaceNotFound`.
 *
 * Throws TypeError for a name that is no string, else as `interfaces`.
 *
 * @example Joined segments, which a capture would see as they are
 * ```ts
 * import { interfaceInfo } from '@netring/node-red';
 *
 * const { up, speed, driver, offloads } = interfaceInfo('eth0');
 * console.log(up, `${speed} Mbit/s`, driver);
 * if (offloads.genericReceive) console.log('ethtool -K eth0 gro off shows frames as they were on the wire');
 * ```
 */
export function interfaceInfo(name: string, options: NamespaceOptions = {}): InterfaceInfo {
  if (typeof name !== 'string') throw new TypeError(`the interface name must be a string, got ${typeof name}`);
  const all = interfaces(options);
  // A name that is both is that of the first, as to the kernel.
  const found = all.find((entry) => entry.name === name) ?? all.find(({ altNames }) => altNames.includes(name));
  if (found === undefined)
    throw NetringError.fromNative({
      errno: constants.errno.ENODEV,
      step: 'if_nametoindex',
      interface: name,
      detail: String(options.netns ?? ''),
    });
  return found;
}
