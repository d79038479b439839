/** What all receivers share: the walk over a batch, the counters, and the answers to the driver's commands. */
import { readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** Longer than three retire timeouts of the ring, as in the C reader. */
const QUIET_MS = 40;

const IDLE_MS = 2000;
const BUSY_MS = 500;

export const totals = { packets: 0, bytes: 0, sum: 0 };

/** Reads 14 bytes of every packet and sums the lengths, as the C reader does. */
export function walk(batch) {
  const { bytes, length } = batch;
  let sum = 0;
  let captured = 0;
  for (let i = 0; i < length; i++) {
    const at = batch.offsetAt(i);
    for (let k = at; k < at + 14; k++) sum += bytes[k];
    captured += batch.lengthAt(i);
  }
  totals.packets += length;
  totals.bytes += captured;
  totals.sum += sum;
}

/** Run time of all threads in ns. Up to date because this process has just waited: see process_cpu_ns in c/common.c. */
export function processCpuNs() {
  let total = 0;
  for (const task of readdirSync('/proc/self/task'))
    total += Number(readFileSync(`/proc/self/task/${task}/schedstat`, 'latin1').split(' ', 1)[0]);
  return total;
}

/** Resident memory now and at its highest, in bytes. */
export function residentBytes() {
  const status = readFileSync('/proc/self/status', 'latin1');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
  return { rss: field('VmRSS'), peakRss: field('VmHWM') };
}

export function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Waits until nothing has arrived for a while. */
export async function drained() {
  for (let before = -1; before !== totals.packets;) {
    before = totals.packets;
    await delay(QUIET_MS);
  }
}

/** CPU time and events of the loop in two seconds. */
async function idle() {
  const cpu = processCpuNs();
  const before = performance.nodeTiming.uvMetricsInfo;
  await delay(IDLE_MS);
  const after = performance.nodeTiming.uvMetricsInfo;
  answer({ cpuNs: processCpuNs() - cpu, loops: after.loopCount - before.loopCount, events: after.events - before.events });
}

/** Keeps the event loop from running. Announced before and answered after. */
function busy() {
  const { packets } = totals;
  answer({ busy: true });
  for (const end = performance.now() + BUSY_MS; performance.now() < end;) continue;
  answer({ busy: false, packetsMeanwhile: totals.packets - packets });
}

/** Answers `mark` (start counting here), `stop` (with what `summary` adds), `idle`, `busy`, and the commands that the receiver adds. */
export function serve({ drops, summary = () => ({}), commands = {} }) {
  let cpu = processCpuNs();
  let dropped = 0;
  const all = {
    async mark() {
      await drained();
      answer({ marked: true, packets: totals.packets, ...residentBytes() });
      Object.assign(totals, { packets: 0, bytes: 0, sum: 0 });
      dropped = await drops();
      cpu = processCpuNs();
    },
    async stop() {
      await drained();
      const cpuNs = processCpuNs() - cpu;
      answer({ ...totals, drops: (await drops()) - dropped, cpuNs, ...residentBytes(), ...summary() });
      process.exit(0);
    },
    idle,
    busy,
    ...commands,
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => void all[line]())
    .on('close', () => process.exit(0));
  answer({ ready: true });
}
