/** The readers that are compared, and one measurement of one of them. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Process, run } from './process.mjs';
import { spread } from './table.mjs';

/** Not counted: the optimising compiler looks at functions that run once a wake-up of 10,000 frames, and is through with most of them by then. */
const WARM_UP_FRAMES = 2_000_000;
const RETIRE_MS = 10;
const KIB = 1024;
const MIB = 1024 * KIB;

/** Blocks of the profile `balanced`. */
const BLOCK = 256 * KIB;

/** The ring that all readers get: 64 blocks hold 100 ms of 64-byte frames at full blast, but only 10 ms of 1500-byte ones, which get 80. */
const blocksFor = (length) => (length > 256 ? 512 : 64);

/** The same as options of the library. */
export const optionsOf = (length) =>
  JSON.stringify({ blockSize: BLOCK, blockCount: blocksFor(length), blockTimeoutMs: RETIRE_MS, fillRxhash: false });

export const ringOf = (length) => `${BLOCK / KIB} KiB x ${blocksFor(length)}`;

/** The C reader that ratios refer to: same ring as the library's. */
export const REFERENCE = 'C rx3';

/** The command of one of our receivers. */
export function receiver(name) {
  return [process.execPath, fileURLToPath(new URL(`../receivers/${name}.mjs`, import.meta.url))];
}

function installed(name) {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** Our receivers: their file, and what it is told besides the interface and the ring. */
export const ours = {
  borrowed: ['borrowed'],
  'owned, for await': ['owned'],
  'owned, recv + tryRecv': ['owned-drain'],
  'Node-RED flow, columns': ['flow', 'columns'],
  'Node-RED flow, 14 bytes': ['flow', 'bytes'],
};

/** @returns {Map<string, string[]>} Name of each reader and its command, for frames of `length` bytes. */
export function readers({ programs, network }, length) {
  const count = blocksFor(length);
  const c = (size, blocks) => [programs.rx3, network.far, `${size}`, `${blocks}`, `${RETIRE_MS}`];
  const all = new Map([
    [REFERENCE, c(BLOCK, count)],
    ['C rx3, 1 MiB blocks', c(MIB, (count * BLOCK) / MIB)],
  ]);
  const options = optionsOf(length);
  for (const [name, command] of Object.entries(ours)) all.set(name, [...receiver(command[0]), network.far, options, ...command.slice(1)]);
  for (const peer of ['cap', 'pcap']) if (installed(peer)) all.set(`npm ${peer}`, [...receiver(`npm-${peer}`), network.far]);
  return all;
}

/**
 * Frames for the readers: the kernel's own generator where this process may use it, else the fastest C sender.
 * The function sends `count` frames of `length` bytes at `rate` frames a second (0: as fast as it goes) and tells `{ sent, wallNs, cpuNs }`.
 */
export async function generator({ programs, network }) {
  network.setPolling(true);
  const live = (length, count, rate) => run(network.sender(programs.live, network.near, `${length}`, `${count}`, `${rate}`));
  try {
    await live(64, 1, 0);
    return { name: 'live frames', paced: true, send: live };
  } catch (error) {
    network.setPolling(false);
    const send = (length, count) => run(network.sender(programs.tx, 'mmsg', network.near, `${length}`, `${count}`, '64'));
    return { name: `sendmmsg (no live frames: ${error.message.split('\n').at(-1)})`, paced: false, send };
  }
}

/** Starts a reader, warms it up, counts `count` frames and gives what both sides say. */
export async function measure(command, { network, generate, length, count, rate }) {
  const reader = new Process(network.reader(...command));
  try {
    await reader.reply();
    const warmUp = await generate.send(length, WARM_UP_FRAMES, rate);
    const marked = await reader.ask('mark');
    const made = await generate.send(length, count, rate);
    const read = await reader.ask('stop');
    return {
      ...read,
      sent: made.sent,
      wallNs: made.wallNs,
      senderCpuNs: made.cpuNs,
      warmUpLost: warmUp.sent - (marked.packets ?? warmUp.sent),
    };
  } finally {
    await reader.end();
  }
}

export const COLUMNS = ['lost', 'kernel drops', 'kpps', 'CPU ns/packet'];

/** What `COLUMNS` says of the runs of one reader. */
export function cells(runs) {
  return [
    spread(runs.map((one) => one.sent - one.packets)),
    spread(runs.map((one) => one.drops)),
    spread(runs.map((one) => (one.packets / one.wallNs) * 1e6)),
    spread(cpuPerPacket(runs)),
  ];
}

export const cpuPerPacket = (runs) => runs.map((one) => one.cpuNs / one.packets);

/** In MB; the C readers do not tell theirs. */
export const peakRss = (runs) => spread(runs.map((one) => (one.peakRss ?? 0) / 1e6));
