/** What the nodes tell under overload adds up to what the kernel counted at the other end of the cable, and so do their metrics. */
import assert from 'node:assert/strict';
import { metricsText } from '@netring/node-red';
import type { InjectStatistics } from '../../nodes/runtime/inject/inject-meter';
import { kernelCount, Lab, type Wire } from '../support/lab';
import { needsParser, scraped, seriesOf } from '../support/scrape';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { flood, numberedFrame } from '../support/witness';
import { slowQueue } from '../traffic/tx';
import { load, useFlows } from './flow';

const FLOOD = 20_000;

/** The value of one series now. */
function metric(name: string, labels: Readonly<Record<string, string>>): number | undefined {
  return scraped(metricsText('openmetrics'), 'openmetrics').samples.get(seriesOf(`netring_${name}`, labels));
}

describe('the books of the nodes under overload', function () {
  this.timeout(30_000);
  before(function () {
    needsParser(this);
  });
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());
  useFlows();

  const numbered = (first: number, end: number): Buffer[] => Array.from({ length: end - first }, (_, i) => numberedFrame(first + i));

  for (const output of ['batch', 'packet'] as const) {
    it(`capture-in, output ${output}: wire = packets + drops + shed`, async () => {
      const ring = { blockSize: 4096, blockCount: 8, blockTimeoutMs: 5 };
      const flow = await load('netring-capture-in', { interface: wire.a, output, statsInterval: 0.1, control: true, ...ring });
      await flow.status(/pps/);
      await flood(lab, wire.b, { count: FLOOD });
      await flow.accepted({ action: 'stop' });
      await flow.accepted({ action: 'stats' });
      const { packets, drops, shed } = flow.statistics.at(-1)!;
      assert.equal(packets + drops + shed, kernelCount(wire.b).sent);
      assert.equal(kernelCount(wire.b).sent, FLOOD);
      assert.ok(drops > 0, 'it was an overload');
      await flow.collected('first', 1);
      const delivered = (): number => flow.messages.reduce((sum, { ring: { packets: count } }) => sum + count, 0);
      await until(() => delivered() === packets, 5000, `${packets} packets, and there are ${delivered()}`);
      const labels = { iface: wire.a };
      assert.equal(metric('capture_received_total', labels), FLOOD);
      assert.equal(metric('capture_drops_total', labels), drops);
      const undelivered = metric('node_shed_total', labels)!;
      assert.equal(metric('capture_packets_total', labels)! - undelivered, packets);
      assert.equal(metric('capture_shed_total', labels)! + undelivered, shed);
    });
  }

  it('inject-out: frames = sent + rejected + dropped', async () => {
    slowQueue(wire.a, '8mbit', 60_000);
    const before = kernelCount(wire.b).received;
    const flow = await load('netring-inject-out', { interface: wire.a, onFull: 'drop', maxQueuedBytes: 300_000, allowDefaultRoute: true });
    await flow.status(/pps/);
    const messages = 60;
    for (let i = 0; i < messages; i++) flow.send({ payload: [...numbered(100 * i, 100 * i + 100), 'no frame', Buffer.alloc(13)] });
    await flow.collected('first', messages, 20_000);
    const sum = (name: 'sent' | 'rejected' | 'dropped'): number => flow.reports.reduce((total, report) => total + report[name], 0);
    const [sent, rejected, dropped] = [sum('sent'), sum('rejected'), sum('dropped')];
    assert.equal(sent + rejected + dropped, messages * 102);
    assert.ok(dropped > 0 && sent > 0 && rejected > 0, `an overload: ${sent} ${rejected} ${dropped}`);
    await until(() => kernelCount(wire.b).received - before === sent, 10_000, `${sent} frames at the other end`);
    flow.send({ action: 'stats' });
    const last = (await flow.collected('first', messages + 1)).at(-1)!.payload as InjectStatistics;
    assert.deepEqual([last.sent, last.rejected, last.dropped], [sent, rejected, dropped]);
    const names = ['tx_accepted_total', 'tx_packets_total', 'tx_rejected_total', 'tx_drops_total', 'tx_waiting', 'tx_waiting_bytes'];
    assert.deepEqual(
      names.map((name) => metric(`node_${name}`, { iface: wire.a })),
      [messages * 102, sent, rejected, dropped, 0, 0],
    );
    assert.equal(metric('inject_packets_total', { iface: wire.a }), sent);
  });

  it('inject-out: what still waits is in the books', async () => {
    const flow = await load('netring-inject-out', { interface: wire.a, pacing: 'pps', rate: 500 });
    await flow.status(/pps/);
    flow.send({ payload: numbered(0, 1500) });
    // Parsing takes longer than sending: the text of the moment is kept.
    const underWay = new RegExp(`netring_node_tx_packets_total{iface="${wire.a}"} [1-9]`);
    const text = await until(() => [metricsText('openmetrics')].find((now) => underWay.test(now)), 5000, 'the first frames');
    const { samples } = scraped(text, 'openmetrics');
    const value = (name: string): number => samples.get(seriesOf(`netring_node_${name}`, { iface: wire.a }))!;
    assert.ok(value('tx_waiting') > 0);
    assert.equal(value('tx_packets_total') + value('tx_rejected_total') + value('tx_drops_total') + value('tx_waiting'), 1500);
    assert.equal(value('tx_waiting_bytes'), 1500 * 64 + 1024);
  });

  it('bridge: received = forwarded + filtered + tooLarge + ringFull + errors + kernelDrops, in both directions', async () => {
    const right = await lab.wire();
    const ring = { aBlockSize: 4096, aBlockCount: 4, bBlockSize: 4096, bBlockCount: 4 };
    const flow = await load('netring-bridge', { interfaceA: wire.a, interfaceB: right.a, statsInterval: 0.1, ...ring });
    await flow.status(/pps/);
    const [there, back] = [kernelCount(right.b).received, kernelCount(wire.b).received];
    await Promise.all([flood(lab, wire.b, { count: FLOOD }), flood(lab, right.b, { count: FLOOD })]);
    const all = await until(
      () => flow.bridgeStatistics.findLast(({ aToB, bToA }) => aToB.received === FLOOD && bToA.received === FLOOD),
      10_000,
      'all frames in the statistics',
    );
    await until(() => kernelCount(right.b).received - there === all.aToB.forwarded, 5000, 'frames forwarded from a to b');
    await until(() => kernelCount(wire.b).received - back === all.bToA.forwarded, 5000, 'frames forwarded from b to a');
    for (const one of [all.aToB, all.bToA])
      assert.equal(one.forwarded + one.filtered + one.tooLarge + one.ringFull + one.errors + one.kernelDrops, FLOOD);
    assert.ok(all.aToB.kernelDrops + all.bToA.kernelDrops > 0, 'it was an overload');
    assert.equal(metric('bridge_received_total', { iface: wire.a, direction: 'a-to-b' }), kernelCount(wire.b).sent);
    assert.equal(metric('bridge_packets_total', { iface: right.a, direction: 'b-to-a' }), all.bToA.forwarded);
    assert.equal(metric('node_late_answers_total', { iface: wire.a, direction: 'a-to-b' }), 0);
  });

  it('xdp: wire = packets + drops + shed, and what it sends arrives', async function () {
    needsXdp(this);
    const options = { attach: 'skb', frameSize: 2048, frameCount: 256, output: 'packet', statsInterval: 0.1, allowDefaultRoute: true };
    const flow = await load('netring-xdp', { interface: wire.a, ...options });
    await flow.status(/pps/);
    const before = kernelCount(wire.b);
    flow.send({ payload: numbered(0, 3000) });
    await flood(lab, wire.b, { count: FLOOD });
    await flow.collected('completed', 1, 10_000);
    await flow.accepted({ action: 'stop' });
    await flow.accepted({ action: 'stats' });
    const { packets, drops, shed, sent, sendErrors } = await until(() => flow.xdpStatistics.at(-1), 5000, 'statistics');
    assert.equal(packets + drops + shed, kernelCount(wire.b).sent - before.sent);
    assert.ok(drops > 0, 'it was an overload');
    assert.equal(sent, 3000);
    assert.equal(kernelCount(wire.b).received - before.received, sent - sendErrors);
    assert.equal(metric('xdp_received_total', { iface: wire.a, queue: '0' }), FLOOD);
    assert.equal(metric('xdp_tx_packets_total', { iface: wire.a, queue: '0' }), sent - sendErrors);
    assert.equal(metric('node_tx_packets_total', { iface: wire.a }), sent);
  });
});
