/** Senders side by side, and one of them frame by frame. */
import { interleave, REPETITIONS } from './interleave.mjs';
import { Process, run } from './process.mjs';
import { median, spread, table } from './table.mjs';

/** Sends with one sender while the C reader at the other end counts. */
async function measure(command, { programs, network }) {
  const reader = new Process(network.reader(programs.rx3, network.far, `${1 << 20}`, '64', '10'));
  try {
    await reader.reply();
    const made = await run(network.sender(...command));
    const read = await reader.ask('stop');
    return { ...made, lost: made.sent + (made.warmUp ?? 0) - read.packets };
  } finally {
    await reader.end();
  }
}

const cpu = (runs) => runs.map((one) => one.cpuNs / one.sent);

/** Measures and prints. `commands` are those of the senders by name; names of C programs start with `C `. */
export async function compareSenders(bench, length, count, commands) {
  const measured = await interleave(bench, `${length} bytes`, commands, (command) => measure(command, bench));
  // All senders keep one core busy without waiting, so their rates are as their CPU time, which other load on the machine does not falsify.
  const best = Math.min(...[...measured].filter(([name]) => name.startsWith('C ')).map(([, runs]) => median(cpu(runs))));
  const rows = [...measured].map(([name, runs]) => [
    name,
    spread(runs.map((one) => (one.sent / one.wallNs) * 1e6)),
    spread(cpu(runs)),
    (best / median(cpu(runs))).toFixed(2),
    spread(runs.map((one) => one.lost)),
  ]);
  bench.print(`${length} bytes, ${count} frames; ${REPETITIONS} runs: median (min-max)`);
  bench.print(table(['sender', 'kpps', 'CPU ns/frame', 'speed x best C', 'not arrived'], rows));
  return [...measured].map(([sender, runs]) => ({ sender, length, ratio: best / median(cpu(runs)), runs }));
}

/** Sends `count` sealed frames to a witness and gives what it says, as the only result; none when that failed, which is told. */
export async function judge({ programs, network, progress, fail }, sender, length, count, command) {
  progress(`${length} bytes: ${sender}`);
  const witness = new Process(network.reader(programs.witness, network.far, `${length}`, `${count}`));
  try {
    await witness.reply();
    await run(network.sender(...command));
    return [{ sender, length, ...(await witness.ask('stop')) }];
  } catch (error) {
    fail(`${sender}: ${error.message}`);
    return [];
  } finally {
    await witness.end();
  }
}

/** The table of what witnesses said. */
export function verdicts(results) {
  const columns = ['received', 'missing', 'doubled', 'changed', 'reordered', 'drops'];
  const rows = results.map((one) => [`${one.sender}, ${one.length} bytes`, ...columns.map((column) => `${one[column]}`)]);
  return table(['sender', ...columns.slice(0, -1), 'dropped by the witness'], rows);
}
