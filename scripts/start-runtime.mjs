/**
 * The Node-RED of `npm start`, started by scripts/start.mjs with a channel to it: node start-runtime.mjs USER_DIR SOCKET
 *
 * Tells `{ started: true }` when the flows run, and `{ captured: n }` with the number of packets that reached the flow so far.
 */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { receivers } from './lib/first-steps.mjs';

const [userDir, socket] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const RED = require('node-red');
// Node-RED brings its own; a second express in the package would be one more thing to keep.
const express = createRequire(require.resolve('node-red'))('express');

/** What a first start in an empty folder always says. */
const EXPECTED = /^(Projects disabled|Encrypted credentials not found)/;

function print({ msg, type, name, id }) {
  const text = String(msg?.message ?? msg);
  if (!EXPECTED.test(text)) console.error(id === undefined ? text : `${type} ${name ?? id}: ${text}`);
}

const app = express();
const server = createServer(app);
RED.init(server, {
  userDir,
  flowFile: 'flows.json',
  credentialSecret: 'npm start',
  httpAdminRoot: '/',
  httpNodeRoot: '/',
  logging: { console: { level: 'off' }, terminal: { level: 'warn', metrics: false, audit: false, handler: () => print } },
  telemetry: { enabled: false, updateNotification: false },
  editorTheme: { page: { title: 'netring' }, tours: false, palette: { catalogues: [] }, projects: { enabled: false } },
});
app.use('/', RED.httpAdmin);
app.use('/', RED.httpNode);

/** Nodes that get captured packets. */
const wanted = new Set(receivers(JSON.parse(readFileSync(join(userDir, 'flows.json'), 'utf8'))));
let captured = 0;
RED.hooks.add('onReceive.netring', ({ msg, destination }) => {
  if (wanted.has(destination.id)) process.send?.({ captured: (captured += msg.payload.length) });
});

let stopping = false;
async function stop() {
  if (stopping) return;
  stopping = true;
  await RED.stop();
  process.exit(0);
}
// Ctrl-C reaches this process too; without its parent it has nobody to talk to.
for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.on(event, stop);

RED.events.once('flows:started', () => process.send?.({ started: true }));
server.listen(socket);
await RED.start();
