/** Skips that say why. The runner lists them, and with CI=true counts them as failures. */
import { readFileSync } from 'node:fs';
import type { Context } from 'mocha';

interface Skippable {
  netringSkipReason?: string;
  type?: string;
  parent?: Skippable;
}

/** Skips the test, or from a `before` hook the whole suite: `skip(this, 'no /dev/kvm here')`. Does not return. */
export function skip(context: Context, reason: string): never {
  const runnable = context.runnable() as unknown as Skippable;
  const owner = runnable.type === 'hook' ? runnable.parent : runnable;
  if (owner !== undefined) owner.netringSkipReason = reason;
  return context.skip();
}

/** Skips where no eBPF program can be loaded: that wants root of the machine, not of a user namespace. */
export function needsEbpf(context: Context, programs = 'eBPF'): void {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  if (inside !== '0' || outside !== '0' || count !== '4294967295') skip(context, `${programs} programs want root of the machine`);
}

export const needsXdp = (context: Context): void => needsEbpf(context, 'XDP');
