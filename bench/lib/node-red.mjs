/** A Node-RED runtime in this process, with one flow. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT_MS = 20_000;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Resolves when the node `id` has a green status. `globals` are the functions' global context. */
export async function startNodeRed(flow, id, globals = {}) {
  const userDir = mkdtempSync(join(tmpdir(), 'netring-bench-'));
  process.on('exit', () => rmSync(userDir, { recursive: true, force: true }));
  mkdirSync(join(userDir, 'node_modules', '@netring'), { recursive: true });
  symlinkSync(root, join(userDir, 'node_modules', '@netring', 'node-red'));
  writeFileSync(join(userDir, 'package.json'), JSON.stringify({ dependencies: { '@netring/node-red': '*' } }));
  writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flow));
  const RED = createRequire(import.meta.url)('node-red');
  RED.init(createServer(), {
    userDir,
    flowFile: 'flows.json',
    httpAdminRoot: false,
    httpNodeRoot: false,
    functionGlobalContext: globals,
    logging: { console: { level: 'error' } },
    telemetry: { enabled: false, updateNotification: false },
  });
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${id} is not up after ${START_TIMEOUT_MS / 1000} s`)), START_TIMEOUT_MS);
    RED.events.on('node-status', (event) => {
      if (event.id !== id || event.status.fill !== 'green') return;
      clearTimeout(timer);
      resolve();
    });
    RED.start().catch(reject);
  });
}
