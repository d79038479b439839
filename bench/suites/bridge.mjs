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
const FLOOD_SECONDS = 1;
/** 64 MiB: what 115 ms of 64-byte frames take of a TPACKET_V2 ring at 300 000 a second. */
const BLOCKS = 256;

const ours = (chain, blocks) => [
  process.execPath,
  fileURLToPath(new URL('../forwarders/bridge.mjs', import.meta.url)),
  'm1',
  'm2',
  `${blocks}`,
];

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
    const forwarder = new Process(chain.anywhere('middle', ...ours(chain, 64)));
    await forwarder.reply();
    return () => forwarder.end();
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
      const lost = await losses(chain, programs, progress);
      print(`64-byte frames one way for ${FLOOD_SECONDS} s, rings of 64 MiB: frames lost, and CPU of the forwarder a frame`);
      print(table(['who', ...RATES.map((rate) => `${rate / 1000} k/s`)], lost));
      return { rows, lost };
    } catch (error) {
      fail(error.message);
      return [];
    } finally {
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

async function losses(chain, programs, progress) {
  // The near end has to poll (NAPI) for the kernel's own generator.
  execute([...chain.middle('ethtool'), '-K', 'm1', 'gro', 'on']);
  const forwarders = {
    'C, TPACKET_V3 to sendmmsg': [programs.forward, 'm1', 'm2', '262144', `${BLOCKS}`, '10'],
    Bridge: ours(chain, BLOCKS),
  };
  const rows = Object.keys(forwarders).map((name) => [name]);
  for (const rate of RATES) {
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
  const forwarder = new Process(chain.middle(...command));
  const witness = new Process(chain.server(programs.rx3, 's0', `${1 << 20}`, '64', '10'));
  try {
    await forwarder.reply();
    await witness.reply();
    await delay(300);
    const made = await run(chain.client(programs.live, 'c0', '64', `${rate * FLOOD_SECONDS}`, `${rate}`));
    await delay(500);
    const read = await witness.ask('stop');
    const { cpuNs } = await forwarder.ask('stop');
    return { lost: Math.max(0, made.sent - read.packets), ns: cpuNs / made.sent };
  } finally {
    await forwarder.end();
    await witness.end();
  }
}
