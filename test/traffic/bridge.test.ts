/** A bridge between two cables whose far ends live in namespaces of their own: what passes is judged there, by other programs. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bridge, type BridgeDirectionStats, type BridgeOptions, type BridgePort } from '@netring/node-red';
import { Lab, linkExists, promiscuity, type Wire, type WireOptions } from '../support/lab';
import { output } from '../support/process';
import { until } from '../support/wait';
import { CountingWitness, flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { frame, tagged } from './rx';

/** 16 MiB of receive ring an interface. */
const SMALL: Partial<BridgeOptions> = { profile: 'balanced' };

/** `tcpdump -ddd icmp`. */
const ICMP = '6\n40 0 0 12\n21 0 3 2048\n48 0 0 23\n21 0 1 1\n6 0 0 262144\n6 0 0 0';

const CLIENT = '10.77.0.1';
const SERVER = '10.77.0.2';
const SERVER6 = 'fd77::2';

const PYTHON_HTTP = ['-m', 'http.server', '8080', '--bind', SERVER, '--directory'];

describe('Bridge', () => {
  const lab = new Lab();
  let left: Wire;
  let right: Wire;
  afterEach(() => lab.close());

  async function wires(options: WireOptions = {}): Promise<void> {
    left = await lab.wire({ apart: true, ...options });
    right = await lab.wire({ apart: true, ...options });
  }

  /** Addresses at the far ends, which see each other only through the bridge. */
  async function hosts(): Promise<void> {
    await wires({ ipv6: true });
    lab.ip(`addr add ${CLIENT}/24 dev ${left.b}`, left.namespace);
    lab.ip(`addr add ${SERVER}/24 dev ${right.b}`, right.namespace);
    lab.ip(`addr add fd77::1/64 dev ${left.b} nodad`, left.namespace);
    lab.ip(`addr add ${SERVER6}/64 dev ${right.b} nodad`, right.namespace);
  }

  function bridge(options: Partial<BridgeOptions> = {}): Bridge {
    const opened = Bridge.builder({ ...SMALL, interfaceA: left.a, interfaceB: right.a, ...options }).build();
    lab.defer(() => opened.close());
    return opened.start();
  }

  const ping = (...args: string[]): string => output('ping', ['-n', ...args], { namespace: left.namespace });
  const loses = (...args: string[]): boolean => {
    try {
      return /100% packet loss/.test(ping(...args));
    } catch {
      return true;
    }
  };

  function assertLedger(one: BridgeDirectionStats): void {
    const { forwarded, filtered, tooLarge, ringFull, errors, kernelDrops } = one;
    assert.equal(one.received, forwarded + filtered + tooLarge + ringFull + errors + kernelDrops, JSON.stringify(one));
  }

  it('BR-01 ping, ARP and IPv6 neighbour discovery pass, and stop with the bridge', async () => {
    await hosts();
    const wire = bridge();
    assert.match(ping('-c', '5', '-i', '0.05', SERVER), / 0% packet loss/);
    assert.match(ping('-6', '-c', '5', '-i', '0.05', SERVER6), / 0% packet loss/);
    assert.match(lab.ip(`neigh show ${SERVER}`, left.namespace), /lladdr/);
    assert.match(lab.ip(`neigh show ${SERVER6}`, left.namespace), /lladdr/);
    wire.stop();
    assert.ok(loses('-c', '2', '-i', '0.1', '-W', '1', SERVER), 'stopped, it forwards nothing');
    assert.match(ping('-c', '1', '-W', '1', (wire.start(), SERVER)), / 0% packet loss/);
    const { aToB, bToA } = wire.cumulativeStats();
    assert.ok(aToB.forwarded > 10 && bToA.forwarded > 10 && aToB.kernelDrops > 0, 'what came while it was stopped is counted');
    assertLedger(aToB);
    assertLedger(bToA);
  });

  it('BR-02 100 MB over HTTP, with the offloads that a veth pair has by default', async () => {
    await hosts();
    const wire = bridge();
    const folder = mkdtempSync(join(tmpdir(), 'netring-bridge-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const bytes = Buffer.concat(Array.from({ length: 100 }, () => randomBytes(1_000_000)));
    writeFileSync(join(folder, 'file'), bytes);
    lab.start('python3', [...PYTHON_HTTP, folder], { namespace: right.namespace });
    const file = join(folder, 'copy');
    const args = ['-sS', '--fail', '--retry', '20', '--retry-delay', '1', '--retry-connrefused', '-m', '60', '-o', file];
    output('curl', [...args, `http://${SERVER}:8080/file`], { namespace: left.namespace });
    const sum = output('sha256sum', [file]).split(' ')[0];
    assert.equal(sum, createHash('sha256').update(bytes).digest('hex'));
    const { bToA } = wire.cumulativeStats();
    assert.ok(bToA.bytes / bToA.forwarded > 3000, 'super-frames travel whole');
    assertLedger(bToA);
  });

  it('BR-03 fragments of 60 000 bytes', async () => {
    await hosts();
    bridge();
    assert.match(ping('-c', '5', '-i', '0.05', '-s', '60000', SERVER), / 0% packet loss/);
    assert.match(ping('-6', '-c', '5', '-i', '0.05', '-s', '60000', SERVER6), / 0% packet loss/);
    lab.start('iperf3', ['-s', '-1'], { namespace: right.namespace });
    await sleep(300);
    const args = ['-c', SERVER, '-u', '-l', '60000', '-b', '50M', '-t', '1', '--json'];
    const report = JSON.parse(output('iperf3', args, { namespace: left.namespace })) as {
      end: { sum: { packets: number; lost_packets: number } };
    };
    assert.ok(report.end.sum.packets > 50);
    assert.equal(report.end.sum.lost_packets, 0);
  });

  it('BR-04 802.1Q, 802.1ad and QinQ frames arrive byte for byte', async () => {
    await wires();
    bridge();
    const frames = [
      frame('plain'),
      tagged(frame('dot1q'), [0x8100, 0x6064]),
      tagged(frame('dot1ad'), [0x88a8, 0x0005]),
      tagged(frame('qinq'), [0x88a8, 0x2064], [0x8100, 7]),
      tagged(frame('twice'), [0x8100, 1], [0x8100, 2]),
    ];
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      const witness = await Witness.open(lab, to.b, { namespace: to.namespace });
      await sendFrames(lab, from.b, frames, from.namespace);
      const seen = await witness.expect(frames.length);
      assert.deepEqual(
        seen.map((each) => each.data.toString('hex')),
        frames.map((each) => each.toString('hex')),
      );
      await witness.close();
    }
  });

  it('BR-05 a frame waits for no block and no timer', async () => {
    await hosts();
    bridge();
    ping('-c', '1', SERVER);
    const [, average] = /= [\d.]+\/([\d.]+)\//.exec(ping('-c', '50', '-i', '0.01', '-q', SERVER)) ?? [];
    // 0.13 ms on an idle machine, 0.9 with a TPACKET_V3 ring of 1 ms, 15 with one of 10.
    assert.ok(Number(average) < 5, `${average} ms`);
  });

  it('BR-06 each frame arrives once, in order, on the other side alone', async () => {
    await wires();
    const wire = bridge({ profile: 'default' });
    const far = await CountingWitness.open(lab, right.b, 50_000, { namespace: right.namespace });
    const back = await CountingWitness.open(lab, left.b, 50_000, { namespace: left.namespace });
    await flood(lab, left.b, { count: 50_000, rate: 50_000, namespace: left.namespace });
    await until(() => wire.cumulativeStats().aToB.forwarded >= 50_000, 5000, 'all frames');
    await sleep(100);
    const clean = { missing: 0, doubled: 0, changed: 0, foreign: 0, unordered: 0, dropped: 0 };
    assert.deepEqual(await far.verdict(), { received: 50_000, ...clean });
    assert.equal((await back.verdict()).received, 0);
  });

  it('BR-06 what this machine itself sends on a port stays on its side', async () => {
    await wires();
    bridge();
    const far = await Witness.open(lab, right.b, { namespace: right.namespace });
    await sendFrames(lab, left.a, [frame('own')]);
    await sendFrames(lab, left.b, [frame('foreign')], left.namespace);
    const [first] = await far.expect(1);
    assert.deepEqual(first?.data, frame('foreign'));
  });

  it('BR-07 one port down: the other goes on, no CPU burns, and it comes back', async () => {
    await hosts();
    const wire = bridge();
    const events: string[] = [];
    wire.on('down', (port) => events.push(`down ${port}`)).on('up', (port) => events.push(`up ${port}`));
    ping('-c', '1', SERVER);
    lab.ip(`link set ${right.a} down`);
    await until(() => events.includes('down b'), 5000, 'down');
    const before = process.cpuUsage();
    assert.ok(loses('-c', '3', '-i', '0.1', '-W', '1', SERVER));
    await sleep(500);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 300_000, `${(user + system) / 1000} ms of CPU while a port is down`);
    assert.ok(wire.cumulativeStats().aToB.errors > 0);
    lab.ip(`link set ${right.a} up`);
    await until(() => events.includes('up b'), 5000, 'up');
    await until(() => !loses('-c', '1', '-W', '1', SERVER), 5000, 'traffic again');
  });

  it('BR-07 a deleted port is reported; the rest is closed without harm', async () => {
    await wires();
    const wire = bridge();
    const gone: [BridgePort, string | undefined][] = [];
    wire.on('gone', (port, error) => gone.push([port, error.code]));
    lab.ip(`link del ${right.a}`);
    await until(() => gone.length > 0, 5000, 'gone');
    assert.deepEqual(gone, [['b', 'ENODEV']]);
    await sendFrames(lab, left.b, [frame('nowhere')], left.namespace);
    await until(() => wire.cumulativeStats().aToB.errors === 1, 5000, 'the frame');
    wire.close();
    assert.equal(promiscuity(left.a), 0);
  });

  it('BR-08 unequal MTUs: a warning, and what does not fit is counted', async () => {
    await wires();
    lab.ip(`link set ${left.a} mtu 9000`);
    lab.ip(`link set ${left.b} mtu 9000`, left.namespace);
    const wire = bridge();
    assert.match(wire.warnings.join(), /MTUs differ.*9000.*1500.*tooLarge/);
    const far = await Witness.open(lab, right.b, { namespace: right.namespace });
    const sizes = [1514, 1515, 9014, 60];
    await sendFrames(
      lab,
      left.b,
      sizes.map((size) => frame(`${size}`, size)),
      left.namespace,
    );
    await until(() => wire.cumulativeStats().aToB.received === 4, 5000, 'the frames');
    assert.deepEqual(
      (await far.expect(2)).map((each) => each.data.length),
      [1514, 60],
    );
    const { aToB } = wire.stats();
    assert.equal(aToB.tooLarge, 2);
    assertLedger(aToB);
    assert.equal(wire.stats().aToB.received, 0, 'stats() counts from call to call');
  });

  it('jumbo frames pass whole, through slots that are smaller', async () => {
    await wires({ mtu: 9000 });
    bridge();
    const far = await Witness.open(lab, right.b, { namespace: right.namespace });
    const frames = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? numberedFrame(i) : tagged(numberedFrame(i, 9014), [0x8100, i])));
    await sendFrames(lab, left.b, frames, left.namespace);
    const seen = await far.expect(frames.length);
    assert.deepEqual(
      seen.map((each) => each.data.toString('hex')),
      frames.map((each) => each.toString('hex')),
    );
  });

  it('BR-09 drops ICMP and passes TCP; the filter changes while it runs', async () => {
    await hosts();
    const wire = bridge({ filterAToB: ICMP, filterAction: 'drop' });
    assert.ok(loses('-c', '2', '-i', '0.1', '-W', '1', SERVER));
    lab.start('iperf3', ['-s', '-1'], { namespace: right.namespace });
    await sleep(300);
    output('iperf3', ['-c', SERVER, '-n', '10M'], { namespace: left.namespace });
    assert.ok(wire.cumulativeStats().aToB.filtered >= 2);
    await wire.setFilter('a-to-b', null);
    assert.match(ping('-c', '2', '-i', '0.05', SERVER), / 0% packet loss/);
    await wire.setFilter('b-to-a', ICMP, 'drop');
    assert.ok(loses('-c', '2', '-i', '0.1', '-W', '1', SERVER));
    await assert.rejects(
      wire.setFilter('b-to-a', [
        { code: 6, jt: 0, jf: 0, k: 1 },
        { code: 0xffff, jt: 0, jf: 0, k: 0 },
      ]),
      {
        kind: 'Config',
      },
    );
    assertLedger(wire.cumulativeStats().bToA);
  });

  it('holds link-local frames back only when told', async () => {
    await wires();
    const lldp = Buffer.concat([Buffer.from('0180c200000e', 'hex'), frame('lldp').subarray(6)]);
    for (const dropLinkLocal of [false, true]) {
      const wire = bridge({ dropLinkLocal });
      const far = await Witness.open(lab, right.b, { namespace: right.namespace });
      await sendFrames(lab, left.b, [lldp, frame('end')], left.namespace);
      const seen = await far.expect(dropLinkLocal ? 1 : 2);
      await until(() => wire.cumulativeStats().aToB.received === 2, 5000, 'both frames');
      assert.equal(seen.length, dropLinkLocal ? 1 : 2);
      assert.equal(wire.cumulativeStats().aToB.filtered, dropLinkLocal ? 1 : 0);
      wire.close();
      await far.close();
    }
  });

  it('BR-10 kill -9 leaves nothing behind', async () => {
    await wires();
    const script = `
      const { Bridge } = require('@netring/node-red');
      Bridge.builder({ profile: 'balanced', interfaceA: ${JSON.stringify(left.a)}, interfaceB: ${JSON.stringify(right.a)} }).build().start();
      console.error('ready');`;
    const child = lab.start(process.execPath, ['-e', script]);
    await child.says('ready');
    assert.deepEqual([promiscuity(left.a), promiscuity(right.a)], [1, 1]);
    await child.stop('SIGKILL');
    await until(() => promiscuity(left.a) === 0 && promiscuity(right.a) === 0, 5000, 'promiscuity back to 0');
    assert.ok(linkExists(left.a) && linkExists(right.a));
  });

  it('an exit, a terminated worker and an unref end the engine', async () => {
    await wires();
    const start = `
      const { Bridge } = require('@netring/node-red');
      const bridge = Bridge.builder({ profile: 'balanced', interfaceA: ${JSON.stringify(left.a)}, interfaceB: ${JSON.stringify(right.a)} }).build().start();`;
    const worker = `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(`${start} require('node:worker_threads').parentPort.postMessage('up'); setInterval(() => {}, 1000);`)}, { eval: true });
      worker.on('message', () => void worker.terminate().then(() => console.error('terminated')));`;
    for (const script of [`${start} process.exit(0);`, worker, `${start} bridge.unref();`]) {
      const child = lab.start(process.execPath, ['-e', script]);
      assert.equal(await child.exitCode(), 0, child.errors);
      assert.deepEqual([promiscuity(left.a), promiscuity(right.a)], [0, 0]);
    }
  });

  it('the sums add up under a flood that it cannot carry', async () => {
    await wires();
    const wire = bridge({ aBlockSize: 4096, aBlockCount: 8 });
    const far = await CountingWitness.open(lab, right.b, 300_000, { namespace: right.namespace });
    await flood(lab, left.b, { count: 300_000, namespace: left.namespace });
    await sleep(300);
    const { aToB } = wire.cumulativeStats();
    const verdict = await far.verdict();
    assert.equal(aToB.received, 300_000);
    assertLedger(aToB);
    assert.equal(verdict.received + verdict.dropped, aToB.forwarded);
    assert.equal(verdict.doubled + verdict.changed + verdict.unordered, 0);
  });

  it('costs nothing while nothing comes, and closes with all that it had', async () => {
    await wires();
    const wire = bridge();
    await sleep(200);
    const before = process.cpuUsage();
    await sleep(2000);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 20_000, `${(user + system) / 1000} ms of CPU in 2 s`);
    const fds = Object.values(wire.handles());
    assert.equal(new Set(fds).size, 4);
    wire.close();
    wire.close();
    assert.deepEqual(Object.values(wire.handles()), [-1, -1, -1, -1]);
    assert.throws(() => wire.start(), { code: 'ECANCELED' });
    assert.deepEqual([promiscuity(left.a), promiscuity(right.a)], [0, 0]);
  });

  it('refuses what is no pair of interfaces', async () => {
    await wires();
    const open = (options: BridgeOptions) => () => new Bridge({ ...SMALL, ...options });
    assert.throws(open({ interfaceA: left.a, interfaceB: left.a }), { kind: 'Config', option: 'interfaceB', message: /two ends/ });
    assert.throws(open({ interfaceA: left.a }), { kind: 'Config', option: 'interfaceB', message: /interfaceB is required/ });
    assert.throws(open({ interfaceA: left.a, interfaceB: 'none0' }), { kind: 'InterfaceNotFound', interface: 'none0' });
    assert.throws(open({ interfaceA: left.a, interfaceB: 'lo' }), { kind: 'Config', message: /lo.*link type 772/ });
    assert.throws(open({ interfaceA: left.a, interfaceB: right.a, aFrameSize: 100 }), { kind: 'Config', option: 'aFrameSize' });
    assert.equal(promiscuity(left.a), 0);
  });
});
