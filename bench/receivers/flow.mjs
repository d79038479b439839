/** A Node-RED runtime with the flow capture-in -> function, whose function walks every packet's columns. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve, totals } from './harness.mjs';

const START_TIMEOUT_MS = 20_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const [, , device, options] = process.argv;

// The text of a function node: `walk` of the harness, in the sandbox that users' code runs in.
const body = `
const batch = msg.payload;
const totals = global.get('totals');
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
totals.drops += msg.ring.drops;
`;
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
  { id: 'walk', type: 'function', z: 'tab', func: body, outputs: 0, libs: [], wires: [] },
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
