/** What stands on a node that has no name of its own. */
import { isEnvironment } from './text';

/** The interface; for a `${NAME}` that the node's tab defines, what it is there. */
export function interfaceLabel(node: EditorNode): string {
  const saved = typeof node['interface'] === 'string' ? node['interface'] : '';
  if (!isEnvironment(saved)) return saved;
  const variables = RED.nodes.workspace(node['z'] as string)?.env ?? [];
  const variable = variables.find((candidate) => candidate.name === saved.slice(2, -1) && candidate.type === 'str');
  return variable?.value || saved;
}
