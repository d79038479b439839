/** What a capture costs when nothing happens, and what becomes of it when the program does not read. */
import { generator, ours, receiver } from '../lib/readers.mjs';
import { Process } from '../lib/process.mjs';
import { table } from '../lib/table.mjs';

const MIB = 1024 * 1024;
const RING = { blockSize: 256 * 1024, blockCount: 64, blockTimeoutMs: 10, fillRxhash: false };
const OWNED = 'owned, for await';
const FLOW = 'Node-RED flow, columns';
const THREE = pick('borrowed', OWNED, FLOW);

function pick(...names) {
  return Object.fromEntries(names.map((name) => [name, ours[name]]));
}

const mb = (bytes) => (bytes / 1e6).toFixed(1);

/** Collects what `use` gives for each receiver; one that fails is told and left out. */
async function each(bench, receivers, options, use) {
  const results = [];
  for (const [reader, command] of Object.entries(receivers)) {
    bench.progress(reader);
    try {
      results.push({ reader, ...(await withReceiver(bench, command, options, use)) });
    } catch (error) {
      bench.fail(`${reader}: ${error.message}`);
    }
  }
  return results;
}

/** Starts a receiver of ours, lets `use` talk to it and ends it. */
async function withReceiver(bench, [file, ...rest], options, use) {
  const { network } = bench;
  const process = new Process(network.reader(...receiver(file), network.far, JSON.stringify({ ...RING, ...options }), ...rest));
  try {
    await process.reply();
    return await use(process);
  } finally {
    await process.end();
  }
}

export const idle = {
  title: 'an idle capture, 2 s',
  async run(bench) {
    const ask = (process) => process.ask('idle');
    const immediate = { 'owned, immediate': ours[OWNED], 'Node-RED flow, immediate': ours[FLOW] };
    const results = [
      ...(await each(bench, { 'no capture': ['none'], ...THREE }, {}, ask)),
      ...(await each(bench, immediate, { latency: 'immediate' }, ask)),
    ];
    bench.print(
      table(
        ['reader', 'CPU ms', 'events of the loop', 'turns of the loop'],
        results.map(({ reader, cpuNs, events, loops }) => [reader, (cpuNs / 1e6).toFixed(2), `${events}`, `${loops}`]),
      ),
    );
    return results;
  },
};

export const stall = {
  title: 'an event loop that is busy for 500 ms',
  async run(bench) {
    const generate = await generator(bench);
    // 35 of 64 blocks at 152 bytes of ring a frame, and one more for every retire timeout that a sender on a loaded machine lets pass.
    const count = 60_000;
    const results = await each(bench, THREE, {}, async (process) => {
      await process.ask('busy');
      const made = await generate.send(64, count, 0);
      const { packetsMeanwhile } = await process.reply();
      return { ...(await process.ask('stop')), sent: made.sent, packetsMeanwhile, madeMs: made.wallNs / 1e6 };
    });
    bench.print(
      table(
        ['reader', 'sent', 'in ms', 'lost', 'kernel drops'],
        results.map((one) => [one.reader, `${one.sent}`, one.madeMs.toFixed(0), `${one.sent - one.packets}`, `${one.drops}`]),
      ),
    );
    return results;
  },
};

export const hoard = {
  title: 'a consumer that never lets go',
  async run(bench) {
    const generate = await generator(bench);
    const maxBufferedBytes = 32 * MIB;
    const [length, count] = [64, 1_500_000];
    const results = await each(bench, { borrowed: ['hoard-borrowed'], owned: ['hoard'] }, { maxBufferedBytes }, async (process) => {
      const before = await process.ask('mark');
      const made = await generate.send(length, count, 0);
      const held = await process.ask('idle');
      const resumed = await process.ask('letGo');
      const end = await process.ask('stop');
      return { ...end, ...resumed, sent: made.sent, growth: end.peakRss - before.rss, heldCpuNs: held.cpuNs };
    });
    bench.print(
      `${count} frames at full blast; allowed: maxBufferedBytes ${mb(maxBufferedBytes)} MB + ring ${mb(RING.blockSize * RING.blockCount)} MB`,
    );
    bench.print(
      table(
        ['reader', 'RSS grew by MB', 'delivered', 'kernel drops', 'unaccounted', 'CPU ms in 2 s of holding', 'resumed after ms'],
        results.map((one) => [
          one.reader,
          mb(one.growth),
          `${one.packets}`,
          `${one.drops}`,
          `${one.sent - one.packets - one.drops}`,
          (one.heldCpuNs / 1e6).toFixed(2),
          one.resumed ? one.afterMs.toFixed(0) : 'not',
        ]),
      ),
    );
    return results;
  },
};

export const soak = {
  title: 'full blast for a while: memory must stay flat',
  async run(bench) {
    const generate = await generator(bench);
    const [length, count, parts] = [64, 3_000_000, 4];
    const results = await each(bench, pick(OWNED, FLOW), {}, async (process) => {
      const marks = [];
      for (let part = 0; part < parts; part++) {
        const made = await generate.send(length, count, 0);
        marks.push({ sent: made.sent, ...(await process.ask('mark')) });
      }
      return { marks };
    });
    bench.print(
      table(
        ['reader', 'lost', ...Array.from({ length: parts }, (_, i) => `RSS MB after ${((i + 1) * count) / 1e6} M`)],
        results.map(({ reader, marks }) => [
          reader,
          `${marks.reduce((lost, mark) => lost + mark.sent - mark.packets, 0)}`,
          ...marks.map((mark) => mb(mark.rss)),
        ]),
      ),
    );
    return results;
  },
};
