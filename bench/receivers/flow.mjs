/**
 * A Node-RED runtime with the flow capture-in -> function. The function walks every packet: its columns (`columns`), or 14 bytes of it as all
 * the other readers do (`bytes`).
 */
import { startNodeRed } from '../lib/node-red.mjs';
import { serve, totals } from './harness.mjs';

const [, , device, options, way] = process.argv;

// Node-RED evaluates the text of a function node anew for every message, so its loops never reach the optimising compiler: 14 bytes of every packet
// take a microsecond there. A function that is made once, in "On Start", is compiled like any other; hence the two ways to write it.
const functions = {
  columns: {
    initialize: '',
    func: `
const batch = msg.payload;
const totals = global.get('totals');
let captured = 0;
let stamps = 0;
let statuses = 0;
for (let i = 0; i < batch.length; i++) {
  captured += batch.lengthAt(i);
  stamps += batch.timestampAt(i).nsec;
  statuses |= batch.statusAt(i);
}
totals.packets += batch.length;
totals.bytes += captured;
totals.sum += stamps + statuses;
totals.drops += msg.ring.drops;
`,
  },
  bytes: {
    initialize: `
context.set('walk', (batch, totals) => {
  const { bytes, length } = batch;
  let sum = 0;
  let captured = 0;
  for (let i = 0; i < length; i++) {
    const at = batch.offsetAt(i);
    for (let k = at; k < at + 14; k++) sum += bytes[k];
    captured += batch.lengthAt(i);
  }
  totals.packets += length;
  totals.bytes += captured;
  totals.sum += sum;
});
`,
    func: `
const totals = global.get('totals');
context.get('walk')(msg.payload, totals);
totals.drops += msg.ring.drops;
`,
  },
};
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
    wires: [['walk'], []],
  },
  { id: 'walk', type: 'function', z: 'tab', ...functions[way], outputs: 0, libs: [], wires: [] },
];

const counters = Object.assign(totals, { drops: 0 });
await startNodeRed(flow, 'capture', { totals: counters });
serve({ drops: () => counters.drops });
