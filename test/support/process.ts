/** Child processes of tests and what the kernel says of them. Every child dies with its parent, even when that is killed. */
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './paths';
import { within } from './wait';

export interface RunOptions {
  /** Network namespace to run in, as the pid of a process that lives there; default: the test's own. */
  namespace?: number | undefined;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
}

function commandLine(command: string, args: readonly string[], namespace: number | undefined): [string, string[]] {
  const enter = namespace === undefined ? [] : ['nsenter', `--net=/proc/${namespace}/ns/net`, '--'];
  return ['setpriv', ['--pdeathsig', 'KILL', '--', ...enter, command, ...args]];
}

/** Names of a process's threads, of this one's by default, as top(1) shows them; of those that end meanwhile it is empty. */
export function threadNames(pid: number = process.pid): string[] {
  return readdirSync(`/proc/${pid}/task`).map((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/comm`, 'latin1').trim();
    } catch {
      return '';
    }
  });
}

/** Runs a command to its end (at most `timeoutMs`) and returns its stdout; throws with its stderr when it fails. */
export function output(
  command: string,
  args: readonly string[],
  options: RunOptions & { input?: string | Uint8Array; timeoutMs?: number } = {},
): string {
  const result = spawnSync(...commandLine(command, args, options.namespace), {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    input: options.input,
    encoding: 'utf8',
    timeout: options.timeoutMs ?? 30_000,
    maxBuffer: 1 << 28,
  });
  if (result.error) throw result.error;
  if (result.status === 0) return result.stdout;
  throw new Error(`${command} ${args.join(' ')}: ${result.signal ?? `exit code ${result.status}`}\n${result.stderr}`);
}

/** A child that runs beside the test. */
export class Child {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Everything it wrote to stderr so far. */
  errors = '';
  readonly #name: string;
  readonly #closed: Promise<number>;
  #ended = false;

  constructor(command: string, args: readonly string[], options: RunOptions = {}) {
    this.#name = [command, ...args].join(' ');
    this.process = spawn(...commandLine(command, args, options.namespace), {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
    // A child that ends before it has read its input is judged by its exit code.
    this.process.stdin.on('error', () => undefined);
    this.#closed = once(this.process, 'close').then(([code, signal]) => {
      this.#ended = true;
      return (code as number | null) ?? (signal === null ? 128 : 129);
    });
    this.#closed.catch(() => (this.#ended = true));
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error(`${this.#name} cannot be started`);
    return this.process.pid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when stderr contains the text. */
  async says(text: string, ms = 10_000): Promise<void> {
    const seen = new Promise<void>((resolve, reject) => {
      const look = () => {
        if (this.errors.includes(text)) resolve();
      };
      this.process.stderr.on('data', look);
      this.#closed.then((code) => reject(new Error(`${this.#name} ended with ${code} before it said "${text}": ${this.errors}`)), reject);
      look();
    });
    await within(seen, ms, `${this.#name} says "${text}"; it said: ${this.errors}`);
  }

  /** The exit code, awaited for at most `ms`. */
  async exitCode(ms = 10_000): Promise<number> {
    return within(this.#closed, ms, `the end of ${this.#name}`);
  }

  /** Ends the child with a signal and waits until it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    if (!this.#ended) this.process.kill(signal);
    return this.exitCode();
  }
}

/** Rings that are mapped into this process. */
export const ringMappings = (): number => readFileSync('/proc/self/maps', 'utf8').split('socket:[').length - 1;

/** All that can be, by the `gc` that mocha's process has. */
export const collectGarbage = (): void => (globalThis as { gc?: () => void }).gc?.();

/**
 * CPU of this process while it only waits, in percent of one: the least of up to three waits of `ms`. The collection of what earlier tests have left may fall
 * into one of them; what spins, spins in each. A spin that ends is told as well: more than a quarter is no collection.
 */
export async function idleCpu(ms: number, wait: (ms: number) => Promise<unknown> = sleep): Promise<number> {
  collectGarbage();
  let least = Infinity;
  for (let round = 0; round < 3 && least > 1; round++) {
    const before = process.cpuUsage();
    await wait(ms);
    const { user, system } = process.cpuUsage(before);
    const percent = (user + system) / 10 / ms;
    if (percent > 25) return percent;
    least = Math.min(least, percent);
  }
  return least;
}

/** What a process holds and has used. */
export interface Footprint {
  descriptors: number;
  mappings: number;
  threads: number;
  rssBytes: number;
}

export function footprint(pid: number = process.pid): Footprint {
  // The command name in parentheses may hold spaces; the fields after it do not.
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    mappings: readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length - 1,
    threads: Number(stat[17]),
    rssBytes: Number(stat[21]) * 4096,
  };
}
