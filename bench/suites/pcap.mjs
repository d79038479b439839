/** Capture files: to and from memory, and to disk beside `tcpdump -w` on the same traffic. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { interleave } from '../lib/interleave.mjs';
import { run } from '../lib/process.mjs';
import { generator } from '../lib/readers.mjs';
import { median, spread, table } from '../lib/table.mjs';

const FORMATS = ['pcap', 'pcapng'];
const LENGTHS = [1500, 64];
const script = (name) => [process.execPath, fileURLToPath(new URL(`../files/${name}.mjs`, import.meta.url))];

/** Frames that are recorded in a run, those before that are not counted, and frames a second: what a disk takes. */
const TRAFFIC = { 1500: { count: 200_000, warmUp: 50_000, rate: 60_000 }, 64: { count: 1_000_000, warmUp: 400_000, rate: 300_000 } };
/** 64 MiB for all. A batch is one write to the file, whose price is that of hundreds of packets: large blocks. */
const RING = JSON.stringify({ blockSize: 1024 * 1024, blockCount: 64, blockTimeoutMs: 100, fillRxhash: false });
const READY_MS = 10_000;

export const pcap = {
  title: 'capture files',
  async run(bench) {
    const folder = mkdtempSync(join(tmpdir(), 'netring-bench-'));
    try {
      return { memory: await memory(bench, folder), disk: await disk(bench, folder) };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function memory(bench, folder) {
  const commands = new Map();
  for (const length of LENGTHS)
    for (const format of FORMATS) {
      commands.set(`write ${format}, ${length}-byte frames`, [...script('memory'), 'write', format, `${length}`]);
      commands.set(`read ${format} from a Buffer, ${length}-byte frames`, [
        ...script('memory'),
        'read-memory',
        format,
        `${length}`,
        join(folder, 'file'),
      ]);
      commands.set(`read ${format} from a path, ${length}-byte frames`, [
        ...script('memory'),
        'read',
        format,
        `${length}`,
        join(folder, 'file'),
      ]);
    }
  const measured = await interleave(bench, 'memory', commands, run);
  const rows = [...measured].map(([name, runs]) => [name, spread(runs.map(rate('wallNs')), 2), spread(runs.map(rate('cpuNs')), 2)]);
  bench.print(table(['', 'GB/s', 'GB per CPU second'], rows));
  return Object.fromEntries(measured);
}

const rate = (of) => (one) => one.bytes / one[of];

async function disk(bench, folder) {
  const generate = await generator(bench);
  const { network } = bench;
  const path = join(folder, 'recorded');
  const tcpdump = ['tcpdump', '-i', network.far, '-w', path, '-B', `${64 * 1024}`, '-s', '2048', '-Z', 'root', '--nano', '-nn'];
  const recorders = new Map([['tcpdump -w', tcpdump]]);
  for (const format of FORMATS)
    for (const [way, name] of [
      ['stream', `${format} writer | file stream`],
      ['file', `RotatingWriter, ${format}`],
    ])
      recorders.set(name, [...script('record'), network.far, path, RING, format, way]);
  const results = {};
  for (const length of LENGTHS) {
    const measured = await interleave(bench, `${length}-byte frames to disk`, recorders, (command) =>
      recorded(network.reader(...command), folder, (count) => generate.send(length, count, TRAFFIC[length].rate), TRAFFIC[length]),
    );
    const reference = median((measured.get('tcpdump -w') ?? []).map(({ cpuNs, packets }) => cpuNs / packets));
    const rows = [...measured].map(([name, runs]) => {
      const cpu = runs.map(({ cpuNs, packets }) => cpuNs / packets);
      return [name, spread(runs.map(({ sent, packets }) => sent - packets)), spread(cpu), (median(cpu) / reference).toFixed(2)];
    });
    bench.print(`${length}-byte frames, ${generate.name}\n${table(['', 'lost', 'CPU ns/packet', 'of tcpdump'], rows)}`);
    results[length] = Object.fromEntries(measured);
  }
  return results;
}

/** Starts a recorder, sends it traffic, and gives what it recorded of it and the CPU time that took. */
async function recorded(command, folder, send, { count, warmUp }) {
  // Replacing an earlier run's hundreds of MiB costs as much as writing them, and each recorder pays it at another moment.
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  const closed = new Promise((resolve) => child.on('close', resolve));
  try {
    for (const deadline = Date.now() + READY_MS; !said.includes('listening on'); await delay(10))
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`does not record: ${said}`);
    const before = await send(warmUp);
    await written(folder);
    const cpu = cpuNs(child.pid);
    const made = await send(count);
    await written(folder);
    const used = cpuNs(child.pid) - cpu;
    child.kill('SIGINT');
    await closed;
    const packets = Number(/(\d+) packets? captured/.exec(said)?.[1]) - before.sent;
    return { packets, sent: made.sent, cpuNs: used };
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
}

/** Waits until no file grows any more. */
async function written(folder) {
  for (let before = -1; ;) {
    const size = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    if (size > 0 && size === before) return;
    before = size;
    await delay(400);
  }
}

/** Run time of all threads of a process in ns. */
function cpuNs(pid) {
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`))
    total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ', 1)[0]);
  return total;
}
