/** Receivers side by side with the C reader: loss, CPU per packet, memory. */
import { interleave, REPETITIONS } from '../lib/interleave.mjs';
import { COLUMNS, cells, cpuPerPacket, generator, measure, peakRss, readers, REFERENCE, ringOf } from '../lib/readers.mjs';
import { median, table } from '../lib/table.mjs';

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
    const measured = await interleave(bench, `${length} bytes`, readers(bench, length), (command) =>
      measure(command, { ...bench, generate, length, count, rate }),
    );
    const reference = median(cpuPerPacket(measured.get(REFERENCE)));
    const ratio = (runs) => median(cpuPerPacket(runs)) / reference;
    const rows = [...measured].map(([name, runs]) => [name, ...cells(runs), ratio(runs).toFixed(2), peakRss(runs)]);
    bench.print(`${length} bytes, ${count} frames by ${generate.name}; ring ${ringOf(length)}; ${REPETITIONS} runs: median (min-max)`);
    bench.print(table(['reader', ...COLUMNS, 'x C', 'peak RSS MB'], rows));
    for (const [reader, runs] of measured) results.push({ reader, length, rate, ratio: ratio(runs), runs });
  }
  return results;
}
