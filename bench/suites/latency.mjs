/** How old frames are when they are read, what that costs, and what is lost of many. */
import { interleave, REPETITIONS } from '../lib/interleave.mjs';
import { Process } from '../lib/process.mjs';
import { generator, receiver } from '../lib/readers.mjs';
import { median, spread, table } from '../lib/table.mjs';

const LENGTH = 64;
/** Odd, so that nothing keeps step with a timer. */
const RATES = [193, 4903, 49_103, 200_003];
const SECONDS = 3;
const RING = { blockSize: 256 * 1024, blockCount: 64, fillRxhash: false };

function readers({ programs, network }) {
  const c = (mode) => [programs.latency, mode, network.far];
  const ours = (name, options) => [...receiver(name), network.far, JSON.stringify({ ...RING, ...options })];
  return new Map([
    ['C, TPACKET_V2', c('v2')],
    ['C, recvmmsg', c('recvmmsg')],
    ['AsyncCapture, immediate', ours('latency', { latency: 'immediate' })],
    ['Node-RED function, immediate', ours('latency-flow', { latency: 'immediate' })],
    ['Node-RED function, block, 1 ms', ours('latency-flow', { blockTimeoutMs: 1 })],
    ['Node-RED function, block, 10 ms', ours('latency-flow', { blockTimeoutMs: 10 })],
  ]);
}

export const latency = {
  title: 'the age of frames when they are read',
  async run(bench) {
    const generate = await generator(bench);
    if (!generate.paced) {
      bench.print(`left out: ${generate.name} cannot be paced`);
      return [];
    }
    const results = [];
    for (const rate of RATES) {
      const measured = await interleave(bench, `${rate} frames a second`, readers(bench), (command) =>
        measure(bench, generate, rate, command),
      );
      const us = (runs, field) => spread(runs.map((one) => one[field] / 1000));
      const rows = [...measured].map(([name, runs]) => [
        name,
        us(runs, 'p50'),
        us(runs, 'p99'),
        spread(
          runs.map((one) => one.cpuNs / one.packets / 1000),
          2,
        ),
        spread(
          runs.map((one) => (one.cpuNs / one.wallNs) * 100),
          1,
        ),
        spread(runs.map((one) => one.sent - one.packets)),
      ]);
      bench.print(`${rate} frames of ${LENGTH} bytes a second for ${SECONDS} s; ${REPETITIONS} runs: median (min-max)`);
      bench.print(table(['reader', 'median us', 'p99 us', 'CPU us/packet', 'CPU %', 'lost'], rows));
      for (const [reader, runs] of measured) results.push({ reader, rate, p50: median(runs.map((one) => one.p50)), runs });
    }
    return results;
  },
};

async function measure({ network }, generate, rate, command) {
  const reader = new Process(network.reader(...command));
  try {
    await reader.reply();
    // The compiler has seen the path, and what a start leaves to do is done.
    await generate.send(LENGTH, Math.max(1000, rate), Math.max(2000, rate));
    await reader.ask('mark');
    const made = await generate.send(LENGTH, rate * SECONDS, rate);
    return { ...(await reader.ask('stop')), sent: made.sent, wallNs: made.wallNs };
  } finally {
    await reader.end();
  }
}
