/** The part of a node's editor that follows from the table of options. */
import { COMBINATIONS } from '../combinations';
import type { OptionValue } from '../rules';
import { FLOW_SCHEMA, NODE_GROUPS, OPTION_TABLE, type NodeName, type OptionRow } from '../table';
import { renderValidator } from './validators';

const DEFAULTS_MARKER = /\/\*netring:defaults\*\/,?/;

/** Fills the marker of nodes/<node>.html: the comment `netring:defaults` stands for a property of the object given to registerType. */
export function renderPanel(node: string, html: string): string {
  if (!(node in NODE_GROUPS)) throw new Error(`nodes/${node}.html: the table of options has no node "${node}"`);
  const name = node as NodeName;
  if (!DEFAULTS_MARKER.test(html)) throw new Error(`nodes/${node}.html: the marker /*netring:defaults*/ is missing`);
  return html.replace(DEFAULTS_MARKER, () => `${renderDefaults(name)},`);
}

function rowsOf(node: NodeName): OptionRow[] {
  return NODE_GROUPS[node].flatMap((group) => OPTION_TABLE[group]);
}

function renderDefaults(node: NodeName): string {
  const rows = rowsOf(node);
  const combinations = NODE_GROUPS[node].flatMap((group) => COMBINATIONS[group]).filter(({ warns }) => !warns);
  const properties = [
    `name: { value: '' }`,
    `schema: { value: ${FLOW_SCHEMA} }`,
    // Node-RED draws an input for a node whose `inputs` is 1: the panel sets it with `control`.
    ...(rows.some(({ name }) => name === 'control') ? ['inputs: { value: 0 }'] : []),
    ...rows.map((row) => {
      const value = `value: ${JSON.stringify(initialValue(row))}${row.type === 'interface' ? ', required: true' : ''}`;
      const concerned = combinations.filter(({ option }) => option === row.name);
      const validator = renderValidator(row, concerned, rows);
      return validator === null ? `${row.name}: { ${value} }` : `${row.name}: {\n${indent(`${value},\nvalidate: ${validator}`)}\n}`;
    }),
  ];
  return `defaults: {\n${properties.map(indent).join(',\n')}\n}`;
}

/** What a new node has. Numbers start blank: the default then follows the version that runs the flow. */
function initialValue(row: OptionRow): OptionValue {
  const value = row.nodeDefault ?? row.default;
  return typeof value === 'string' || typeof value === 'boolean' ? value : '';
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
