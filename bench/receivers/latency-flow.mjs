/** How old packets are when the function of a Node-RED flow capture-in -> function has them. */
import { note, serveAges } from '../lib/ages.mjs';
import { startNodeRed } from '../lib/node-red.mjs';

const [, , device, options] = process.argv;
const flow = [
  { id: 'tab', type: 'tab', label: 'bench' },
  {
    id: 'capture',
    type: 'netring-capture-in',
    z: 'tab',
    schema: 1,
    interface: device,
    output: 'batch',
    ...JSON.parse(options),
    wires: [['age'], []],
  },
  {
    id: 'age',
    type: 'function',
    z: 'tab',
    initialize: '',
    func: `global.get('note')(msg.payload, msg.ring.drops);`,
    outputs: 0,
    libs: [],
    wires: [],
  },
];

let drops = 0;
const seen = (batch, lost) => {
  note(batch);
  drops += lost;
};
await startNodeRed(flow, 'capture', { note: seen });
serveAges(() => drops);
