/** From the properties of a node in a flow to the options of its builder. Flow JSON holds what the editor's fields hold: mostly text. */
import { NetringError } from '../errors/errors';
import type {
  BridgeNodeSettings,
  BridgeOptions,
  CaptureInSettings,
  CaptureOptions,
  InjectorOptions,
  InjectOutSettings,
  XdpNodeSettings,
  XdpOptions,
} from './generated/builders';
import { unknownOption } from './known-options';
import { EDITOR_PAGE_SIZE } from './rules';
import { FLOW_SCHEMA, NODE_GROUPS, OPTION_TABLE, type NodeName, type OptionRow } from './table';
import { resolveGroup } from './validate';

export interface FlowSettings<Options, Own> {
  /** What the node's builder takes. */
  readonly options: Options;
  /** The node's own properties, checked, with defaults. */
  readonly node: Own;
}

/** Properties that Node-RED itself gives to nodes, those of one letter and those that begin with `_` aside. */
const NODE_RED_PROPERTIES = 'id type name info wires inputs outputs inputLabels outputLabels icon credentials schema env'.split(' ');

/** Raises a flow of an older schema by one version: `MIGRATIONS[0]` takes version 1 to 2. */
const MIGRATIONS: readonly ((config: Record<string, unknown>) => Record<string, unknown>)[] = [];

/**
 * Reads a node's properties. Empty and missing ones take the node's default, then the library's; so does an environment variable that is
 * not set, but one that holds a name of an interface. Throws `NetringError` kind `Config`, which names option, value and rule; all of the builder's rules
 * but the page size are checked.
 */
export function settingsFromFlow(node: 'capture-in', config: Record<string, unknown>): FlowSettings<CaptureOptions, CaptureInSettings>;
export function settingsFromFlow(node: 'inject-out', config: Record<string, unknown>): FlowSettings<InjectorOptions, InjectOutSettings>;
export function settingsFromFlow(node: 'bridge', config: Record<string, unknown>): FlowSettings<BridgeOptions, BridgeNodeSettings>;
export function settingsFromFlow(node: 'xdp', config: Record<string, unknown>): FlowSettings<XdpOptions, XdpNodeSettings>;
export function settingsFromFlow(node: NodeName, config: Record<string, unknown>): FlowSettings<object, object> {
  const properties = migrate(config);
  const [builder, own] = NODE_GROUPS[node];
  const rows = [...OPTION_TABLE[builder], ...OPTION_TABLE[own]];
  for (const name of Object.keys(properties)) {
    const isNodeRed = name.length === 1 || name.startsWith('_') || NODE_RED_PROPERTIES.includes(name);
    if (!isNodeRed && !rows.some((row) => row.name === name)) throw unknownOption(name, rows);
  }
  const options = readRows(OPTION_TABLE[builder], properties);
  resolveGroup(builder, options, EDITOR_PAGE_SIZE);
  return { options, node: resolveGroup(own, readRows(OPTION_TABLE[own], properties), EDITOR_PAGE_SIZE).settings };
}

function migrate(config: Record<string, unknown>): Record<string, unknown> {
  const version = Number(config['schema'] ?? 1);
  if (!(version >= 1 && version <= FLOW_SCHEMA && version % 1 === 0))
    throw NetringError.config(`schema ${String(config['schema'])} is not one this version knows (1 to ${FLOW_SCHEMA})`, 'schema');
  return MIGRATIONS.slice(version - 1).reduce((older, up) => up(older), config);
}

function readRows(rows: readonly OptionRow[], properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const row of rows) {
    const value = readValue(row, properties[row.name]);
    if (value !== undefined) options[row.name] = value;
  }
  return options;
}

function readValue(row: OptionRow, given: unknown): unknown {
  const text = typeof given === 'string' ? given.trim() : given;
  // Node-RED leaves ${NAME} as it is when the environment has no NAME, or an empty one.
  const [, braces, parentheses] = /^\$(?:\{(\S+)\}|\((\S+)\))$/.exec(typeof text === 'string' ? text : '') ?? [];
  const unset = braces ?? parentheses;
  if (unset !== undefined && row.type === 'interface')
    throw NetringError.config(`${row.name} is required, and the environment variable ${unset} is not set`, row.name);
  if (text === undefined || text === null || text === '' || unset !== undefined) return row.nodeDefault;
  if (typeof text !== 'string') return text;
  switch (row.type) {
    case 'integer':
    case 'number':
    case 'queue':
      return Number.isNaN(Number(text)) ? text : Number(text);
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'choices':
      return text.split(',').map((item) => item.trim());
    default:
      return text;
  }
}
