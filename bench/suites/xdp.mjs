/** AF_XDP sockets side by side with the C programs: receiving in both modes of the program, and sending. */
import { fileURLToPath } from 'node:url';
import { interleave, REPETITIONS } from '../lib/interleave.mjs';
import { COLUMNS, cells, cpuPerPacket, generator, measure, peakRss, readers, receiver, REFERENCE } from '../lib/readers.mjs';
import { compareSenders, judge, verdicts } from '../lib/senders.mjs';
import { median, table } from '../lib/table.mjs';

/** 64 MiB: fewer frames overflow when the reader does not run for some ms. */
const FRAMES = { frameSize: 2048, frameCount: 32_768 };
/** What the library calls the modes, and the C reader. */
const MODES = { skb: 'skb', driver: 'drv' };
const RECEIVERS = { borrowed: 'xdp-borrowed', 'owned, recv + tryRecv': 'xdp-owned' };
const RX_COUNT = 4_000_000;

const TX_LENGTH = 64;
const TX_COUNT = 500_000;
const MILLION = 1_000_000;

/** Commands by name, and the name of the C reader that each is compared with. */
function xdpReaders(bench, length) {
  const { programs, network } = bench;
  const commands = new Map();
  const references = new Map();
  for (const [attach, mode] of Object.entries(MODES)) {
    const reference = `C xdp_rx, ${attach}`;
    commands.set(reference, [programs.xdp_rx, network.far, `${FRAMES.frameSize}`, `${FRAMES.frameCount}`, mode]);
    references.set(reference, reference);
    for (const [name, file] of Object.entries(RECEIVERS)) {
      commands.set(`${name}, ${attach}`, [...receiver(file), network.far, JSON.stringify({ ...FRAMES, attach })]);
      references.set(`${name}, ${attach}`, reference);
    }
  }
  commands.set(REFERENCE, readers(bench, length).get(REFERENCE));
  references.set(REFERENCE, REFERENCE);
  return { commands, references };
}

export const xdpRx = {
  title: 'receiving with AF_XDP at full blast',
  async run(bench) {
    const generate = await generator(bench);
    if (!generate.paced) {
      bench.print('left out: programs for XDP want the same rights as live frames');
      return [];
    }
    const results = [];
    for (const length of [64, 1500]) {
      const { commands, references } = xdpReaders(bench, length);
      const measured = await interleave(bench, `${length} bytes`, commands, (command) =>
        measure(command, { ...bench, generate, length, count: RX_COUNT, rate: 0 }),
      );
      const rows = [];
      for (const [reader, runs] of measured) {
        const own = median(cpuPerPacket(runs));
        const reference = median(cpuPerPacket(measured.get(references.get(reader)) ?? []));
        rows.push([reader, ...cells(runs), (own / reference).toFixed(2), (own - reference).toFixed(0), peakRss(runs)]);
        results.push({ reader, length, rate: 0, ratio: own / reference, more: own - reference, runs });
      }
      bench.print(`${length} bytes, ${RX_COUNT} frames by ${generate.name}; ${FRAMES.frameCount} frames of ${FRAMES.frameSize} bytes`);
      bench.print(`${REPETITIONS} runs: median (min-max); C is the C reader of the same mode`);
      bench.print(table(['reader', ...COLUMNS, 'x C', 'ns more than C', 'peak RSS MB'], rows));
    }
    return results;
  },
};

export const xdpTx = {
  title: 'sending with AF_XDP',
  async run(bench) {
    const { programs, network } = bench;
    network.setPolling(false);
    const ours = (count, size, ...rest) => [
      process.execPath,
      fileURLToPath(new URL('../senders/xdp.mjs', import.meta.url)),
      ...['xdp', network.near, `${TX_LENGTH}`, `${count}`, `${size}`, ...rest],
    ];
    const c = (count, ...rest) => [programs.xdp_tx, network.near, `${TX_LENGTH}`, `${count}`, '64', ...rest];
    const commands = new Map([
      ['C xdp_tx', c(TX_COUNT)],
      ['C sendmmsg', [programs.tx, 'mmsg', network.near, `${TX_LENGTH}`, `${TX_COUNT}`, '64']],
    ]);
    for (const size of [64, 256, 2048]) commands.set(`XdpSocket.sendBatch, batch of ${size}`, ours(TX_COUNT, size));
    const results = await compareSenders(bench, TX_LENGTH, TX_COUNT, commands);
    const judged = [
      ...(await judge(bench, 'C xdp_tx', TX_LENGTH, MILLION, c(MILLION, 'sealed'))),
      ...(await judge(bench, 'XdpSocket.sendBatch', TX_LENGTH, MILLION, ours(MILLION, 64, 'sealed'))),
    ];
    bench.print(verdicts(judged));
    return [...results, ...judged];
  },
};
