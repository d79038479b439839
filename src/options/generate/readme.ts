/** The tables of options in README.md. */
import { PROFILE_FIELDS, RING_PROFILES } from '../profiles';
import { OPTION_TABLE, type OptionGroup, type OptionRow } from '../table';
import { ruleOf, shownDefault, shownValue } from './words';

/** Replaces what stands between `<!-- netring:options X -->` and `<!-- /netring:options -->`; X is a group of the table or `profiles`. */
export function renderReadme(markdown: string): string {
  return markdown.replace(
    /(<!-- netring:options ([\w-]+) -->\n)[^]*?(<!-- \/netring:options -->)/g,
    (_whole, open: string, name: string, close: string) => {
      return `${open}\n${tableOf(name)}\n\n${close}`;
    },
  );
}

function tableOf(name: string): string {
  if (name === 'profiles') return profiles();
  if (!(name in OPTION_TABLE)) throw new Error(`README.md asks for the options of "${name}", which the table of options does not have`);
  const group = name as OptionGroup;
  if (group === 'capture' || group === 'injector' || group === 'bridge' || group === 'xdp') return builderOptions(group);
  return table(
    ['property', 'value', 'default', 'what it does'],
    OPTION_TABLE[group].map((row) => [code(row.name), valueOf(row), code(shownValue(row.default)), row.doc]),
  );
}

function builderOptions(group: 'capture' | 'injector' | 'bridge' | 'xdp'): string {
  const rows = OPTION_TABLE[group];
  return table(
    ['option', 'setter', 'value', 'default', 'what it does'],
    rows.map((row) => [code(row.name), setterOf(row, rows), valueOf(row), defaultOf(row), row.doc]),
  );
}

function setterOf(row: OptionRow, rows: readonly OptionRow[]): string {
  if (row.type === 'filter') return `${code(`${row.name}(text)`)}, ${code(`${row.setter}(instructions)`)}`;
  const setter = row.setter ?? row.name;
  const parameters = rows.filter((other) => (other.setter ?? other.name) === setter).map((other) => other.argument ?? other.name);
  return code(`${setter}(${row.type === 'choices' ? '...' : ''}${parameters.join(', ')})`);
}

function valueOf(row: OptionRow): string {
  const type = row.values === undefined ? row.type : row.values.map(code).join(', ');
  const kinds: Partial<Record<OptionRow['type'], string>> = {
    choices: `any of ${type}`,
    interface: 'text',
    namespace: 'text or integer',
    queue: 'integer or `all`',
  };
  const kind = kinds[row.type] ?? type;
  return [row.unit === undefined ? kind : `${kind}, ${row.unit}`, ruleOf(row)].filter(Boolean).join('; ');
}

function defaultOf(row: OptionRow): string {
  if (row.type === 'interface') return shownDefault(row);
  return row.nodeDefault === undefined
    ? code(shownValue(row.default))
    : `${code(shownValue(row.default))}, nodes ${code(shownValue(row.nodeDefault))}`;
}

function profiles(): string {
  return table(
    ['profile', ...PROFILE_FIELDS, 'ring'],
    Object.entries(RING_PROFILES).map(([name, geometry]) => [
      code(name),
      ...PROFILE_FIELDS.map((field) => String(geometry[field])),
      `${(geometry.blockSize * geometry.blockCount) / 2 ** 20} MiB`,
    ]),
  );
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A table as prettier leaves it, so that formatting the README changes nothing. */
function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const lines = [head, ...body].map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...lines.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(lines[0] ?? []), rule, ...lines.slice(1).map(line)].join('\n');
}
