/** A bridge beside the kernel's own and a C forwarder: round trip, one TCP stream, and frames of 64 bytes without loss. */
import { execFileSync, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Chain, SERVER_ADDRESS } from '../lib/chain.mjs';
import { execute } from '../lib/network.mjs';
import { Process, run } from '../lib/process.mjs';
import { median, spread, table } from '../lib/table.mjs';

const REPETITIONS = 3;
const PINGS = 200;
const TCP_SECONDS = 4;
const RATES = [350_000, 450_000, 550_000];
/** Those that JavaScript is measured at. */
const JUDGED_RATES = [250_000, 350_000, 450_000];
const FLOOD_SECONDS = 1;
/** Frames before those that count, and their rate. */
const WARM_UP = 200_000;
/** 64 MiB: what 115 ms of 64-byte frames take of a TPACKET_V2 ring at 300 000 a second. */
const BLOCKS = 256;

const forwarder = (file, blocks, ...mode) => [
  process.execPath,
  fileURLToPath(new URL(`../forwarders/${file}`, import.meta.url)),
  'm1',
  'm2',
  `${blocks}`,
  ...mode,
];
const ours = (blocks, ...mode) => forwarder('bridge.mjs', blocks, ...mode);

/** Joins the two cables; the function that it resolves to parts them again. */
const joins = {
  "the kernel's bridge": async (chain) => {
    const ip = (...words) => execute([...chain.middle('ip'), 'link', ...words]);
    ip('add', 'br0', 'type', 'bridge');
    for (const port of ['m1', 'm2']) ip('set', port, 'master', 'br0');
    ip('set', 'br0', 'up');
    return async () => ip('del', 'br0');
  },
  Bridge: async (chain) => {
    const running = new Process(chain.anywhere('middle', ...ours(64)));
    await running.reply();
    return () => running.end();
  },
};

export const bridge = {
  title: 'forwarding between two cables',
  async run({ programs, print, progress, fail }) {
    const chain = await Chain.create();
    try {
      const found = new Map(Object.keys(joins).map((name) => [name, { ping: [], tcp: [] }]));
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        for (const [name, join] of Object.entries(joins)) {
          progress(`${name}, run ${repetition + 1} of ${REPETITIONS}`);
          const part = await join(chain);
          try {
            await delay(300);
            found.get(name).ping.push(roundTrip(chain));
            found.get(name).tcp.push(await throughput(chain));
          } finally {
            await part();
          }
        }
      }
      const [reference] = found.values();
      const rows = [...found].map(([name, { ping, tcp }]) => [
        name,
        spread(ping, 3),
        (median(ping) / median(reference.ping)).toFixed(2),
        spread(tcp, 1),
        (median(tcp) / median(reference.tcp)).toFixed(2),
      ]);
      print(`${PINGS} pings, ${TCP_SECONDS} s of one TCP stream with default offloads; ${REPETITIONS} runs: median (min-max)`);
      print(table(['who', 'median ping ms', 'x kernel', 'TCP Gbit/s', 'x kernel'], rows));
      // The near end has to poll (NAPI) for the kernel's own generator.
      execute([...chain.middle('ethtool'), '-K', 'm1', 'gro', 'on']);
      const lost = {};
      for (const [title, { rates, forwarders }] of Object.entries(floods(chain, programs))) {
        lost[title] = await losses(chain, programs, progress, rates, forwarders);
        print(`64-byte frames one way for ${FLOOD_SECONDS} s, ${title}: frames lost, and CPU of the forwarder a frame`);
        print(table(['who', ...rates.map((rate) => `${rate / 1000} k/s`)], lost[title]));
      }
      return { rows, lost };
    } catch (error) {
      fail(error.message);
      return [];
    } finally {
      chain.close();
    }
  },
};

const SOAK_SECONDS = 600;
/** Between looks at the memory. */
const LOOK_MS = 30_000;

/** Ten minutes of TCP both ways: the memory of the bridge's process stays where it was, and its books add up. */
export const bridgeSoak = {
  title: `${SOAK_SECONDS / 60} minutes of TCP both ways through a bridge`,
  async run({ print, progress, fail }) {
    const chain = await Chain.create();
    const running = new Process(chain.anywhere('middle', ...ours(64)));
    try {
      await running.reply();
      const [server, ...serverArgs] = chain.anywhere('server', 'iperf3', '-s', '-1');
      spawn(server, serverArgs, { stdio: 'ignore' });
      await delay(300);
      const args = ['-c', SERVER_ADDRESS, '-t', `${SOAK_SECONDS}`, '--bidir', '--json'];
      const [client, ...clientArgs] = chain.anywhere('client', 'iperf3', ...args);
      const stream = spawn(client, clientArgs, { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      stream.stdout.on('data', (part) => (text += part));
      const ended = new Promise((resolve) => stream.on('close', resolve));
      const rss = [];
      const looking = setInterval(() => {
        running.ask('memory').then((memory) => {
          rss.push(memory.rss);
          progress(`${rss.length * (LOOK_MS / 1000)} s, ${(memory.rss / 2 ** 20).toFixed(1)} MiB`);
        }, fail);
      }, LOOK_MS);
      await ended;
      clearInterval(looking);
      const { sum_received: there, sum_received_bidir_reverse: back } = JSON.parse(text).end;
      const { aToB, bToA } = await running.ask('stop');
      const rates = [there, back].map(({ bits_per_second: bits }) => (bits / 1e9).toFixed(1));
      const mebibytes = rss.map((bytes) => bytes / 2 ** 20);
      print(
        `${rates.join(' and ')} Gbit/s; ${aToB.forwarded + bToA.forwarded} frames forwarded, ${aToB.kernelDrops + bToA.kernelDrops} dropped`,
      );
      print(`resident: ${spread(mebibytes, 1)} MiB, first ${mebibytes[0].toFixed(1)}, last ${mebibytes.at(-1).toFixed(1)}`);
      if (mebibytes.at(-1) > mebibytes[0] + 8) fail('the memory grows');
      return { rates, mebibytes, aToB, bToA };
    } finally {
      await running.end();
      chain.close();
    }
  },
};

/** Median round trip in ms. */
function roundTrip(chain) {
  const [program, ...args] = chain.anywhere('client', 'ping', '-n', '-c', `${PINGS}`, '-i', '0.01', SERVER_ADDRESS);
  const text = execFileSync(program, args, { encoding: 'utf8' });
  return median([...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1])));
}

/** Gbit/s of one stream. */
async function throughput(chain) {
  const [server, ...serverArgs] = chain.anywhere('server', 'iperf3', '-s', '-1');
  const listening = spawn(server, serverArgs, { stdio: 'ignore' });
  try {
    await delay(300);
    const [client, ...args] = chain.anywhere('client', 'iperf3', '-c', SERVER_ADDRESS, '-t', `${TCP_SECONDS}`, '--json');
    return JSON.parse(execFileSync(client, args, { encoding: 'utf8' })).end.sum_received.bits_per_second / 1e9;
  } finally {
    listening.kill();
  }
}

/** Who stands in the middle, and at which rates. */
function floods(chain, programs) {
  const native = chain.middle(...ours(BLOCKS));
  return {
    'rings of 64 MiB, forwarder and witness on one CPU': {
      rates: RATES,
      forwarders: { 'C, TPACKET_V3 to sendmmsg': chain.middle(programs.forward, 'm1', 'm2', '262144', `${BLOCKS}`, '10'), Bridge: native },
    },
    'JavaScript judging every frame, on any CPU': {
      rates: JUDGED_RATES,
      forwarders: {
        Bridge: chain.anywhere('middle', ...ours(BLOCKS)),
        'Bridge, run(filter)': chain.anywhere('middle', ...ours(BLOCKS, 'run')),
        'Node-RED, bridge -> function -> bridge': chain.anywhere('middle', ...forwarder('inline.mjs', BLOCKS)),
      },
    },
  };
}

async function losses(chain, programs, progress, rates, forwarders) {
  const rows = Object.keys(forwarders).map((name) => [name]);
  for (const rate of rates) {
    for (const [place, [name, command]] of Object.entries(forwarders).entries()) {
      const runs = [];
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        progress(`${name} at ${rate}/s, run ${repetition + 1} of ${REPETITIONS}`);
        runs.push(await flood(chain, programs, command, rate));
      }
      rows[place].push(`${spread(runs.map(({ lost }) => lost))}, ${median(runs.map(({ ns }) => ns)).toFixed(0)} ns`);
    }
  }
  return rows;
}

async function flood(chain, programs, command, rate) {
  const running = new Process(command);
  const witness = new Process(chain.server(programs.rx3, 's0', `${1 << 20}`, '64', '10'));
  try {
    await running.reply();
    await witness.reply();
    await delay(300);
    // V8 has to see a function some 100,000 times before it compiles it for good.
    const warm = await run(chain.client(programs.live, 'c0', '64', `${WARM_UP}`, `${WARM_UP}`));
    const made = await run(chain.client(programs.live, 'c0', '64', `${rate * FLOOD_SECONDS}`, `${rate}`));
    await delay(500);
    const read = await witness.ask('stop');
    const { cpuNs } = await running.ask('stop');
    const sent = warm.sent + made.sent;
    return { lost: Math.max(0, sent - read.packets), ns: cpuNs / sent };
  } finally {
    await running.end();
    await witness.end();
  }
}
