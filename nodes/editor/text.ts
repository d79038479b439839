/** Numbers and names as a panel shows them. */

/** `${NAME}`, which Node-RED replaces at run time when it is the whole value. */
export const isEnvironment = (value: string): boolean => /^\$\{[^}]+\}$/.test(value);

/** A text of the node's own catalogue. */
export const textOf = (node: EditorNode, key: string, values?: Record<string, unknown>): string =>
  node._(`${String(node['type']).replace('netring-', '')}.${key}`, values);

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 262144 -> "256 KiB". At most one decimal. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))} ${UNITS[unit] ?? ''}`;
}

/** 2500 -> "2.5 Gb/s"; megabits per second. */
export function speedText(megabits: number): string {
  return megabits >= 1000 ? `${Number((megabits / 1000).toFixed(1))} Gb/s` : `${megabits} Mb/s`;
}
