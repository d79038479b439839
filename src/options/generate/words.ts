/** The table of options in words, for documentation. */
import type { OptionValue } from '../rules';
import type { OptionGroup, OptionRow } from '../table';

export const WHAT: Readonly<Record<OptionGroup, string>> = {
  capture: 'a capture',
  injector: 'an injector',
  bridge: 'a bridge',
  xdp: 'an AF_XDP socket',
  'capture-in': 'a capture-in node beside those of its capture',
  'inject-out': 'an inject-out node beside those of its injector',
  'bridge-node': 'a bridge node beside those of its bridge',
  'xdp-node': 'an xdp node beside those of its socket',
};

/** The rule of an option, without what its type says: that a size is not negative, and that an int ends somewhere. */
export function ruleOf(row: OptionRow): string {
  return (row.limits ?? [])
    .filter(({ kind, bound }) => !(kind === 'atLeast' && bound === 0) && !(kind === 'atMost' && Number(bound) >= 2 ** 30))
    .map(({ bound, says }) => says.replace('{bound}', String(bound)))
    .join(', ');
}

export function shownDefault(row: OptionRow): string {
  return row.type === 'interface' ? 'none, it is required' : shownValue(row.default);
}

export function shownValue(value: OptionValue): string {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return 'none';
  return String(value);
}
