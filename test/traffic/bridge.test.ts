/** A bridge between two cables whose far ends live in namespaces of their own: what passes is judged there, by other programs. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bridge, type BridgeOptions, type BridgePort } from '@netring/node-red';
import { linkExists, promiscuity } from '../support/lab';
import { idleCpu, output, threadNames } from '../support/process';
import { until } from '../support/wait';
import { CountingWitness, flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { assertLedger, BridgeLab, ICMP, PYTHON_HTTP, SERVER, SERVER6, SMALL } from '../support/bridge-lab';
import { frame, tagged } from './rx';

describe('Bridge', () => {
  const lab = new BridgeLab();
  afterEach(() => lab.close());

  it('BR-01 ping, ARP and IPv6 neighbour discovery pass, and stop with the bridge', async () => {
    await lab.hosts();
    const wire = lab.bridge();
    lab.pings(5, SERVER);
    assert.equal(threadNames().filter((name) => name === 'netring-bridge').length, 1);
    lab.pings(5, '-6', SERVER6);
    assert.match(lab.ip(`neigh show ${SERVER}`, lab.left.namespace), /lladdr/);
    assert.match(lab.ip(`neigh show ${SERVER6}`, lab.left.namespace), /lladdr/);
    wire.stop();
    assert.ok(lab.loses('-c', '2', '-i', '0.1', '-W', '1', SERVER), 'stopped, it forwards nothing');
    wire.start();
    lab.pings(1, SERVER);
    const { aToB, bToA } = wire.cumulativeStats();
    assert.ok(aToB.forwarded > 10 && bToA.forwarded > 10 && aToB.kernelDrops > 0, 'what came while it was stopped is counted');
    assertLedger(aToB);
    assertLedger(bToA);
  });

  it('BR-02 100 MB over HTTP, with the offloads that a veth pair has by default', async () => {
    await lab.hosts();
    const wire = lab.bridge();
    const folder = mkdtempSync(join(tmpdir(), 'netring-bridge-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const bytes = Buffer.concat(Array.from({ length: 100 }, () => randomBytes(1_000_000)));
    writeFileSync(join(folder, 'file'), bytes);
    lab.start('python3', [...PYTHON_HTTP, folder], { namespace: lab.right.namespace });
    const file = join(folder, 'copy');
    const args = ['-sS', '--fail', '--retry', '20', '--retry-delay', '1', '--retry-connrefused', '-m', '60', '-o', file];
    output('curl', [...args, `http://${SERVER}:8080/file`], { namespace: lab.left.namespace });
    const sum = output('sha256sum', [file]).split(' ')[0];
    assert.equal(sum, createHash('sha256').update(bytes).digest('hex'));
    const { bToA } = wire.cumulativeStats();
    assert.ok(bToA.bytes / bToA.forwarded > 3000, 'super-frames travel whole');
    assertLedger(bToA);
  });

  it('BR-02 a port that cannot cut super-frames itself: the kernel does, and nothing stalls', async () => {
    await lab.hosts();
    output('ethtool', ['-K', lab.left.a, 'tso', 'off', 'gso', 'off', 'tx', 'off']);
    const wire = lab.bridge();
    await lab.iperfServer();
    const report = JSON.parse(output('iperf3', ['-c', SERVER, '-R', '-n', '100M', '--json'], { namespace: lab.left.namespace })) as {
      end: { sum_received: { seconds: number; bytes: number } };
    };
    assert.ok(report.end.sum_received.seconds < 5, `${report.end.sum_received.seconds} s for 100 MB`);
    const { bToA } = wire.cumulativeStats();
    assert.equal(bToA.ringFull + bToA.errors, 0);
    assertLedger(bToA);
  });

  it('BR-03 fragments of 60 000 bytes', async () => {
    await lab.hosts();
    lab.bridge();
    lab.pings(5, '-s', '60000', SERVER);
    lab.pings(5, '-6', '-s', '60000', SERVER6);
    await lab.iperfServer();
    const args = ['-c', SERVER, '-u', '-l', '60000', '-b', '50M', '-t', '1', '--json'];
    const report = JSON.parse(output('iperf3', args, { namespace: lab.left.namespace })) as {
      end: { sum: { packets: number; lost_packets: number } };
    };
    assert.ok(report.end.sum.packets > 50);
    assert.equal(report.end.sum.lost_packets, 0);
  });

  it('BR-04 802.1Q, 802.1ad and QinQ frames arrive byte for byte', async () => {
    await lab.wires();
    lab.bridge();
    const frames = [
      frame('plain'),
      tagged(frame('dot1q'), [0x8100, 0x6064]),
      tagged(frame('dot1ad'), [0x88a8, 0x0005]),
      tagged(frame('qinq'), [0x88a8, 0x2064], [0x8100, 7]),
      tagged(frame('twice'), [0x8100, 1], [0x8100, 2]),
    ];
    for (const [from, to] of [
      [lab.left, lab.right],
      [lab.right, lab.left],
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
    await lab.hosts();
    lab.bridge();
    lab.ping('-c', '1', SERVER);
    const [, average] = /= [\d.]+\/([\d.]+)\//.exec(lab.ping('-c', '50', '-i', '0.01', '-q', SERVER)) ?? [];
    // 0.13 ms on an idle machine, 0.9 with a TPACKET_V3 ring of 1 ms, 15 with one of 10.
    assert.ok(Number(average) < 5, `${average} ms`);
  });

  it('BR-06 each frame arrives once, in order, on the other side alone', async () => {
    await lab.wires();
    const wire = lab.bridge({ profile: 'default' });
    const far = await CountingWitness.open(lab, lab.right.b, 50_000, { namespace: lab.right.namespace });
    const back = await CountingWitness.open(lab, lab.left.b, 50_000, { namespace: lab.left.namespace });
    await flood(lab, lab.left.b, { count: 50_000, rate: 50_000, namespace: lab.left.namespace });
    await until(() => wire.cumulativeStats().aToB.forwarded >= 50_000, 5000, 'all frames');
    await sleep(100);
    const clean = { missing: 0, doubled: 0, changed: 0, foreign: 0, unordered: 0, dropped: 0 };
    assert.deepEqual(await far.verdict(), { received: 50_000, ...clean });
    assert.equal((await back.verdict()).received, 0);
  });

  it('BR-06 what this machine itself sends on a port stays on its side', async () => {
    await lab.wires();
    lab.bridge();
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    await sendFrames(lab, lab.left.a, [frame('own')]);
    await sendFrames(lab, lab.left.b, [frame('foreign')], lab.left.namespace);
    const [first] = await far.expect(1);
    assert.deepEqual(first?.data, frame('foreign'));
  });

  it('BR-07 one port down: the other goes on, no CPU burns, and it comes back', async () => {
    await lab.hosts();
    const wire = lab.bridge();
    const events: string[] = [];
    wire.on('down', (port) => events.push(`down ${port}`)).on('up', (port) => events.push(`up ${port}`));
    lab.ping('-c', '1', SERVER);
    lab.ip(`link set ${lab.right.a} down`);
    await until(() => events.includes('down b'), 5000, 'down');
    const before = process.cpuUsage();
    assert.ok(lab.loses('-c', '3', '-i', '0.1', '-W', '1', SERVER));
    await sleep(500);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 300_000, `${(user + system) / 1000} ms of CPU while a port is down`);
    assert.ok(wire.cumulativeStats().aToB.errors > 0);
    lab.ip(`link set ${lab.right.a} up`);
    await until(() => events.includes('up b'), 5000, 'up');
    await until(() => !lab.loses('-c', '1', '-W', '1', SERVER), 5000, 'traffic again');
  });

  it('BR-07 a deleted port is reported; the rest is closed without harm', async () => {
    await lab.wires();
    const wire = lab.bridge();
    const gone: [BridgePort, string | undefined][] = [];
    wire.on('gone', (port, error) => gone.push([port, error.code]));
    lab.ip(`link del ${lab.right.a}`);
    await until(() => gone.length > 0, 5000, 'gone');
    assert.deepEqual(gone, [['b', 'ENODEV']]);
    await sendFrames(lab, lab.left.b, [frame('nowhere')], lab.left.namespace);
    await until(() => wire.cumulativeStats().aToB.errors === 1, 5000, 'the frame');
    wire.close();
    assert.equal(promiscuity(lab.left.a), 0);
  });

  it('BR-08 unequal MTUs: a warning, and what does not fit is counted', async () => {
    await lab.wires();
    lab.ip(`link set ${lab.left.a} mtu 9000`);
    lab.ip(`link set ${lab.left.b} mtu 9000`, lab.left.namespace);
    const wire = lab.bridge();
    assert.match(wire.warnings.join(), /MTUs differ.*9000.*1500.*tooLarge/);
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const sizes = [1514, 1515, 9014, 60];
    await sendFrames(
      lab,
      lab.left.b,
      sizes.map((size) => frame(`${size}`, size)),
      lab.left.namespace,
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
    await lab.wires({ mtu: 9000 });
    lab.bridge();
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const frames = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? numberedFrame(i) : tagged(numberedFrame(i, 9014), [0x8100, i])));
    await sendFrames(lab, lab.left.b, frames, lab.left.namespace);
    const seen = await far.expect(frames.length);
    assert.deepEqual(
      seen.map((each) => each.data.toString('hex')),
      frames.map((each) => each.toString('hex')),
    );
  });

  it('BR-09 drops ICMP and passes TCP; the filter changes while it runs', async () => {
    await lab.hosts();
    const wire = lab.bridge({ filterAToB: ICMP, filterAction: 'drop' });
    assert.ok(lab.loses('-c', '2', '-i', '0.1', '-W', '1', SERVER));
    await lab.iperfServer();
    output('iperf3', ['-c', SERVER, '-n', '10M'], { namespace: lab.left.namespace });
    assert.ok(wire.cumulativeStats().aToB.filtered >= 2);
    await wire.setFilter('a-to-b', null);
    lab.pings(2, SERVER);
    await wire.setFilter('b-to-a', ICMP, 'drop');
    assert.ok(lab.loses('-c', '2', '-i', '0.1', '-W', '1', SERVER));
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
    await lab.wires();
    const lldp = Buffer.concat([Buffer.from('0180c200000e', 'hex'), frame('lldp').subarray(6)]);
    for (const dropLinkLocal of [false, true]) {
      const wire = lab.bridge({ dropLinkLocal });
      const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
      await sendFrames(lab, lab.left.b, [lldp, frame('end')], lab.left.namespace);
      const seen = await far.expect(dropLinkLocal ? 1 : 2);
      await until(() => wire.cumulativeStats().aToB.received === 2, 5000, 'both frames');
      assert.equal(seen.length, dropLinkLocal ? 1 : 2);
      assert.equal(wire.cumulativeStats().aToB.filtered, dropLinkLocal ? 1 : 0);
      wire.close();
      await far.close();
    }
  });

  it('BR-10 kill -9 leaves nothing behind', async () => {
    await lab.wires();
    // One port as it comes, one that is not.
    output('ethtool', ['-K', lab.right.a, 'gro', 'off', 'tx', 'off']);
    const offloads = (): string[] => [lab.left.a, lab.right.a].map((name) => output('ethtool', ['-k', name]));
    const before = offloads();
    assert.match(before[1]!, /^tx-checksumming: off$/m);
    const script = `
      const { Bridge } = require('@netring/node-red');
      Bridge.builder({ profile: 'balanced', interfaceA: ${JSON.stringify(lab.left.a)}, interfaceB: ${JSON.stringify(lab.right.a)} }).build().start();
      console.error('ready');`;
    const child = lab.start(process.execPath, ['-e', script]);
    await child.says('ready');
    assert.deepEqual([promiscuity(lab.left.a), promiscuity(lab.right.a)], [1, 1]);
    await child.stop('SIGKILL');
    await until(() => promiscuity(lab.left.a) === 0 && promiscuity(lab.right.a) === 0, 5000, 'promiscuity back to 0');
    assert.deepEqual(offloads(), before);
    assert.ok(linkExists(lab.left.a) && linkExists(lab.right.a));
  });

  it('an exit, a terminated worker and an unref end the engine', async () => {
    await lab.wires();
    const start = `
      const { Bridge } = require('@netring/node-red');
      const bridge = Bridge.builder({ profile: 'balanced', interfaceA: ${JSON.stringify(lab.left.a)}, interfaceB: ${JSON.stringify(lab.right.a)} }).build().start();`;
    const worker = `
      const { Worker } = require('node:worker_threads');
      const code = ${JSON.stringify(`${start} require('node:worker_threads').parentPort.postMessage('up'); setInterval(() => {}, 1000);`)};
      (async () => {
        for (let round = 0; round < 10; round++) {
          const worker = new Worker(code, { eval: true });
          await new Promise((resolve) => worker.once('message', resolve));
          if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, round));
          await worker.terminate();
        }
      })();`;
    for (const script of [`${start} process.exit(0);`, worker, `${start} bridge.unref();`]) {
      const child = lab.start(process.execPath, ['-e', script]);
      assert.equal(await child.exitCode(), 0, child.errors);
      assert.deepEqual([promiscuity(lab.left.a), promiscuity(lab.right.a)], [0, 0]);
    }
  });

  it('the sums add up under a flood that it cannot carry', async () => {
    await lab.wires();
    const wire = lab.bridge({ aBlockSize: 4096, aBlockCount: 8 });
    const far = await CountingWitness.open(lab, lab.right.b, 300_000, { namespace: lab.right.namespace });
    await flood(lab, lab.left.b, { count: 300_000, namespace: lab.left.namespace });
    await until(() => wire.cumulativeStats().aToB.received === 300_000, 5000, 'all frames');
    await sleep(100);
    const { aToB } = wire.cumulativeStats();
    const verdict = await far.verdict();
    assert.equal(aToB.received, 300_000);
    assertLedger(aToB);
    assert.equal(verdict.received + verdict.dropped, aToB.forwarded);
    assert.equal(verdict.doubled + verdict.changed + verdict.unordered, 0);
  });

  it('costs nothing while nothing comes, and closes with all that it had', async () => {
    await lab.wires();
    const wire = lab.bridge();
    await sleep(200);
    const used = await idleCpu(2000);
    assert.ok(used < 1, `${used} % of a CPU`);
    const fds = Object.values(wire.handles());
    assert.equal(new Set(fds).size, 4);
    wire.close();
    wire.close();
    assert.deepEqual(Object.values(wire.handles()), [-1, -1, -1, -1]);
    assert.throws(() => wire.start(), { code: 'ECANCELED' });
    assert.deepEqual([promiscuity(lab.left.a), promiscuity(lab.right.a)], [0, 0]);
  });

  it('refuses what is no pair of interfaces', async () => {
    await lab.wires();
    const open = (options: BridgeOptions) => () => new Bridge({ ...SMALL, ...options });
    assert.throws(open({ interfaceA: lab.left.a, interfaceB: lab.left.a }), { kind: 'Config', option: 'interfaceB', message: /two ends/ });
    assert.throws(open({ interfaceA: lab.left.a }), { kind: 'Config', option: 'interfaceB', message: /interfaceB is required/ });
    assert.throws(open({ interfaceA: lab.left.a, interfaceB: 'none0' }), { kind: 'InterfaceNotFound', interface: 'none0' });
    assert.throws(open({ interfaceA: lab.left.a, interfaceB: 'lo' }), { kind: 'Config', message: /lo.*link type 772/ });
    assert.throws(open({ interfaceA: lab.left.a, interfaceB: lab.right.a, aFrameSize: 100 }), { kind: 'Config', option: 'aFrameSize' });
    assert.equal(promiscuity(lab.left.a), 0);
  });
});
