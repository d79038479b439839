/** Skips that say why. The runner lists them, and with CI=true counts them as failures. */
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
