/** A capture group beside one capture, and beside threads that transfer copies. */
import { interleave, REPETITIONS } from '../lib/interleave.mjs';
import { COLUMNS, cells, generator, measure, ours, peakRss, receiver } from '../lib/readers.mjs';
import { table } from '../lib/table.mjs';

const RING = JSON.stringify({ blockSize: 256 * 1024, blockCount: 64, blockTimeoutMs: 10, fillRxhash: false });

/** All threads run on the reader's one processor, so that CPU time a packet is what counts. */
export const group = {
  title: 'receiving with threads, 250 000 frames a second',
  async run(bench) {
    const generate = await generator(bench);
    if (!generate.paced) {
      bench.print(`left out: ${generate.name} cannot be paced`);
      return [];
    }
    const { far } = bench.network;
    const commands = new Map([['one capture, owned', [...receiver(ours['owned, for await'][0]), far, RING]]]);
    for (const members of ['1', '2']) {
      commands.set(`captureGroup(${members})`, [...receiver('group'), far, RING, members]);
      commands.set(`${members} x copy and transfer`, [...receiver('group-transfer'), far, RING, members]);
    }
    const results = [];
    for (const length of [64, 1500]) {
      const measured = await interleave(bench, `${length} bytes`, commands, (command) =>
        measure(command, { ...bench, generate, length, count: 300_000, rate: 250_000 }),
      );
      bench.print(`${length} bytes; ${REPETITIONS} runs: median (min-max)`);
      bench.print(
        table(
          ['reader', ...COLUMNS, 'peak RSS MB'],
          [...measured].map(([name, runs]) => [name, ...cells(runs), peakRss(runs)]),
        ),
      );
      for (const [reader, runs] of measured) results.push({ reader, length, runs });
    }
    return results;
  },
};
