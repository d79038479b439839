/** Metrics of open handles as a scraper reads them: by Prometheus's own parser, and through prom-client. */
import assert from 'node:assert/strict';
import {
  AsyncCapture,
  Capture,
  captureGroup,
  METRICS_CONTENT_TYPES,
  metricsText,
  recordCaptureDelta,
  registerMetrics,
  type CaptureStats,
  type MetricsFormat,
} from '@netring/node-red';
import { Counter, Registry } from 'prom-client';
import { MOST_KEPT } from '../../src/metrics/book';
import { BridgeLab } from '../support/bridge-lab';
import { kernelCount, type Wire } from '../support/lab';
import { output } from '../support/process';
import { fallen, needsParser, scraped, seriesOf, type Scraped } from '../support/scrape';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { flood } from '../support/witness';
import { capture, collect } from './rx';
import { injector, numbered } from './tx';
import { xdp } from './xdp';

const FORMATS = ['prometheus', 'openmetrics'] as const;
const REGISTRY_TYPES = { prometheus: Registry.PROMETHEUS_CONTENT_TYPE, openmetrics: Registry.OPENMETRICS_CONTENT_TYPE } as const;

/** Now, by the strict one of the two parsers. */
const scrape = (): Scraped => scraped(metricsText('openmetrics'), 'openmetrics').samples;
/** Series of one prefix that have the labels, without them. */
function ofLabels(samples: Scraped, prefix: string, labels: Readonly<Record<string, string>>): Record<string, number> {
  const end = seriesOf('', labels);
  const found = [...samples].filter(([key]) => key.startsWith(prefix) && key.endsWith(end));
  return Object.fromEntries(found.map(([key, value]) => [key.slice(prefix.length, -end.length), value]));
}
const captureSeries = (iface: string, samples = scrape()): Record<string, number> => ofLabels(samples, 'netring_capture_', { iface });

describe('metrics', function () {
  this.timeout(30_000);
  before(function () {
    needsParser(this);
  });
  const lab = new BridgeLab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  it('a capture: the numbers of its stats(), whichever shell is asked', async () => {
    const rx = new AsyncCapture(Capture.builder({ interface: wire.a, profile: 'balanced' }).build());
    lab.defer(() => rx.close());
    await flood(lab, wire.b, { count: 500, length: 100 });
    const batches = await collect(rx, 500);
    const expected = {
      received_total: 500,
      packets_total: 500,
      bytes_total: 50_000,
      drops_total: 0,
      freezes_total: 0,
      shed_total: 0,
      stalls_total: 0,
      waiting: 0,
      buffered_bytes: rx.cumulativeStats().bufferedBytes,
      open: 1,
    };
    assert.ok(batches.length > 0 && expected.buffered_bytes > 0);
    assert.deepEqual(captureSeries(wire.a), expected);
    assert.equal(kernelCount(wire.b).sent, 500);
    assert.equal(rx.stats().packets, 500, 'a scrape takes nothing from stats()');
    rx.close();
    assert.deepEqual(captureSeries(wire.a), { ...expected, buffered_bytes: 0, open: 0 });
  });

  it('a capture group is one handle, and each of its packets one, under overload and after its end', async () => {
    let before = scrape();
    const options = { interface: wire.a, blockSize: 4096, blockCount: 8, blockTimeoutMs: 5, fanoutMode: 'load-balance' } as const;
    const group = await captureGroup(3, { ...options, ignoreOutgoing: true });
    lab.defer(() => group.close());
    assert.equal(captureSeries(wire.a)['open'], 1);
    const count = 30_000;
    await flood(lab, wire.b, { count });
    const [batch] = await collect(group, 1);
    const { packets, bytes, drops, freezes, stalls, bufferedBytes } = await group.cumulativeStats();
    assert.ok(drops > 0 && packets === batch!.length);
    const during = scrape();
    assert.deepEqual(fallen(before, during), []);
    assert.deepEqual(captureSeries(wire.a, during), {
      received_total: kernelCount(wire.b).sent,
      packets_total: packets,
      bytes_total: bytes,
      drops_total: drops,
      freezes_total: freezes,
      shed_total: 0,
      stalls_total: stalls,
      waiting: count - drops - packets,
      buffered_bytes: bufferedBytes,
      open: 1,
    });
    before = during;
    await group.close();
    const after = scrape();
    assert.deepEqual(fallen(before, after), []);
    const {
      received_total: received,
      packets_total: delivered,
      drops_total: lost,
      shed_total: shed,
      waiting,
      open,
    } = captureSeries(wire.a, after);
    assert.deepEqual([received, delivered, lost, shed, waiting, open], [count, packets, drops, count - packets - drops, 0, 0]);
  });

  it('an injector, a bridge and an XDP socket, each with its causes, directions and queues', async function () {
    needsXdp(this);
    const tx = injector(lab, { interface: wire.a });
    const sent = tx.sendBatch([...numbered(0, 100), Buffer.alloc(5)]);
    tx.send(numbered(0, 1)[0]!);
    assert.deepEqual(ofLabels(scrape(), 'netring_inject_', { iface: wire.a }), {
      accepted_total: 102,
      packets_total: sent,
      bytes_total: 6400,
      rejected_total: 1,
      drops_total: 0,
      waiting: 1,
      open: 1,
    });

    await lab.wires();
    const bridge = lab.bridge({ aBlockSize: 4096, aBlockCount: 4 });
    const { namespace } = lab.left;
    await flood(lab, lab.left.b, { count: 20_000, namespace });
    const settled = (): boolean => bridge.cumulativeStats().aToB.received === 20_000;
    await until(settled, 5000, 'all frames in the books');
    const { aToB } = bridge.cumulativeStats();
    const labels = { iface: lab.left.a, direction: 'a-to-b' };
    const samples = scrape();
    assert.deepEqual(ofLabels(samples, 'netring_bridge_', labels), {
      received_total: kernelCount(lab.left.b, namespace).sent,
      received_bytes_total: aToB.bytes,
      packets_total: aToB.forwarded,
      bytes_total: aToB.forwardedBytes,
      filtered_total: 0,
      tap_shed_total: 0,
      timed_out_total: 0,
      waiting: 0,
      open: 1,
    });
    const drops = ['kernel', 'ring_full', 'too_large', 'error', 'closed'].map((cause) =>
      samples.get(seriesOf('netring_bridge_drops_total', { ...labels, cause })),
    );
    assert.deepEqual(drops, [aToB.kernelDrops, aToB.ringFull, 0, 0, 0]);
    assert.ok(aToB.kernelDrops > 0, 'it was an overload');
    assert.equal(samples.get(seriesOf('netring_bridge_packets_total', { iface: lab.right.a, direction: 'b-to-a' })), 0);

    const socket = xdp(lab, { interface: wire.b, frameCount: 256, attach: 'skb' });
    await flood(lab, wire.a, { count: 2000 });
    const batch = socket.nextBatch()!;
    const taken = batch.length;
    socket.sendBatch(numbered(0, 10));
    const kernel = socket.statistics();
    const counted = ofLabels(scrape(), 'netring_xdp_', { iface: wire.b, queue: '0' });
    const { waiting } = counted;
    assert.deepEqual(counted, {
      received_total: 2000,
      packets_total: taken,
      bytes_total: taken * 64,
      drops_total: kernel.dropped,
      shed_total: 0,
      stalls_total: 0,
      waiting: 2000 - taken - kernel.dropped,
      buffered_bytes: 0,
      open: 1,
      tx_accepted_total: 10,
      tx_packets_total: 10,
      tx_bytes_total: 640,
      tx_rejected_total: 0,
      tx_drops_total: 0,
      tx_waiting: 0,
      ...Object.fromEntries(Object.entries(kernel).map(([name, value]) => [`${name}_total`, value])),
    });
    socket.close();
    const ended = ofLabels(scrape(), 'netring_xdp_', { iface: wire.b, queue: '0' });
    assert.deepEqual([ended['shed_total'], ended['waiting'], ended['open']], [waiting, 0, 0]);
  });

  it('the text is what prom-client writes, in both formats, and Prometheus reads it', async () => {
    capture(lab, { interface: wire.a });
    recordCaptureDelta('quote " backslash \\ line\nend', { packets: 1, drops: 2, freezes: 3 });
    for (const format of FORMATS) {
      const registry = new Registry<MetricsContentType>();
      registry.setContentType(REGISTRY_TYPES[format]);
      registerMetrics(registry);
      const own = metricsText(format);
      const ours = own.split('\n').filter(Boolean).sort();
      const theirs = (await registry.metrics()).split('\n').filter(Boolean).sort();
      assert.deepEqual(ours, theirs);
      assert.equal(METRICS_CONTENT_TYPES[format], registry.contentType);
      const { families, samples } = scraped(own, format);
      assert.deepEqual([...new Set(families.map(({ type }) => type))].sort(), ['counter', 'gauge']);
      assert.equal(samples.get(seriesOf('netring_capture_drops_total', { iface: 'quote " backslash \\ line\nend' })), 2);
      const labels = new Set(families.flatMap((family) => family.samples.flatMap(([, names]) => Object.keys(names))));
      assert.deepEqual([...labels].sort(), ['cause', 'direction', 'iface', 'queue']);
      assert.throws(() => registerMetrics(registry), { kind: 'Config', message: /netring_\w+ has already been registered/ });
    }
  });

  it('counters go on where the last handle of an interface ended', async () => {
    let before = scrape();
    for (let round = 1; round <= 5; round++) {
      // Also two at a time, and one that nobody reads.
      const [one, other] = [capture(lab, { interface: wire.a }), capture(lab, { interface: wire.a, blockSize: 4096, blockCount: 4 })];
      await flood(lab, wire.b, { count: 400 });
      let packets = 0;
      while (packets < 400) packets += one.nextBatchBlocking(1000)!.length;
      const during = scrape();
      assert.deepEqual(fallen(before, during), []);
      one.close();
      other.close();
      const after = scrape();
      assert.deepEqual(fallen(during, after), []);
      before = after;
      const {
        received_total: received,
        packets_total: delivered,
        drops_total: drops,
        shed_total: shed,
        open,
      } = captureSeries(wire.a, after);
      assert.deepEqual([received, delivered, drops! + shed!, open], [round * 800, round * 400, round * 400, 0]);
    }
  });

  it('a handle that is forgotten is closed by the collector, and keeps what it was last seen with', async () => {
    (() => {
      const forgotten = Capture.builder({ interface: wire.a, profile: 'balanced' }).build();
      output('sleep', ['0.1']);
      assert.equal(forgotten.nextBatch(), null);
    })();
    await flood(lab, wire.b, { count: 10 });
    const seen = captureSeries(wire.a);
    await until(
      () => {
        gc!();
        return captureSeries(wire.a)['open'] === 0;
      },
      10_000,
      'its end',
    );
    assert.ok(captureSeries(wire.a)['received_total']! >= seen['received_total']!);
  });

  it('a registry that has one of the names gets none of them', () => {
    const registry = new Registry();
    new Counter({ name: 'netring_inject_packets_total', help: 'of somebody else', registers: [registry] });
    assert.throws(() => registerMetrics(registry), { kind: 'Config', message: /netring_inject_packets_total has already been registered/ });
    assert.equal(registry.getMetricsAsArray().length, 1);
  });

  it('no text in another format', () => {
    assert.throws(() => metricsText('json' as MetricsFormat), {
      name: 'RangeError',
      message: /^format is prometheus or openmetrics, not 'json'$/,
    });
  });

  it('recordCaptureDelta counts for captures of workers', () => {
    const worker = { packets: 10, bytes: 640, received: 15, drops: 3, freezes: 1, refiltered: 2, stalls: 0 };
    recordCaptureDelta('worker0', structuredClone(worker));
    recordCaptureDelta('worker0', { packets: 5, drops: 0, freezes: 0 });
    const { received_total, packets_total, bytes_total, drops_total, freezes_total, shed_total, open } = captureSeries('worker0');
    assert.deepEqual([received_total, packets_total, bytes_total, drops_total, freezes_total, shed_total, open], [20, 15, 640, 3, 1, 2, 0]);
    const none = { packets: 0, drops: 0, freezes: 0 };
    for (const wrong of [{ packets: -1 }, { drops: Infinity }, { bytes: 0.5 }])
      assert.throws(() => recordCaptureDelta('worker0', { ...none, ...wrong }), RangeError);
    assert.throws(() => recordCaptureDelta('worker0', { ...none, packets: NaN }), TypeError);
    assert.throws(
      () => recordCaptureDelta('worker0', { ...none, packets: 5n as unknown as number }),
      /^TypeError: packets must be a number, not 5$/,
    );
    assert.throws(() => recordCaptureDelta('worker0', { packets: 1 } as CaptureStats), TypeError);
    for (const name of ['', 7, undefined]) assert.throws(() => recordCaptureDelta(name as unknown as string, none), TypeError);
  });

  it('the number of series is bounded, however many interfaces come and go', () => {
    const first = capture(lab, { interface: wire.a });
    first.close();
    capture(lab, { interface: wire.a });
    const series = (): string[] => [...scrape().keys()].filter((key) => key.startsWith('netring_capture_packets_total'));
    for (let i = 0; i < 4 * MOST_KEPT; i++) recordCaptureDelta(`veth${i}`, { packets: 1, drops: 0, freezes: 0 });
    assert.equal(series().length, MOST_KEPT);
    assert.equal(captureSeries(wire.a)['open'], 1, 'one that is open again stays, however long ago its last end is');
    assert.deepEqual(captureSeries('veth0'), {});
    assert.equal(captureSeries(`veth${4 * MOST_KEPT - 1}`)['packets_total'], 1);
  });

  it('without prom-client the rest works, and registerMetrics says what is missing', () => {
    const script = `
      const Module = require('node:module');
      const load = Module._load;
      Module._load = (name, ...rest) => { if (name === 'prom-client') throw new Error('not here'); return load(name, ...rest); };
      const { metricsText, registerMetrics } = require('@netring/node-red');
      if (!metricsText().includes('netring_capture_packets_total')) throw new Error('no text');
      try { registerMetrics({}); } catch (error) { console.log(error.kind, error.message); }`;
    assert.match(output(process.execPath, ['-e', script]), /^Config .*npm install prom-client \(Error: not here\)/);
  });
});

type MetricsContentType = (typeof REGISTRY_TYPES)[MetricsFormat];
