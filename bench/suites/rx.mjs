/** Receivers side by side with the C reader: loss, CPU per packet, memory. */
import { generator, measure, readers, REFERENCE, ringOf } from '../lib/readers.mjs';
import { median, spread, table } from '../lib/table.mjs';

const REPETITIONS = 3;
const MB = 1e6;

export const rx = {
  title: 'receiving at full blast',
  run: (bench) => compare(bench, { lengths: [64, 1500], count: 4_000_000, rate: 0 }),
};

export const paced = {
  title: 'receiving 250 000 frames a second',
  run: (bench) => compare(bench, { lengths: [64], count: 300_000, rate: 250_000 }),
};

async function compare(bench, { lengths, count, rate }) {
  const generate = await generator(bench);
  if (rate > 0 && !generate.paced) {
    bench.print(`left out: ${generate.name} cannot be paced`);
    return [];
  }
  const results = [];
  for (const length of lengths) {
    const measured = new Map([...readers(bench, length)].map(([name, command]) => [name, { command, runs: [] }]));
    // Interleaved, so that a slow minute of the machine hits all readers alike.
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      for (const [name, { command, runs }] of measured) {
        bench.progress(`${length} bytes, run ${repetition + 1} of ${REPETITIONS}: ${name}`);
        try {
          runs.push(await measure(command, { ...bench, generate, length, count, rate }));
        } catch (error) {
          bench.fail(`${name}: ${error.message}`);
          measured.delete(name);
        }
      }
    }
    const cpu = (runs) => runs.map((one) => one.cpuNs / one.packets);
    const reference = median(cpu(measured.get(REFERENCE).runs));
    const rows = [...measured].map(([name, { runs }]) => [
      name,
      spread(runs.map((one) => one.sent - one.packets)),
      spread(runs.map((one) => one.drops)),
      spread(runs.map((one) => (one.packets / one.wallNs) * 1e6)),
      spread(cpu(runs)),
      (median(cpu(runs)) / reference).toFixed(2),
      spread(runs.map((one) => (one.peakRss ?? 0) / MB)),
    ]);
    bench.print(`${length} bytes, ${count} frames by ${generate.name}; ring ${ringOf(length)}; ${REPETITIONS} runs: median (min-max)`);
    bench.print(table(['reader', 'lost', 'kernel drops', 'kpps', 'CPU ns/packet', 'x C', 'peak RSS MB'], rows));
    for (const [reader, { runs }] of measured) results.push({ reader, length, rate, ratio: median(cpu(runs)) / reference, runs });
  }
  return results;
}
