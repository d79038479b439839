/** A channel and a stream beside `recv`, at the highest rate at which that loses nothing. */
import { interleave, REPETITIONS } from '../lib/interleave.mjs';
import { COLUMNS, cells, cpuPerPacket, generator, measure, optionsOf, peakRss, receiver, ringOf } from '../lib/readers.mjs';
import { median, table } from '../lib/table.mjs';

const RECV = 'recv + tryRecv';
const COUNT = 2_000_000;
/** Packets the channel may hold: as many as a tenth of a second brings at full blast. */
const CAPACITY = 131_072;
/** Frames a second; 0 is full blast. */
const RATES = [0, 1_000_000, 750_000, 500_000, 250_000];

export const channel = {
  title: 'a channel and a stream beside recv',
  async run(bench) {
    const generate = await generator(bench);
    const rates = generate.paced ? RATES : [0];
    const results = [];
    for (const length of [64, 1500]) {
      for (const rate of rates) {
        const measured = await interleave(bench, `${length} bytes`, commands(bench, length), (command) =>
          measure(command, { ...bench, generate, length, count: COUNT, rate }),
        );
        const reference = measured.get(RECV);
        const rows = [...measured].map(([name, runs]) => {
          const ratio = median(cpuPerPacket(runs)) / median(cpuPerPacket(reference));
          results.push({ reader: name, length, rate, ratio, runs });
          return [name, ...cells(runs), ratio.toFixed(2), peakRss(runs)];
        });
        bench.print(`${length} bytes, ${COUNT} frames by ${generate.name}, ${rate === 0 ? 'full blast' : `${rate} a second`}`);
        bench.print(`ring ${ringOf(length)}, channel of ${CAPACITY} packets; ${REPETITIONS} runs: median (min-max)`);
        bench.print(table(['reader', ...COLUMNS, 'x recv', 'peak RSS MB'], rows));
        if (reference.every((run) => run.packets === run.sent)) break;
      }
    }
    return results;
  },
};

function commands({ network }, length) {
  const options = optionsOf(length);
  return new Map([
    [RECV, [...receiver('owned-drain'), network.far, options]],
    ['stream through pipeline()', [...receiver('stream'), network.far, options]],
    ['channel, recv + tryRecv', [...receiver('channel-drain'), network.far, options, `${CAPACITY}`]],
    ['channel, for await', [...receiver('channel'), network.far, options, `${CAPACITY}`]],
  ]);
}
