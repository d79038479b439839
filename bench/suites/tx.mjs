/** Senders side by side with the C ones, counted by the C reader at the other end; and a million frames judged one by one. */
import { fileURLToPath } from 'node:url';
import { compareSenders, judge, verdicts } from '../lib/senders.mjs';

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

export const tx = {
  title: 'sending',
  async run(bench) {
    // As a veth pair is found in the wild: see `setPolling`.
    bench.network.setPolling(false);
    const results = [];
    for (const length of LENGTHS) results.push(...(await compareSenders(bench, length, COUNT, senders(bench, length))));
    return results;
  },
};

export const million = {
  title: 'a million frames to an independent socket',
  async run(bench) {
    const { network } = bench;
    network.setPolling(false);
    const results = [];
    for (const length of LENGTHS) {
      for (const [name, method] of [
        ['Injector.sendBatch', 'batch'],
        ['AsyncInjector.sendBatch', 'async'],
      ]) {
        const command = [...sender, method, network.near, `${length}`, `${MILLION}`, '64', 'sealed'];
        results.push(...(await judge(bench, name, length, MILLION, command)));
      }
    }
    bench.print(verdicts(results));
    return results;
  },
};
