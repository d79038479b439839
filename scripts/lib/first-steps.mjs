/** The flow that `npm start` shows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run.mjs';

/**
 * examples/flows/first-steps.json; on a real interface both ends of its cable are that interface, and nothing is sent into it unless `inject` is set.
 */
export function firstSteps({ interface: name, inject }) {
  const flow = JSON.parse(readFileSync(join(root, 'examples', 'flows', 'first-steps.json'), 'utf8'));
  if (name === undefined) return flow;
  for (const node of flow) {
    if (node.type === 'tab') node.env = node.env.map((variable) => ({ ...variable, value: name }));
    if (node.type === 'netring-inject-out' && !inject) node.d = true;
  }
  return flow;
}

/** Ids of the nodes that get the packets of the captures in a flow. */
export const receivers = (flow) => flow.filter((node) => node.type === 'netring-capture-in').flatMap((node) => node.wires[0]);
