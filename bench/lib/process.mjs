/** Child processes that answer commands on their standard input with one line of JSON each. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const REPLY_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 5000;

export class Process {
  #child;
  #lines = [];
  #wake = () => {};
  #ended = false;
  #errors = '';
  #name;

  /** @param {string[]} command Program and arguments. */
  constructor(command) {
    this.#name = command.slice(-6).join(' ');
    this.#child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
    // A process that dies early is reported by the reply that does not come, not by the pipe.
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.on('data', (text) => (this.#errors += text));
    this.#child.on('error', (error) => (this.#errors += error.message));
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      // Whatever else a program prints is not for us.
      if (line.startsWith('{')) this.#lines.push(JSON.parse(line));
      this.#wake();
    });
    this.#child.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Sends a command and waits for its answer. */
  async ask(command) {
    this.#child.stdin.write(`${command}\n`);
    return this.reply();
  }

  /** The next answer, in order. */
  async reply() {
    const deadline = Date.now() + REPLY_TIMEOUT_MS;
    while (this.#lines.length === 0) {
      if (this.#ended) throw new Error(`${this.#name}: ended without an answer: ${this.#complaint()}`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${this.#name}: no answer for ${REPLY_TIMEOUT_MS / 1000} s: ${this.#complaint()}`);
      await this.#change(left);
    }
    return this.#lines.shift();
  }

  /** What of its standard error tells most: the line with the error, without the stack. */
  #complaint() {
    const lines = this.#errors.trim().split('\n');
    return lines.find((line) => /^(\w*Error\b|fatal)/i.test(line)) ?? lines.at(-1);
  }

  /** Waits for the process to end, which the end of its input tells it to, and ends it when it does not. */
  async end() {
    this.#child.stdin.end();
    const deadline = Date.now() + END_TIMEOUT_MS;
    while (!this.#ended && Date.now() < deadline) await this.#change(deadline - Date.now());
    if (!this.#ended) this.#child.kill('SIGKILL');
  }

  /** Waits for a line, the end, or the time. */
  #change(timeoutMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Runs a program to its end and gives its one answer. */
export async function run(command) {
  const child = new Process(command);
  try {
    return await child.reply();
  } finally {
    await child.end();
  }
}
