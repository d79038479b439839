/** npm start: a Node-RED with a flow over real packets, from a fresh clone, without root and without touching the machine's network. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildIfStale } from './lib/build.mjs';
import { firstSteps } from './lib/first-steps.mjs';
import { forward } from './lib/forward.mjs';
import { buildNative } from './lib/native.mjs';
import { ensurePackages } from './lib/packages.mjs';
import { Problem, main, root } from './lib/run.mjs';

const HELP = `npm start [-- OPTIONS]

Builds what is not built yet and runs Node-RED with an example flow that sends, captures, counts and shows real frames. It lives in a private
network namespace with a cable wire0 <-> wire1: no root, and nothing of this machine's network is touched. The user directory is temporary:
export the flows that you want to keep.

  --interface NAME  capture on a real interface instead; needs CAP_NET_RAW, so usually sudo
  --allow-inject    with --interface: let the example send frames into it too
  --port NUMBER     port of the editor on localhost (default: the first free one from 1880 on)
  --check           end as soon as the flow has captured packets: exit code 0, or 1 after 30 s
  --help            this text`;

const CHECK_PACKETS = 100;
const CHECK_MS = 30_000;
/** Time the flows get to close. */
const STOP_MS = 5000;

const OPTIONS = {
  interface: { type: 'string' },
  'allow-inject': { type: 'boolean', default: false },
  port: { type: 'string' },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

function options() {
  let values;
  try {
    ({ values } = parseArgs({ options: OPTIONS }));
  } catch (error) {
    throw new Problem(`${error.message}\n\n${HELP}`);
  }
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw new Problem(`--port ${values.port} is not a port (1 to 65535)`);
  return { ...values, port };
}

function userDirectory(flow) {
  const folder = mkdtempSync(join(tmpdir(), 'netring-start-'));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'netring-start', private: true, dependencies: { '@netring/node-red': '*' } }),
  );
  writeFileSync(join(folder, 'flows.json'), JSON.stringify(flow));
  mkdirSync(join(folder, 'node_modules', '@netring'), { recursive: true });
  symlinkSync(root, join(folder, 'node_modules', '@netring', 'node-red'));
  return folder;
}

async function runNodeRed(given, folder) {
  const socket = join(folder, 'editor.sock');
  const runtime = [process.execPath, join(root, 'scripts', 'start-runtime.mjs'), folder, socket];
  const sandbox = join(root, 'native', 'build', 'Release', 'netring-sandbox');
  const [command, ...args] = given.interface === undefined ? [sandbox, ...runtime] : runtime;
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const closed = once(child, 'close');

  let stopping = false;
  const stop = () => {
    stopping = true;
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), STOP_MS).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop);

  let server;
  let captured = 0;
  let late;
  child.on('message', async (message) => {
    if (message.started) {
      server = await forward(socket, given.port).catch((error) => (console.error(error.message), (process.exitCode = 1), stop()));
      if (server) console.log(`The editor is at http://127.0.0.1:${server.address().port}/  (Ctrl-C stops it)`);
      if (given.check) late = setTimeout(stop, CHECK_MS);
    }
    captured = message.captured ?? captured;
    if (given.check && captured >= CHECK_PACKETS && !stopping) stop();
  });

  const [code, signal] = await closed;
  clearTimeout(late);
  server?.close();
  if (!stopping) throw new Problem(`Node-RED ended (${signal ?? `exit code ${code}`})`);
  if (given.check) {
    console.log(`check: the flow captured ${captured} packets`);
    if (captured < CHECK_PACKETS) process.exitCode = 1;
  }
}

await main(async () => {
  const given = options();
  if (given.help) return console.log(HELP);
  await ensurePackages();
  console.log('building');
  await Promise.all([buildNative(), buildIfStale()]);
  console.log(given.interface === undefined ? 'starting Node-RED in a private network' : `starting Node-RED on ${given.interface}`);
  const folder = userDirectory(firstSteps({ interface: given.interface, inject: given['allow-inject'] }));
  try {
    await runNodeRed(given, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
