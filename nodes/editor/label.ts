/** What stands on a node that has no name of its own. */
import { isEnvironment } from './text';

/** The interface; for a `${NAME}` that the node's tab defines, what it is there. */
export function interfaceLabel(node: EditorNode, property = 'interface'): string {
  const saved = typeof node[property] === 'string' ? node[property] : '';
  if (!isEnvironment(saved)) return saved;
  const variables = RED.nodes.workspace(node['z'] as string)?.env ?? [];
  const variable = variables.find((candidate) => candidate.name === saved.slice(2, -1) && candidate.type === 'str');
  return variable?.value || saved;
}

/** Both interfaces of a bridge. */
export function bridgeLabel(node: EditorNode): string {
  const [a, b] = [interfaceLabel(node, 'interfaceA'), interfaceLabel(node, 'interfaceB')];
  return a === '' || b === '' ? a || b : `${a} ⇄ ${b}`;
}
