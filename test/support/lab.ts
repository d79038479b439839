/**
 * Virtual cables for tests. `npm test` runs every suite in a network namespace of its own; a lab refuses to work in the machine's.
 *
 *   const lab = new Lab();
 *   after(() => lab.close());
 *   const wire = await lab.wire();                  // wire.a <-> wire.b, both up, both here
 *   const far = await lab.wire({ apart: true });    // far.b lives in a namespace of its own: far.namespace
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { Child, output, type RunOptions } from './process';
import { until } from './wait';

export interface Wire {
  readonly a: string;
  readonly b: string;
  /** Where `b` lives: pid for `RunOptions.namespace`; undefined when that is the test's own namespace. */
  readonly namespace: number | undefined;
}

export interface WireOptions {
  /** Put `b` into a second network namespace, so that traffic between IP addresses of the two really crosses the cable. */
  apart?: boolean;
  /** Leave IPv6 on, whose neighbour discovery sends frames of its own. */
  ipv6?: boolean;
  /** Bring both ends up; default true. */
  up?: boolean;
  mtu?: number;
  /** Arguments of `ip link add` for both ends, such as `['numrxqueues', '2']`. */
  link?: readonly string[];
}

let wires = 0;

export class Lab {
  readonly #cleanups: (() => unknown)[] = [];

  constructor() {
    if (process.env['NETRING_TEST_NAMESPACE'] !== readlinkSync('/proc/self/ns/net')) {
      throw new Error('tests with real traffic run in a network namespace of their own: npm test -- <suite>');
    }
  }

  /** Registers something to undo in `close()`, last first. */
  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Undoes everything, whatever fails on the way; then rejects with the first failure. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let cleanup = this.#cleanups.pop(); cleanup !== undefined; cleanup = this.#cleanups.pop()) {
      try {
        await cleanup();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** A child process that `close()` ends. */
  start(command: string, args: readonly string[], options: RunOptions = {}): Child {
    const child = new Child(command, args, options);
    this.defer(() => child.stop());
    return child;
  }

  /** A second network namespace with `lo` up. Returns the pid that holds it. */
  async namespace(): Promise<number> {
    const own = readlinkSync('/proc/self/ns/net');
    const holder = this.start('unshare', ['--net', 'sleep', 'infinity']);
    await until(() => namespaceOf(holder.pid) !== own && isSleep(holder.pid), 5000, 'a second network namespace');
    output('ip', ['link', 'set', 'lo', 'up'], { namespace: holder.pid });
    return holder.pid;
  }

  /** A pair of virtual Ethernet interfaces. */
  async wire(options: WireOptions = {}): Promise<Wire> {
    const namespace = options.apart ? await this.namespace() : undefined;
    const id = `${process.pid.toString(36)}x${(wires++).toString(36)}`;
    const wire: Wire = { a: `na${id}`, b: `nb${id}`, namespace };
    const shape = [...(options.link ?? []), ...(options.mtu === undefined ? [] : ['mtu', String(options.mtu)])];
    output('ip', [
      'link',
      'add',
      wire.a,
      ...shape,
      'type',
      'veth',
      'peer',
      'name',
      wire.b,
      ...shape,
      ...(namespace === undefined ? [] : ['netns', `${namespace}`]),
    ]);
    // A test may have deleted its cable itself, and the end of a namespace deletes what is in it.
    this.defer(() => linkExists(wire.a) && output('ip', ['link', 'del', wire.a]));
    for (const [name, where] of ends(wire)) {
      if (!options.ipv6) output('ip', ['link', 'set', name, 'addrgenmode', 'none'], { namespace: where });
      if (options.up ?? true) output('ip', ['link', 'set', name, 'up'], { namespace: where });
    }
    if (options.up ?? true) await until(() => carrier(wire.a), 5000, `carrier on ${wire.a}`);
    return wire;
  }

  /** Runs `ip` with words split at blanks: `lab.ip('link set eth0 down')`. */
  ip(command: string, namespace?: number): string {
    return output('ip', command.split(' '), { namespace });
  }
}

function ends(wire: Wire): [string, number | undefined][] {
  return [
    [wire.a, undefined],
    [wire.b, wire.namespace],
  ];
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

const isSleep = (pid: number): boolean => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sleep';

/** One entry of `ip -d -j link`: only what tests look at. */
export interface LinkState {
  ifname: string;
  ifindex: number;
  flags: string[];
  mtu: number;
  address: string;
  promiscuity: number;
  operstate: string;
  xdp?: { prog?: { id: number }; attached?: { prog: { id: number } }[] };
}

export function links(namespace?: number): LinkState[] {
  return JSON.parse(output('ip', ['-d', '-j', 'link', 'show'], { namespace })) as LinkState[];
}

export function link(name: string, namespace?: number): LinkState {
  const found = links(namespace).find((entry) => entry.ifname === name);
  if (found === undefined) throw new Error(`no interface ${name}`);
  return found;
}

export const linkExists = (name: string, namespace?: number): boolean => links(namespace).some((entry) => entry.ifname === name);
/** Whether an interface has a carrier and sends: LOWER_UP alone stands there before its queue does, and frames vanish meanwhile. */
export const carrier = (name: string, namespace?: number): boolean => link(name, namespace).operstate === 'UP';
/** How many sockets and users hold the interface promiscuous. */
export const promiscuity = (name: string, namespace?: number): number => link(name, namespace).promiscuity;
/** Inodes of the packet sockets in this process's network namespace, in order: a ring that is opened anew has another one. */
export function packetSockets(): string[] {
  const [, ...lines] = readFileSync('/proc/net/packet', 'utf8').trim().split('\n');
  return lines.map((line) => line.trim().split(/\s+/).at(-1)!).sort();
}

/** Id of the XDP program on an interface. */
export const xdpProgram = (name: string, namespace?: number): number | undefined => {
  const { xdp } = link(name, namespace);
  return xdp?.prog?.id ?? xdp?.attached?.[0]?.prog.id;
};

/** What the kernel has counted on an interface: an account of the wire that is none of ours. */
export function kernelCount(name: string, namespace?: number): { received: number; sent: number } {
  const [entry] = JSON.parse(output('ip', ['-s', '-j', 'link', 'show', 'dev', name], { namespace })) as [
    { stats64: { rx: { packets: number }; tx: { packets: number } } },
  ];
  return { received: entry.stats64.rx.packets, sent: entry.stats64.tx.packets };
}
