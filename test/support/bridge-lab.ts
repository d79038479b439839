/** A bridge between two cables whose far ends live in namespaces of their own. */
import assert from 'node:assert/strict';
import { Bridge, type BridgeAudience, type BridgeDirectionStats, type BridgeOptions } from '@netring/node-red';
import { Lab, type Wire, type WireOptions } from './lab';
import { output } from './process';
import { until } from './wait';

/** 16 MiB of receive ring an interface. */
export const SMALL: Partial<BridgeOptions> = { profile: 'balanced' };

/** `tcpdump -ddd icmp`. */
export const ICMP = '6\n40 0 0 12\n21 0 3 2048\n48 0 0 23\n21 0 1 1\n6 0 0 262144\n6 0 0 0';

export const CLIENT = '10.77.0.1';
export const SERVER = '10.77.0.2';
export const SERVER6 = 'fd77::2';

export const PYTHON_HTTP = ['-m', 'http.server', '8080', '--bind', SERVER, '--directory'];

export class BridgeLab extends Lab {
  left!: Wire;
  right!: Wire;

  async wires(options: WireOptions = {}): Promise<void> {
    this.left = await this.wire({ apart: true, ...options });
    this.right = await this.wire({ apart: true, ...options });
  }

  /** Addresses at the far ends, which see each other only through the bridge. */
  async hosts(): Promise<void> {
    await this.wires({ ipv6: true });
    this.ip(`addr add ${CLIENT}/24 dev ${this.left.b}`, this.left.namespace);
    this.ip(`addr add ${SERVER}/24 dev ${this.right.b}`, this.right.namespace);
    this.ip(`addr add fd77::1/64 dev ${this.left.b} nodad`, this.left.namespace);
    this.ip(`addr add ${SERVER6}/64 dev ${this.right.b} nodad`, this.right.namespace);
  }

  open(options: Partial<BridgeOptions> = {}): Bridge {
    const opened = Bridge.builder({ ...SMALL, interfaceA: this.left.a, interfaceB: this.right.a, ...options }).build();
    this.defer(() => opened.close());
    return opened;
  }

  bridge(options: Partial<BridgeOptions> = {}, audience: BridgeAudience = {}): Bridge {
    return this.open(options).start(audience);
  }

  ping(...args: string[]): string {
    return output('ping', ['-n', ...args], { namespace: this.left.namespace });
  }

  /** A program of the client's, while this process goes on. */
  async client(command: string, args: readonly string[], ms = 30_000): Promise<string> {
    const child = this.start(command, args, { namespace: this.left.namespace });
    let text = '';
    child.process.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    await child.exitCode(ms);
    return text + child.errors;
  }

  /**
   * Asserts that each of `count` echo requests is answered. One by one: of several, ping waits for the last answer only twice as long as for the slowest
   * one before it.
   */
  pings(count: number, ...args: string[]): void {
    for (let i = 0; i < count; i++) assert.match(this.ping('-c', '1', '-W', '5', ...args), / 0% packet loss/);
  }

  /** The same, while this process goes on. */
  async clientPings(count: number, ...args: string[]): Promise<void> {
    for (let i = 0; i < count; i++) assert.match(await this.client('ping', ['-n', '-c', '1', '-W', '5', ...args]), / 0% packet loss/);
  }

  /** An iperf3 for one client, once it listens. */
  async iperfServer(): Promise<void> {
    const { namespace } = this.right;
    this.start('iperf3', ['-s', '-1'], { namespace });
    await until(() => /LISTEN/.test(output('ss', ['-ltn', 'sport = :5201'], { namespace })), 5000, 'iperf3');
  }

  loses(...args: string[]): boolean {
    try {
      return /100% packet loss/.test(this.ping(...args));
    } catch {
      return true;
    }
  }
}

export function assertLedger(one: BridgeDirectionStats): void {
  const { forwarded, filtered, tooLarge, ringFull, errors, kernelDrops } = one;
  assert.equal(one.received, forwarded + filtered + tooLarge + ringFull + errors + kernelDrops, JSON.stringify(one));
}
