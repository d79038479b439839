/** The network interfaces of a namespace. Those of the process's own need no privilege. */
import { constants } from 'node:os';
import { NetringError } from './errors';
import { native, type NativeInterface } from './native';
import { checkNamespace, nativeNamespace, type NamespaceOptions } from './network-namespace';

/** One interface: its index, MTU in bytes, speed in Mbit/s (0 unknown), receive queues, and what goes through it. */
export interface InterfaceInfo extends NativeInterface {
  /** Administratively up and with a carrier: frames can pass. */
  up: boolean;
  loopback: boolean;
}

const IFF_UP = 1 << 0;
const IFF_LOOPBACK = 1 << 3;

/**
 * All interfaces, in the kernel's order. Throws `NetringError`: `Io` when the kernel refuses to tell, `InterfaceNotFound` / `PermissionDenied` for a
 * namespace that is not there or may not be entered.
 */
export function interfaces(options: NamespaceOptions = {}): InterfaceInfo[] {
  return native()
    .interfaces(nativeNamespace(checkNamespace(options.netns ?? '')))
    .map((entry) => ({
      ...entry,
      up: (entry.flags & IFF_UP) !== 0 && entry.carrier,
      loopback: (entry.flags & IFF_LOOPBACK) !== 0,
    }));
}

/** The interface of that name. Throws `NetringError` kind `InterfaceNotFound`. */
export function interfaceInfo(name: string, options: NamespaceOptions = {}): InterfaceInfo {
  if (typeof name !== 'string') throw new TypeError(`the interface name must be a string, got ${typeof name}`);
  const found = interfaces(options).find((entry) => entry.name === name);
  if (found === undefined)
    throw NetringError.fromNative({
      errno: constants.errno.ENODEV,
      step: 'if_nametoindex',
      interface: name,
      detail: String(options.netns ?? ''),
    });
  return found;
}
