/** Network namespaces other than that of the process, and how one is named. */
import { NetringError } from './errors';
import type { NativeNamespace } from './native';
import { namespaceProblem } from './options/rules';

/** Where interfaces are looked for. */
export interface NamespaceOptions {
  /** A network namespace: its name (`ip netns`), its path, or the id of a process in it. Needs CAP_SYS_ADMIN. Default: that of this process. */
  netns?: string | number;
}

/** @internal Where the native core finds a checked namespace. */
export function nativeNamespace(netns: string): NativeNamespace {
  return { netns, netnsPath: pathOf(netns) };
}

/** @internal The same of what a caller has given. Throws `NetringError` kind `Config`. */
export function checkNamespace(options: NamespaceOptions): NativeNamespace {
  const { netns = '' } = options;
  if (typeof netns !== 'string' && typeof netns !== 'number')
    throw new TypeError(`netns must be a string or a number, got ${typeof netns}`);
  const problem = netns === '' ? null : namespaceProblem(String(netns), 'netns');
  if (problem !== null) throw NetringError.config(problem, 'netns');
  return nativeNamespace(String(netns));
}

function pathOf(netns: string): string {
  if (netns === '' || netns.startsWith('/')) return netns;
  return /^\d+$/.test(netns) ? `/proc/${netns}/ns/net` : `/run/netns/${netns}`;
}
