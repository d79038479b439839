/**
 * A Node-RED runtime with the flow capture-in -> function. The function walks every packet: its columns (`columns`), or 14 bytes of it as all
 * the other readers do (`bytes`).
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve, totals } from './harness.mjs';

const START_TIMEOUT_MS = 20_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
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

const userDir = mkdtempSync(join(tmpdir(), 'netring-bench-'));
process.on('exit', () => rmSync(userDir, { recursive: true, force: true }));
mkdirSync(join(userDir, 'node_modules', '@netring'), { recursive: true });
symlinkSync(root, join(userDir, 'node_modules', '@netring', 'node-red'));
writeFileSync(join(userDir, 'package.json'), JSON.stringify({ dependencies: { '@netring/node-red': '*' } }));
writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flow));

const counters = Object.assign(totals, { drops: 0 });
const RED = createRequire(import.meta.url)('node-red');
RED.init(createServer(), {
  userDir,
  flowFile: 'flows.json',
  httpAdminRoot: false,
  httpNodeRoot: false,
  functionGlobalContext: { totals: counters },
  logging: { console: { level: 'error' } },
  telemetry: { enabled: false, updateNotification: false },
});
await new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`capture-in is not up after ${START_TIMEOUT_MS / 1000} s`)), START_TIMEOUT_MS);
  RED.events.on('node-status', ({ id, status }) => {
    if (id !== 'capture' || status.fill !== 'green') return;
    clearTimeout(timer);
    resolve();
  });
  RED.start().catch(reject);
});
serve({ drops: () => counters.drops });
