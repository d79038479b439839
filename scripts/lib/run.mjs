/** Child processes of the scripts: started by name, ended by their own pid, never through a shell. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const bin = (name) => join(root, 'node_modules', '.bin', name);

/** A failure whose message is all the user needs: printed without a stack. */
export class Problem extends Error {}

/**
 * Runs a command to its end. Resolves to `{ code, output }`; `output` is stdout and stderr together when `capture` is set.
 * Rejects with a `Problem` when the command cannot be started, and when it fails unless `mayFail` is set.
 */
export function run(command, args, { cwd = root, env = process.env, capture = false, mayFail = false, what } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', capture ? 'pipe' : 'inherit', capture ? 'pipe' : 'inherit'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', (error) => reject(new Problem(`${what ?? command} cannot be started: ${error.message}`)));
    child.once('close', (status, signal) => {
      const code = status ?? 128;
      if (code === 0 || mayFail) resolve({ code, signal, output });
      else
        reject(
          new Problem(
            `${what ?? [command, ...args].join(' ')} failed (${signal ?? `exit code ${code}`})${output && `\n${output.trimEnd()}`}`,
          ),
        );
    });
  });
}

/**
 * Runs a script of this house with what the processor has left over (SCHED_IDLE, which all that it starts inherits): anything else that wants to
 * run goes first, at once. Rejects with what it printed when it fails.
 */
export async function runIdle(script, ...args) {
  const idle = which('chrt') === null ? [] : ['chrt', '--idle', '0'];
  const [command, ...rest] = [...idle, process.execPath, join(root, 'scripts', script), ...args];
  const { code, output } = await run(command, rest, { capture: true, mayFail: true });
  if (code !== 0) throw new Problem(output.trimEnd());
}

/** The output of a short command, or null when it fails or does not exist. */
export function output(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  return result.status === 0 ? (result.stdout ?? '') : null;
}

/** Path of a program in PATH (or in the system folders that an unprivileged user's PATH lacks), or null. */
export function which(program) {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      continue;
    }
  }
  return null;
}

/** Runs a script's main function: a `Problem` ends it with its message alone. */
export async function main(body) {
  try {
    if (Number.parseInt(process.versions.node, 10) < 20) throw new Problem(`Node.js ${process.version} is too old: 20 or later is needed`);
    await body();
  } catch (error) {
    console.error(error instanceof Problem ? error.message : error);
    process.exitCode = 1;
  }
}
