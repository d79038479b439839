import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Capture, type CaptureOptions } from '@netring/node-red';
import { Lab, packetSockets } from '../support/lab';
import { footprint, idleCpu, ringMappings } from '../support/process';
import { until } from '../support/wait';
import { flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { ALMOST_ALL, asyncCapture, capture, collect, collectPackets, frame, SMALL } from './rx';

const IMMEDIATE: Partial<CaptureOptions> = { latency: 'immediate' };

describe('latency immediate', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('RX-04 a single packet arrives at once, whatever the block timeout', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, profile: 'default' });
    const latencies: number[] = [];
    for (let i = 0; i < 9; i++) {
      const waiting = rx.recv({ signal: AbortSignal.timeout(5000) }).then((batch) => {
        const { sec, nsec } = batch.timestampAt(0);
        latencies.push(Date.now() - sec * 1000 - nsec / 1e6);
      });
      await sendFrames(lab, wire.b, [frame(`${i}`)]);
      await waiting;
    }
    // The median, for the machine may be busy; the profile's block timeout is 60 ms. Date.now() has whole milliseconds.
    const median = latencies.sort((a, b) => a - b)[4];
    assert.ok(median !== undefined && median <= 10, `median latency ${median} ms`);
  });

  it('frames that come slowly come one by one, a burst comes in batches', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a });
    const slowly = collect(rx, 20, 10_000);
    await flood(lab, wire.b, { count: 20, rate: 100 });
    assert.ok((await slowly).length >= 10);
    await flood(lab, wire.b, { count: 5000 });
    const batches = await collect(rx, 5000);
    assert.ok(batches.length < 50, `${batches.length} batches`);
    assert.ok(batches.every((batch) => batch.length <= 1024));
    assert.deepEqual(
      batches.map((batch) => batch.timedOut),
      batches.map((_, i) => i === batches.length - 1),
    );
  });

  it('frames longer than a slot come whole, and in their order', async () => {
    const wire = await lab.wire({ mtu: 9000 });
    const witness = await Witness.open(lab, wire.a);
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, frameSize: 256, ignoreOutgoing: true });
    const sent = Array.from({ length: 60 }, (_, i) => numberedFrame(i, 60 + ((i * 997) % 8900)));
    await sendFrames(lab, wire.b, sent);
    const packets = await collectPackets(rx, sent.length);
    assert.deepEqual(
      packets.map((packet) => packet.data),
      sent,
    );
    assert.deepEqual(
      packets.map((packet) => packet.data),
      (await witness.expect(sent.length)).map((seen) => seen.data),
    );
  });

  it('frames longer than a slot are as the kernel lets them in where the filter asks for what the ring does not tell', async () => {
    const wire = await lab.wire({ mtu: 9000 });
    const options = { ...IMMEDIATE, interface: wire.a, frameSize: 256, ignoreOutgoing: true };
    const whole = asyncCapture(lab, { ...options, filter: ALMOST_ALL });
    const cut = asyncCapture(lab, { ...options, filter: ALMOST_ALL, snapLen: 1000 });
    const sent = Array.from({ length: 20 }, (_, i) => numberedFrame(i, 60 + i * 400));
    await sendFrames(lab, wire.b, sent);
    const data = async (rx: typeof whole): Promise<Buffer[]> => (await collectPackets(rx, sent.length)).map((packet) => packet.data);
    assert.deepEqual(await data(whole), sent);
    assert.deepEqual(
      await data(cut),
      sent.map((bytes) => bytes.subarray(0, 1000)),
    );
  });

  it('long frames for which the receive buffer has no room are counted as dropped', async () => {
    const wire = await lab.wire({ mtu: 9000 });
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, frameSize: 256, rcvbuf: 4096 });
    const sent = Array.from({ length: 20 }, (_, i) => numberedFrame(i, 8000));
    await sendFrames(lab, wire.b, sent);
    const [batch] = await collect(rx, 1);
    const packets = batch!.toArray();
    packets.forEach((packet, i) => assert.deepEqual(packet.data, sent[i]));
    const { received, drops } = rx.cumulativeStats();
    assert.equal(received, 20);
    assert.equal(drops, 20 - packets.length);
    assert.ok(drops > 0 && packets.length > 0);
    // Nothing is left in the buffer that would keep the socket readable.
    const waiting = rx.recv();
    const used = await idleCpu(500);
    assert.ok(used <= 3, `${used} % of a CPU`);
    rx.close();
    await assert.rejects(waiting, { code: 'ECANCELED' });
  });

  it('a snapLen makes the slots smaller, and more of them', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, blockSize: 4096, blockCount: 4, snapLen: 100 });
    assert.equal(rx.geometry.frameSize, 192);
    await flood(lab, wire.b, { count: 80, length: 1000 });
    const packets = await collectPackets(rx, 80);
    packets.forEach((packet, i) => assert.deepEqual(packet.data, numberedFrame(i, 1000).subarray(0, 100)));
    assert.equal(rx.cumulativeStats().drops, 0);
  });

  it('RX-14 delivered and dropped add up to what was sent, and the ring recovers', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, blockSize: 65536, blockCount: 4, rcvbuf: 1 << 20 });
    const { sent } = await flood(lab, wire.b, { count: 20_000 });
    assert.equal(sent, 20_000);
    const { drops, received } = rx.cumulativeStats();
    assert.equal(received, 20_000);
    assert.equal(drops, 20_000 - 128);
    assert.equal(
      (await collect(rx, 128)).reduce((sum, batch) => sum + batch.length, 0),
      128,
    );
    await Promise.all([flood(lab, wire.b, { count: 100, rate: 2000 }), collect(rx, 100)]);
    const end = rx.cumulativeStats();
    assert.deepEqual([end.received, end.packets, end.drops, end.freezes], [20_100, 228, drops, 0]);
  });

  it('RX-14 a ring of 16 slots that overflows while it is read delivers nothing twice and nothing out of order', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, blockSize: 4096, blockCount: 8, rcvbuf: 1 << 20 });
    let last = -1;
    const reading = (async () => {
      for await (const batch of rx)
        for (let i = 0; i < batch.length; i++) {
          const number = batch.dataAt(i).readUInt32BE(18);
          assert.ok(number > last, `${number} after ${last}`);
          last = number;
        }
    })();
    const { sent } = await flood(lab, wire.b, { count: 100_000 });
    await sleep(100);
    rx.close();
    await reading;
    const { received, packets, drops } = rx.cumulativeStats();
    assert.deepEqual([received, packets + drops], [sent, sent]);
    assert.ok(drops > 0 && packets > 100);
  });

  it('an aborted wait loses no packet', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a });
    const sending = flood(lab, wire.b, { count: 2000, rate: 2000 });
    let next = 0;
    for (let aborts = 0; next < 2000;) {
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(new Error('enough')), aborts++ % 3);
      try {
        const batch = await rx.recv({ signal: AbortSignal.any([abort.signal, AbortSignal.timeout(10_000)]) });
        for (const packet of batch) assert.deepEqual(packet.data, numberedFrame(next++, 64));
      } catch (error) {
        assert.equal((error as Error).message, 'enough');
      } finally {
        clearTimeout(timer);
      }
    }
    await sending;
    assert.equal(rx.cumulativeStats().drops, 0);
  });

  it('live batches at maxBufferedBytes leave the rest in the ring', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, blockSize: 4096, blockCount: 256, maxBufferedBytes: 16 << 10 });
    const held = [];
    for (let i = 0; i < 4; i++) {
      await sendFrames(lab, wire.b, [frame(`${i}`)]);
      held.push(await rx.recv({ signal: AbortSignal.timeout(3000) }));
    }
    await sendFrames(lab, wire.b, [frame('waits')]);
    assert.equal(rx.tryRecv(), null);
    assert.equal(rx.cumulativeStats().stalls, 1);
    assert.ok(held.every((batch) => batch.length === 1));
    held.length = 0;
    const batch = await rx.recv({ signal: AbortSignal.timeout(5000) });
    assert.equal(batch.dataAt(0).toString('latin1', 14, 19), 'waits');
  });

  it('shares a fanout group', async () => {
    const wire = await lab.wire();
    const members = [1, 2].map(() =>
      asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, fanoutMode: 'load-balance', fanoutGroup: 77, ignoreOutgoing: true }),
    );
    await flood(lab, wire.b, { count: 1000 });
    const shares = members.map((member) => member.cumulativeStats().received);
    assert.deepEqual(shares, [500, 500]);
    for (const [i, member] of members.entries()) await collect(member, shares[i]!);
  });

  it('RX-19 opens and closes leave nothing, nor does a worker that is terminated', async function () {
    // Each waits for grace periods of RCU, 100 ms and more on a busy machine.
    this.timeout(60_000);
    const wire = await lab.wire();
    const cycle = (): void =>
      Capture.builder({ ...SMALL, ...IMMEDIATE, interface: wire.a, blockSize: 65536, blockCount: 2 })
        .build()
        .close();
    for (let i = 0; i < 10; i++) cycle();
    const { descriptors } = footprint();
    const rings = ringMappings();
    for (let i = 0; i < 100; i++) cycle();
    const worker = new Worker(
      `const {AsyncCapture,Capture}=require('@netring/node-red');
       const rx=new AsyncCapture(Capture.builder({interface:'${wire.a}',profile:'balanced',latency:'immediate',promiscuous:true}).build());
       const {parentPort}=require('node:worker_threads');
       parentPort.postMessage('open');
       rx.tryRecvBatch().then((batch)=>{ globalThis.kept=batch; parentPort.postMessage(batch.length); });`,
      { eval: true },
    );
    // A socket that is listed may not be bound yet: the worker itself says that it captures.
    assert.deepEqual(await once(worker, 'message'), ['open']);
    const message = once(worker, 'message');
    await sendFrames(lab, wire.b, [frame('x')]);
    assert.deepEqual(await message, [1]);
    await worker.terminate();
    await until(() => packetSockets().length === 0, 5000, 'no socket');
    assert.equal(footprint().descriptors, descriptors);
    assert.ok(ringMappings() <= rings, `${rings} -> ${ringMappings()} rings`);
  });

  it('says which options have no effect, and refuses slots that are too small', async () => {
    const wire = await lab.wire();
    const rx = capture(lab, { ...IMMEDIATE, interface: wire.a, blockTimeoutMs: 5, fillRxhash: true });
    assert.deepEqual(rx.warnings, [
      'blockTimeoutMs 5 has no effect with latency "immediate": packets wait for no block',
      'fillRxhash true has no effect with latency "immediate": the kernel fills it into blocks only',
    ]);
    assert.deepEqual(capture(lab, { ...IMMEDIATE, interface: wire.a }).warnings, []);
    assert.throws(() => capture(lab, { ...IMMEDIATE, interface: wire.a, frameSize: 128 }), { kind: 'Config', option: 'frameSize' });
  });
});
