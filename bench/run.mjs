/**
 * Speed and behaviour of the library beside C programs that do the same, in the same run. Usage:
 *
 *   npm run bench [-- [NAME...] [--json FILE]]
 *
 * Everything happens in two network namespaces of our own; see lib/network.mjs. Without root a user namespace is made first, in which the kernel's own
 * generator is not allowed and the fastest C sender takes its place.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { compile } from './lib/compile.mjs';
import { Network } from './lib/network.mjs';
import { hoard, idle, soak, stall } from './suites/behaviour.mjs';
import { bridge, bridgeSoak } from './suites/bridge.mjs';
import { channel } from './suites/channel.mjs';
import { latency } from './suites/latency.mjs';
import { decode } from './suites/decode.mjs';
import { pcap } from './suites/pcap.mjs';
import { filter } from './suites/filter.mjs';
import { group } from './suites/group.mjs';
import { paced, rx } from './suites/rx.mjs';
import { million, tx } from './suites/tx.mjs';
import { xdpRx, xdpTx } from './suites/xdp.mjs';

const suites = {
  rx,
  paced,
  group,
  latency,
  channel,
  tx,
  million,
  'xdp-rx': xdpRx,
  'xdp-tx': xdpTx,
  bridge,
  'bridge-soak': bridgeSoak,
  pcap,
  filter,
  decode,
  idle,
  stall,
  hoard,
  soak,
};

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const unknown = positionals.filter((name) => !(name in suites));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`);
  process.exit(2);
}
if (!existsSync(new URL('../dist/src/index.js', import.meta.url))) {
  console.error('not built: "npm run build && npm run build:native" comes first');
  process.exit(2);
}
if (process.getuid() !== 0) {
  const again = spawnSync('unshare', ['--user', '--map-root-user', process.execPath, ...process.argv.slice(1)], { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const print = (text) => console.log(`${text}\n`);
const progress = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);
/** Something did not run: the rest goes on, the end is not a success. */
const fail = (text) => {
  print(`FAILED ${text}`);
  process.exitCode = 1;
};

const programs = compile();
const network = await Network.create();
const report = {};
try {
  print(`${cpus().length} x ${cpus()[0].model}, Linux ${release()}, Node.js ${process.version}; sender on cpu 0, reader on cpu 1`);
  // Whatever else runs takes the reader's CPU and cache: nothing measured beside a load of 1 or more is worth much.
  print(`load of the last minute: ${loadavg()[0].toFixed(2)}`);
  for (const name of positionals.length > 0 ? positionals : Object.keys(suites)) {
    print(`== ${name}: ${suites[name].title}`);
    try {
      report[name] = await suites[name].run({ programs, network, progress, print, fail });
    } catch (error) {
      fail(error.message);
    }
  }
} finally {
  network.close();
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(report, null, 2));
