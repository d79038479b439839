/** What stands on the canvas before the tests drag our nodes beside it. */
import type { FlowNode } from '../support/node-red';

/** A clock, a function that makes a frame of it, and a debug node for what is captured. */
export const FURNITURE: readonly FlowNode[] = [
  { id: 'tab', type: 'tab', label: 'Flow 1' },
  { id: 'clock', type: 'inject', z: 'tab', x: 130, y: 100, props: [], repeat: '0.1', once: true, onceDelay: '0.1', wires: [['frame']] },
  {
    id: 'frame',
    type: 'function',
    z: 'tab',
    x: 290,
    y: 100,
    name: 'make a frame',
    func: `msg.payload = Buffer.alloc(60, 0x5a);
msg.payload.write('ffffffffffff02000000000188b5', 0, 'hex');
return msg;`,
    outputs: 1,
    wires: [[]],
  },
  {
    id: 'shown',
    type: 'debug',
    z: 'tab',
    x: 560,
    y: 200,
    name: '',
    active: true,
    tosidebar: true,
    complete: 'payload',
    targetType: 'msg',
    wires: [],
  },
];

/** Ethertype of the frames that the furniture makes. */
export const ETHERTYPE = 0x88b5;
