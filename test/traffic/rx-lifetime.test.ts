import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Capture, type PacketBatch } from '@netring/node-red';
import { Lab, packetSockets, promiscuity, type Wire } from '../support/lab';
import { collectGarbage, footprint, ringMappings } from '../support/process';
import { flood, probe, sendFrames } from '../support/witness';
import { until, within } from '../support/wait';
import { asyncCapture, collect, frame, SMALL } from './rx';

describe('lifetimes', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  it('RX-19 a failed open leaves nothing', () => {
    const member = new Capture({ ...SMALL, interface: wire.a, fanoutMode: 'hash', fanoutGroup: 77 });
    lab.defer(() => member.close());
    const before = footprint();
    for (let i = 0; i < 100; i++) {
      assert.throws(() => new Capture({ interface: 'nosuchif0' }));
      // Refused by the kernel at its last step, when everything else is in place.
      assert.throws(() => new Capture({ ...SMALL, interface: wire.a, fanoutMode: 'cpu', fanoutGroup: 77 }), { option: 'PACKET_FANOUT' });
    }
    assert.equal(footprint().descriptors, before.descriptors);
    assert.equal(ringMappings(), 1);
    assert.equal(packetSockets().length, 1);
  });

  it('RX-19 a capture that nobody holds any more is collected', async () => {
    const before = packetSockets().length;
    for (let i = 0; i < 20; i++) new Capture({ interface: wire.a, ...SMALL });
    assert.ok(packetSockets().length > before);
    await until(
      () => {
        collectGarbage();
        return packetSockets().length === before;
      },
      5000,
      'the sockets are closed',
    );
  });

  it('RX-19 a worker thread that is terminated with open captures and live batches leaves nothing', async () => {
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(
        `const {AsyncCapture,Capture}=require('@netring/node-red'); const {parentPort}=require('worker_threads');
         const kept=[];
         for (let i=0;i<3;i++) {
           const rx=new AsyncCapture(Capture.builder({interface:'${wire.a}',profile:'balanced',promiscuous:true,blockTimeoutMs:1}).build());
           (async()=>{ for await (const batch of rx) { kept.push(batch); parentPort.postMessage('batch'); } })();
         }
         parentPort.postMessage('open');`,
        { eval: true },
      );
      const heard: unknown[] = [];
      worker.on('message', (message) => heard.push(message));
      await until(() => heard.includes('open'), 5000, 'the worker has opened');
      await sendFrames(lab, wire.b, [frame('to the worker')]);
      await until(() => heard.includes('batch'), 5000, 'the worker has a batch');
      await within(worker.terminate(), 5000, 'the end of the worker');
      assert.equal(packetSockets().length, 0);
      assert.equal(promiscuity(wire.a), 0);
    }
  });

  it('RX-19 a worker thread is terminated in the middle of a blocking wait', async () => {
    const worker = new Worker(
      `const {Capture}=require('@netring/node-red'); const {parentPort}=require('worker_threads');
       const rx=Capture.builder({interface:'${wire.a}',profile:'balanced'}).build(); parentPort.postMessage('open'); rx.nextBatchBlocking(-1);`,
      { eval: true },
    );
    await within(new Promise((resolve) => worker.once('message', resolve)), 5000, 'the worker has opened');
    await sleep(100);
    await within(worker.terminate(), 2000, 'the end of the worker');
    assert.equal(packetSockets().length, 0);
  });

  it('RX-19 a worker that ends by itself after close, and one that throws, end cleanly', async () => {
    for (const ending of ['rx.close()', 'setTimeout(()=>{throw new Error("boom")},10)', 'process.exit(0)']) {
      const worker = new Worker(
        `const {AsyncCapture,Capture}=require('@netring/node-red');
         const rx=new AsyncCapture(Capture.builder({interface:'${wire.a}',profile:'balanced'}).build()); rx.recv().catch(()=>{}); ${ending}`,
        { eval: true },
      );
      worker.on('error', () => undefined);
      await within(new Promise((resolve) => worker.on('exit', resolve)), 5000, `the end of the worker with ${ending}`);
      assert.equal(packetSockets().length, 0);
    }
  });

  it('RX-19 a process exits with open handles, borrowed and owned batches', async () => {
    const script = `const {AsyncCapture,Capture}=require('@netring/node-red');
      const a=new AsyncCapture(Capture.builder({interface:'${wire.a}',profile:'balanced',blockTimeoutMs:1}).build());
      const b=Capture.builder({interface:'${wire.a}',profile:'balanced',blockTimeoutMs:1}).build();
      globalThis.keep=[]; (async()=>{ console.error('open'); keep.push(await a.recv(), b.nextBatchBlocking(5000), a.recv().catch(()=>{})); process.exit(7) })()`;
    const child = lab.start(process.execPath, ['-e', script]);
    await child.says('open');
    await sendFrames(lab, wire.b, [frame('bye')]);
    assert.equal(await child.exitCode(), 7, child.errors);
  });

  it('owned batches that are forgotten never stall a capture at full rate, and memory stays flat', async function () {
    this.timeout(60_000);
    // Less than V8 lets slabs grow to before it collects by itself. (At 16 MiB a loop's turn takes a quarter of it, and a stall of 2 ms may come.)
    const rx = asyncCapture(lab, { interface: wire.a, maxBufferedBytes: 48 << 20 });
    const sender = lab.start(probe(), ['flood', wire.b, '3000000', '1000', '0']);
    let packets = 0;
    let peak = 0;
    const start = footprint().rssBytes;
    const deadline = performance.now() + 6000;
    while (performance.now() < deadline) {
      packets += (await rx.recv({ signal: AbortSignal.timeout(5000) }).catch(() => null))?.length ?? 0;
      if (sender.ended) break;
      peak = Math.max(peak, rx.cumulativeStats().bufferedBytes);
    }
    await sender.stop();
    const stats = rx.cumulativeStats();
    assert.ok(packets > 500_000, `${packets} packets`);
    assert.equal(stats.stalls, 0, `stalled at ${peak} bytes`);
    assert.ok(footprint().rssBytes < start + (96 << 20), `${start} -> ${footprint().rssBytes}`);
  });

  it('hoarded batches stop the capture at maxBufferedBytes; it resumes within two seconds of letting go, on an idle loop', async function () {
    this.timeout(60_000);
    const limit = 8 << 20;
    const rx = asyncCapture(lab, { interface: wire.a, blockSize: 65536, blockCount: 16, maxBufferedBytes: limit });
    let hoard: PacketBatch[] | null = [];
    const reading = (async () => {
      for (;;) {
        const batch = await rx.recv();
        hoard?.push(batch);
      }
    })().catch(() => undefined);
    await flood(lab, wire.b, { count: 200_000, length: 200 });
    await until(() => rx.cumulativeStats().stalls > 0, 5000, 'a stall');
    await flood(lab, wire.b, { count: 20_000, length: 200 });
    const stalled = rx.cumulativeStats();
    assert.ok(stalled.bufferedBytes <= limit, `${stalled.bufferedBytes} bytes`);
    assert.ok(stalled.drops > 0, 'the kernel counts what the full ring refuses');
    assert.equal(
      stalled.packets,
      hoard.reduce((sum, batch) => sum + batch.length, 0),
    );
    const view = hoard[3]?.dataAt(0);
    const bytes = view?.toString('hex');
    hoard = null;
    await until(() => rx.cumulativeStats().packets > stalled.packets, 2000, 'reading resumes');
    assert.ok(rx.cumulativeStats().collections > 0);
    await until(() => rx.cumulativeStats().bufferedBytes < limit / 2, 3000, 'memory returns');
    assert.equal(view?.toString('hex'), bytes);
    rx.close();
    await reading;
  });

  it('a consumer that never lets go cannot push memory past its bound plus the ring', async function () {
    this.timeout(60_000);
    const limit = 32 << 20;
    const rx = asyncCapture(lab, { interface: wire.a, maxBufferedBytes: limit });
    const before = footprint().rssBytes;
    const hoard: PacketBatch[] = [];
    const reading = (async () => {
      for (;;) hoard.push(await rx.recv());
    })().catch(() => undefined);
    await flood(lab, wire.b, { count: 300_000, length: 500 });
    await sleep(300);
    const grown = footprint().rssBytes - before;
    assert.ok(rx.cumulativeStats().bufferedBytes <= limit);
    assert.ok(grown < limit + (16 << 20) + (24 << 20), `grown by ${grown} bytes`);
    rx.close();
    await reading;
    assert.ok(hoard.length > 0);
  });

  for (const times of [2, 2.5, 4]) {
    it(`a maxBufferedBytes of ${times} blocks slows a reader down and never stops it`, async () => {
      const blockSize = 262144;
      const rx = asyncCapture(lab, { interface: wire.a, blockSize, maxBufferedBytes: blockSize * times });
      const sending = flood(lab, wire.b, { count: 30_000, rate: 60_000 });
      const signal = AbortSignal.timeout(8000);
      for (let packets = 0; packets < 30_000;) packets += (await rx.recv({ signal })).length;
      await sending;
      assert.equal(rx.cumulativeStats().drops, 0);
      assert.ok(rx.cumulativeStats().bufferedBytes <= blockSize * times);
    });
  }

  it('counters are readable after close', async () => {
    const rx = asyncCapture(lab, { interface: wire.a });
    await sendFrames(lab, wire.b, [frame('x')]);
    await collect(rx, 1);
    rx.close();
    assert.equal(rx.cumulativeStats().packets, 1);
    assert.equal(String(rx.cumulativeStats()), 'packets: 1, drops: 0, freezes: 0');
  });
});
