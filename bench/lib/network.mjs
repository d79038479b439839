/**
 * Two network namespaces of our own with a veth pair between them: frames are made in the first, on cpu 0, and read in the second, on cpu 1.
 *
 * Each namespace lives in a process that waits for the end of its standard input: however this process ends, the pipe closes, the holder ends and
 * the namespace takes its interfaces with it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const START_TIMEOUT_MS = 5000;

/** A process that lives in a network namespace of its own until its standard input ends. */
export async function hold() {
  const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] });
  const own = readlinkSync('/proc/self/ns/net');
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline && holder.exitCode === null; await delay(5)) {
    if (readlinkSync(`/proc/${holder.pid}/ns/net`) !== own) return holder;
  }
  holder.kill();
  throw new Error('no network namespace: "unshare --net" failed');
}

export class Network {
  #holders;
  /** The generator's end and the reader's end. */
  near = 'va';
  far = 'vb';

  static async create() {
    const network = new Network();
    network.#holders = [await hold(), await hold()];
    // Without IPv6 no kernel says anything on the link, so what arrives is exactly what was sent.
    const silence = 'for c in all default; do echo 1 > /proc/sys/net/ipv6/conf/$c/disable_ipv6; done 2>/dev/null || true';
    for (const command of [network.sender, network.reader]) execute([...command('sh'), '-c', silence]);
    execute([
      ...network.sender('ip'),
      'link',
      'add',
      network.near,
      'type',
      'veth',
      'peer',
      'name',
      network.far,
      'netns',
      `${network.#holders[1].pid}`,
    ]);
    execute([...network.sender('ip'), 'link', 'set', network.near, 'up']);
    execute([...network.reader('ip'), 'link', 'set', network.far, 'up']);
    return network;
  }

  /** The command that runs a program where frames are made. */
  sender = (...command) => this.#inside(0, command);

  /** The command that runs a program where frames are read, before whatever else wants that CPU. */
  reader = (...command) => this.#inside(1, [...(command[0] === process.execPath ? FAVOURED : REAL_TIME), ...command]);

  /** GRO makes the far end poll (NAPI), which frames of the kernel's own generator need; a plain veth pair has it off. */
  setPolling(on) {
    execute([...this.reader('ethtool'), '-K', this.far, 'gro', on ? 'on' : 'off']);
  }

  close() {
    for (const holder of this.#holders) holder.stdin.end();
  }

  #inside(which, command) {
    return inside(this.#holders[which], which, command);
  }
}

const REAL_TIME = ['chrt', '-f', '10'];
/**
 * Node.js has threads that its main thread waits for in a turn of the loop that never sleeps (its collectors): on one CPU of its own and real-time
 * they never get a turn, and it spins (4,903 packets a second took 97 % of the CPU, and Node-RED did not start).
 */
const FAVOURED = ['nice', '-n', '-20'];

/** The command that runs another one in a holder's namespace, on one CPU. */
export function inside(holder, cpu, command) {
  return ['nsenter', `--net=/proc/${holder.pid}/ns/net`, 'taskset', '-c', `${cpu}`, ...command];
}

export function execute(command) {
  execFileSync(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
}
