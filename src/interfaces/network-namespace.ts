/** Network namespaces other than that of the process, and how one is named. */
import { NetringError } from '../errors/errors';
import type { NativeNamespace } from '../native';
import type { NamesOf } from '../options/known-options';
import { fill, namespaceProblem } from '../options/rules';

/** Where interfaces are looked for. */
export interface NamespaceOptions {
  /** A network namespace: its name (`ip netns`), its path, or the id of a process in it. Needs CAP_SYS_ADMIN. Default: that of this process. */
  netns?: string | number;
}

/** @internal */
export const NAMESPACE_OPTIONS: NamesOf<NamespaceOptions> = { netns: true };

/** @internal Where the native core finds a checked namespace. */
export function nativeNamespace(netns: string): NativeNamespace {
  return { netns, netnsPath: pathOf(netns) };
}

/** @internal What names a namespace, as text. Throws `NetringError` kind `Config`. */
export function checkNamespace(netns: unknown): string {
  if (netns === '') return netns;
  if (typeof netns !== 'string' && !(Number.isInteger(netns) && Number(netns) > 0))
    throw NetringError.config(`netns ${fill('{netns}', { netns })} is neither a string nor the id of a process`, 'netns');
  const problem = namespaceProblem(String(netns), 'netns');
  if (problem !== null) throw NetringError.config(problem, 'netns');
  return String(netns);
}

function pathOf(netns: string): string {
  if (netns === '' || netns.startsWith('/')) return netns;
  return /^\d+$/.test(netns) ? `/proc/${netns}/ns/net` : `/run/netns/${netns}`;
}
