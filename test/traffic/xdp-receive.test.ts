import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { AsyncXdpSocket, XdpSocket, type NetringError, type PacketBatch } from '@netring/node-red';
import { Lab, promiscuity, type Wire } from '../support/lab';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { flood, sendFrames } from '../support/witness';
import { frame, tagged } from './rx';
import { asyncXdp, collect, EVEN, MODES, numbersOf, program, upTo, xdp } from './xdp';

for (const attach of MODES) {
  describe(`XDP receives (${attach})`, () => {
    before(function () {
      needsXdp(this);
    });
    const lab = new Lab();
    let wire: Wire;
    beforeEach(async () => (wire = await lab.wire()));
    afterEach(() => lab.close());

    for (const [frameSize, length] of [
      [2048, 64],
      [2048, 1514],
      [4096, 1514],
    ] as const) {
      it(`XS-01 XS-02 4096 frames of ${length} bytes arrive in order and whole, frames of the UMEM have ${frameSize}`, async () => {
        const socket = asyncXdp(lab, { interface: wire.a, attach, frameSize, frameCount: 16384, mode: 'rx' });
        const sent = flood(lab, wire.b, { count: 4096, length });
        const batches = await collect(socket, 4096);
        await sent;
        assert.deepEqual(numbersOf(batches, length), upTo(4096));
        for (const batch of batches) {
          assert.deepEqual(batch.tsFirst, batch.timestampAt(0));
          assert.deepEqual(batch.tsLast, batch.timestampAt(batch.length - 1));
        }
        const { packets, bytes, drops } = socket.cumulativeStats();
        assert.deepEqual({ packets, bytes, drops }, { packets: 4096, bytes: 4096 * length, drops: 0 });
      });
    }

    it('XS-03 a single packet wakes the reader; its fields are those of the frame', async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach });
      const waiting = socket.recv({ signal: AbortSignal.timeout(5000) });
      const before = Date.now();
      await sendFrames(lab, wire.b, [frame('hello')]);
      const batch = await waiting;
      assert.equal(batch.length, 1);
      const [packet] = batch.toArray();
      assert.ok(packet !== undefined);
      assert.deepEqual(packet.data, frame('hello'));
      assert.equal(packet.protocol, 0x88b6);
      assert.equal(packet.direction, 'broadcast');
      assert.equal(packet.sourceAddress, '02:00:00:00:00:09');
      assert.ok(packet.timestamp.sec * 1000 >= before - 1000 && packet.timestamp.sec * 1000 <= Date.now());
      assert.equal(batch.clock, 'software');
      assert.equal(batch.interface, wire.a);
      assert.equal(batch.borrowed, false);
    });

    it('borrowed batches are views of the UMEM and end with their release', async () => {
      const socket = xdp(lab, { interface: wire.a, attach });
      await sendFrames(lab, wire.b, [frame('one'), frame('two')]);
      const batch = socket.nextBatchBlocking(2000);
      assert.ok(batch !== null);
      const view = batch.dataAt(0);
      assert.deepEqual(view, frame('one'));
      assert.equal(batch.borrowed, true);
      batch.release();
      assert.equal(view.length, 0);
      assert.equal(batch.length, 0);
    });

    it('XS-04 frames wait in the ring for a reader that comes late', async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach });
      await flood(lab, wire.b, { count: 1000 });
      await sleep(50);
      assert.deepEqual(numbersOf(await collect(socket, 1000), 64), upTo(1000));
    });

    it('XS-06 a wait for frames ends after its timeout, and an aborted one loses nothing', async () => {
      const socket = xdp(lab, { interface: wire.a, attach });
      const start = performance.now();
      assert.equal(socket.nextBatchBlocking(60), null);
      const waited = performance.now() - start;
      assert.ok(waited >= 55 && waited < 5000, `${waited} ms`);
      const other = asyncXdp(lab, { interface: wire.b, attach });
      const reason = new Error('enough');
      const controller = new AbortController();
      const cancelled = other.recv({ signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(cancelled, reason);
      await sendFrames(lab, wire.a, [frame('later')]);
      const [batch] = await collect(other, 1);
      assert.deepEqual(batch?.dataAt(0), frame('later'));
    });

    it('XS-10 XS-12 overload: the fill ring runs out and the kernel counts each frame once; the RX ring is never what is full', async () => {
      const socket = xdp(lab, { interface: wire.a, attach, frameCount: 64, mode: 'rx' });
      await flood(lab, wire.b, { count: 1000 });
      await sleep(50);
      let read = 0;
      for (let batch = socket.nextBatch(); batch !== null; batch = socket.nextBatch()) read += batch.length;
      const counters = socket.statistics();
      assert.equal(read, 64);
      assert.equal(counters.rx_dropped, 936);
      assert.equal(counters.rx_fill_ring_empty_descs, 936);
      assert.equal(counters.rx_ring_full, 0);
      assert.equal(counters.rx_invalid_descs, 0);
      assert.equal(counters.tx_invalid_descs, 0);
      assert.equal(socket.cumulativeStats().drops, 936);
      assert.match(String(counters), /rx_dropped=936 .*rx_fill_empty=936/);
    });

    it('XS-11 frames longer than a chunk holds are counted once, and not as a want of chunks', async () => {
      const socket = xdp(lab, { interface: wire.a, attach, frameCount: 64 });
      lab.ip(`link set ${wire.b} mtu 2000`);
      lab.ip(`link set ${wire.a} mtu 2000`);
      await flood(lab, wire.b, { count: 7, length: 1900 });
      await flood(lab, wire.b, { count: 3 });
      await sleep(50);
      const { rx_dropped, rx_fill_ring_empty_descs, rx_ring_full } = socket.statistics();
      assert.deepEqual([rx_dropped, rx_fill_ring_empty_descs, rx_ring_full], [7, 0, 0]);
      assert.equal(socket.nextBatch()?.length, 3);
    });

    it('XS-15 a filter lets half of the frames in, the kernel keeps the other half', async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach, filter: EVEN });
      await flood(lab, wire.b, { count: 2000 });
      const numbers = numbersOf(await collect(socket, 1000), 64);
      assert.deepEqual(
        numbers,
        upTo(1000).map((i) => 2 * i),
      );
      await assert.rejects(socket.recv({ signal: AbortSignal.timeout(50) }));
    });

    it('a filter is changed live: nothing of the old one after it', async () => {
      const socket = xdp(lab, { interface: wire.a, attach, frameCount: 16384 });
      await flood(lab, wire.b, { count: 1000 });
      await sleep(50);
      socket.setFilter(EVEN);
      await flood(lab, wire.b, { count: 1000 });
      await sleep(50);
      let read = 0;
      for (let batch = socket.nextBatch(); batch !== null; batch = socket.nextBatch()) {
        for (const { data } of batch) assert.equal(data.readUInt8(21) & 1, 0);
        read += batch.length;
      }
      assert.equal(read, 1000);
      assert.equal(socket.cumulativeStats().refiltered, 500);
    });

    it('VLAN tags stand in the bytes', async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach });
      const sent = [tagged(frame('one tag'), [0x8100, 7]), tagged(frame('two tags'), [0x88a8, 5], [0x8100, 7])];
      await sendFrames(lab, wire.b, sent);
      const seen = (await collect(socket, 2)).flatMap((batch) => batch.toArray());
      assert.deepEqual(
        seen.map(({ data }) => data),
        sent,
      );
    });

    it('XS-17 the longest frame that a chunk of 2048 holds behind its headroom', async () => {
      const mtu = 1792 - 18;
      lab.ip(`link set ${wire.a} mtu ${mtu}`);
      lab.ip(`link set ${wire.b} mtu ${mtu}`);
      const socket = asyncXdp(lab, { interface: wire.a, attach });
      await flood(lab, wire.b, { count: 100, length: mtu + 14 });
      assert.deepEqual(numbersOf(await collect(socket, 100), mtu + 14), upTo(100));
    });

    it('promiscuous for as long as it is open', () => {
      const socket = XdpSocket.builder({ interface: wire.a, attach, promiscuous: true }).build();
      assert.equal(promiscuity(wire.a), 1);
      socket.close();
      assert.equal(promiscuity(wire.a), 0);
    });

    it('every way to read: iterators, a guard, a stream, and in any mode with chunks to receive into', async () => {
      const options = { frameSize: 2048, frameCount: 64, mode: 'custom', prefill: 48, needWakeup: false } as const;
      const socket = XdpSocket.builder({ interface: wire.a, attach, ...options }).build();
      let close = (): unknown => socket.close();
      lab.defer(() => close());
      assert.equal(socket.frameCount, 16);
      await flood(lab, wire.b, { count: 8 });
      assert.deepEqual(
        Array.from(socket.packetsFor(100), ({ data }) => Number(data.readBigUInt64BE(14))),
        upTo(8),
      );
      assert.equal(socket.sendBatch([frame('without need wakeup')]), 1);
      socket.waitDrained(1000);
      const shell = new AsyncXdpSocket(socket);
      close = () => shell.close();
      await flood(lab, wire.b, { count: 5 });
      const guard = await shell.readable({ signal: AbortSignal.timeout(5000) });
      assert.equal(guard.nextBatch()?.length, 5);
      const stream = shell.intoStream();
      close = () => stream.destroy();
      await flood(lab, wire.b, { count: 20 });
      const batches = [];
      for await (const batch of stream as AsyncIterable<PacketBatch>) {
        batches.push(batch);
        if (batches.reduce((sum, { length }) => sum + length, 0) === 20) break;
      }
      assert.deepEqual(numbersOf(batches, 64), upTo(20));
      await until(() => program(wire.a) === null, 1000, 'the stream to close its socket');
    });

    it('busy polling: its three options are taken, and frames arrive', async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach, busyPollUs: 20, preferBusyPoll: true, busyPollBudget: 64 });
      await flood(lab, wire.b, { count: 500 });
      assert.deepEqual(numbersOf(await collect(socket, 500), 64), upTo(500));
    });

    it('the interface goes: waits reject with ENODEV', async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach });
      const waiting = socket.recv({ signal: AbortSignal.timeout(5000) });
      lab.ip(`link del ${wire.a}`);
      await assert.rejects(waiting, (error: NetringError) => error.code === 'ENODEV');
    });
  });
}
