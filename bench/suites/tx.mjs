/** Senders side by side with the C ones, counted by the C reader at the other end; and a million frames judged one by one. */
import { fileURLToPath } from 'node:url';
import { Process, run } from '../lib/process.mjs';
import { median, spread, table } from '../lib/table.mjs';

const REPETITIONS = 3;
const COUNT = 500_000;
const MILLION = 1_000_000;
const LENGTHS = [64, 1500];

const sender = [process.execPath, fileURLToPath(new URL('../senders/sender.mjs', import.meta.url))];

function senders({ programs, network }, length) {
  const c = (method) => [programs.tx, method, network.near, `${length}`, `${COUNT}`, '64'];
  const js = (method, size) => [...sender, method, network.near, `${length}`, `${COUNT}`, `${size}`];
  return new Map([
    ['C TX ring', c('ring')],
    ['C sendmmsg', c('mmsg')],
    ['C send', c('send')],
    ['Injector.sendBatch, batch of 64', js('batch', 64)],
    ['Injector.sendBatch, batch of 256', js('batch', 256)],
    ['Injector.sendBatch, 64 Buffers', js('frames', 64)],
    ['AsyncInjector.sendBatch, batch of 256', js('async', 256)],
  ]);
}

async function measure(command, { programs, network }) {
  const reader = new Process(network.reader(programs.rx3, network.far, `${1 << 20}`, '64', '10'));
  try {
    await reader.reply();
    const made = await run(network.sender(...command));
    const read = await reader.ask('stop');
    return { ...made, lost: made.sent + (made.warmUp ?? 0) - read.packets };
  } finally {
    await reader.end();
  }
}

export const tx = {
  title: 'sending',
  async run(bench) {
    // As a veth pair is found in the wild: see `setPolling`.
    bench.network.setPolling(false);
    const results = [];
    for (const length of LENGTHS) {
      const measured = new Map([...senders(bench, length)].map(([name, command]) => [name, { command, runs: [] }]));
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        for (const [name, { command, runs }] of measured) {
          bench.progress(`${length} bytes, run ${repetition + 1} of ${REPETITIONS}: ${name}`);
          try {
            runs.push(await measure(command, bench));
          } catch (error) {
            bench.fail(`${name}: ${error.message}`);
            measured.delete(name);
          }
        }
      }
      const kpps = (runs) => runs.map((one) => (one.sent / one.wallNs) * 1e6);
      const cpu = (runs) => runs.map((one) => one.cpuNs / one.sent);
      // All senders keep one core busy without waiting, so their rates are as their CPU time, which other load on the machine does not falsify.
      const best = Math.min(...[...measured].filter(([name]) => name.startsWith('C ')).map(([, { runs }]) => median(cpu(runs))));
      const rows = [...measured].map(([name, { runs }]) => [
        name,
        spread(kpps(runs)),
        spread(cpu(runs)),
        (best / median(cpu(runs))).toFixed(2),
        spread(runs.map((one) => one.lost)),
      ]);
      bench.print(`${length} bytes, ${COUNT} frames; ${REPETITIONS} runs: median (min-max)`);
      bench.print(table(['sender', 'kpps', 'CPU ns/frame', 'speed x best C', 'not arrived'], rows));
      for (const [name, { runs }] of measured) results.push({ sender: name, length, ratio: best / median(cpu(runs)), runs });
    }
    return results;
  },
};

export const million = {
  title: 'a million frames to an independent socket',
  async run(bench) {
    const { programs, network } = bench;
    network.setPolling(false);
    const results = [];
    for (const length of LENGTHS) {
      for (const [name, method] of [
        ['Injector.sendBatch', 'batch'],
        ['AsyncInjector.sendBatch', 'async'],
      ]) {
        bench.progress(`${length} bytes: ${name}`);
        const witness = new Process(network.reader(programs.witness, network.far, `${length}`, `${MILLION}`));
        try {
          await witness.reply();
          await run(network.sender(...sender, method, network.near, `${length}`, `${MILLION}`, '64', 'sealed'));
          results.push({ sender: name, length, ...(await witness.ask('stop')) });
        } catch (error) {
          bench.fail(`${name}: ${error.message}`);
        } finally {
          await witness.end();
        }
      }
    }
    const columns = ['received', 'missing', 'doubled', 'changed', 'reordered', 'drops'];
    const rows = results.map((one) => [`${one.sender}, ${one.length} bytes`, ...columns.map((column) => `${one[column]}`)]);
    bench.print(table(['sender', ...columns.slice(0, -1), 'dropped by the witness'], rows));
    return results;
  },
};
