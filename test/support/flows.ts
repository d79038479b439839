/** Flows for the real Node-RED. Functions of a flow keep what they find in the global context; HTTP nodes hand it out. */
import type { NodeRed, FlowNode } from './node-red';

export const TAB: FlowNode = { id: 'tab', type: 'tab', label: 'test' };

export function node(id: string, type: string, properties: Record<string, unknown>, ...wires: string[][]): FlowNode {
  return { id, type, z: 'tab', x: 100, y: 100, name: id, ...properties, wires };
}

export function func(id: string, code: string, ...wires: string[][]): FlowNode {
  return node(
    id,
    'function',
    { func: code, outputs: wires.length, timeout: 0, noerr: 0, initialize: '', finalize: '', libs: [] },
    ...wires,
  );
}

/** An HTTP address that answers with what a function makes of the request. */
export function endpoint(path: string, code: string): FlowNode[] {
  return [
    node(`${path}-in`, 'http in', { url: `/${path}`, method: 'get' }, [`${path}-code`]),
    func(`${path}-code`, `msg.payload = (() => { ${code} })(); return msg;`, [`${path}-out`]),
    node(`${path}-out`, 'http response', { statusCode: '', headers: {} }),
  ];
}

export async function ask<T>(red: NodeRed, path: string): Promise<T> {
  return (await (await red.request(`/${path}`)).json()) as T;
}
