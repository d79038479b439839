import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { CaptureStats, type PacketBatch } from '@netring/node-red';
import { Lab } from '../support/lab';
import { idleCpu } from '../support/process';
import { flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { asyncCapture, capture, collect, collectPackets, frame, inBothModes, SMALL } from './rx';

inBothModes('receive ring', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('RX-01 captures both directions exactly', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const incoming = Array.from({ length: 100 }, (_, i) => frame(`in ${i}`, 60 + i));
    const outgoing = Array.from({ length: 100 }, (_, i) => frame(`out ${i}`, 60 + 2 * i));
    await sendFrames(lab, wire.b, incoming);
    await sendFrames(lab, wire.a, outgoing);
    const packets = await collectPackets(rx, 200);
    assert.equal(packets.length, 200);
    assert.deepEqual(
      packets.filter((packet) => packet.direction !== 'outgoing').map((packet) => packet.data),
      incoming,
    );
    assert.deepEqual(
      packets.filter((packet) => packet.direction === 'outgoing').map((packet) => packet.data),
      outgoing,
    );
    const [first] = packets;
    assert.ok(first);
    assert.equal(first.direction, 'broadcast');
    assert.equal(first.protocol, 0x88b6);
    assert.equal(first.sourceAddress, '02:00:00:00:00:09');
    assert.ok(Math.abs(first.timestamp.sec - Date.now() / 1000) < 60);
  });

  it('RX-02 block sequence numbers rise by one', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const sending = flood(lab, wire.b, { count: 2000, rate: 10_000 });
    const batches = await collect(rx, 2000);
    await sending;
    assert.ok(batches.length > 5);
    batches.reduce((previous, batch) => {
      assert.equal(batch.seqNum, previous.seqNum + 1);
      return batch;
    });
  });

  it('RX-03 columns, sums and order agree with the frames', async () => {
    const wire = await lab.wire();
    const rx = capture(lab, { interface: wire.a });
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 50 }, (_, i) => numberedFrame(i, 60 + i)),
    );
    let next = 0;
    while (next < 50) {
      const batch = rx.nextBatchBlocking(5000);
      assert.ok(batch);
      let bytes = 0;
      for (let i = 0; i < batch.length; i++, next++) {
        assert.deepEqual(batch.dataAt(i), numberedFrame(next, 60 + next));
        assert.equal(batch.bytes[batch.offsetAt(i) + 13], 0xb5);
        assert.equal(batch.lengthAt(i), 60 + next);
        assert.equal(batch.originalLengthAt(i), 60 + next);
        bytes += batch.lengthAt(i);
      }
      assert.equal(batch.byteLength, bytes);
      assert.equal(batch.clock, 'software');
      assert.ok(batch.tsFirst.sec <= batch.tsLast.sec);
    }
  });

  it('RX-05 an idle capture costs no CPU and no callbacks', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const ending = new AbortController();
    let wakes = 0;
    const waiting = rx.readable({ signal: ending.signal }).then(
      () => wakes++,
      () => undefined,
    );
    await sleep(200);
    const used = await idleCpu(2000);
    ending.abort();
    await waiting;
    assert.equal(wakes, 0);
    assert.ok(used <= 1, `${used} % of a CPU`);
  });

  it('RX-15 snapLen truncates, the original length stays', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, snapLen: 64 });
    const sent = [frame('short', 60), frame('long', 1000)];
    await sendFrames(lab, wire.b, sent);
    const [short, long] = await collectPackets(rx, 2);
    assert.ok(short && long);
    assert.equal(short.length, 60);
    assert.equal(short.status.truncated, false);
    assert.deepEqual(long.data, sent[1]?.subarray(0, 64));
    assert.equal(long.originalLength, 1000);
    assert.equal(long.status.truncated, true);
  });

  it('a stalled event loop loses nothing that the ring holds', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a });
    const sending = flood(lab, wire.b, { count: 40_000, rate: 100_000 });
    await collect(rx, 1);
    const busyUntil = performance.now() + 500;
    while (performance.now() < busyUntil);
    await sending;
    let packets = rx.cumulativeStats().packets;
    while (packets < 40_000) packets += (await rx.recv({ signal: AbortSignal.timeout(5000) })).length;
    assert.equal(packets, 40_000);
    assert.equal(rx.cumulativeStats().drops, 0);
  });

  it('promiscuous or not, another host sees what we see', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.a);
    const rx = asyncCapture(lab, { interface: wire.a, ignoreOutgoing: true });
    const frames = Array.from({ length: 20 }, (_, i) => frame(`${i}`, 60 + i * 70));
    await sendFrames(lab, wire.b, frames);
    const ours = await collectPackets(rx, 20);
    const theirs = await witness.expect(20);
    assert.deepEqual(
      ours.map((packet) => packet.data),
      theirs.map((seen) => seen.data),
    );
    assert.deepEqual(
      ours.map((packet) => packet.originalLength),
      theirs.map((seen) => seen.originalLength),
    );
  });

  it('a borrowed batch ends with release, with the next batch and with close', async () => {
    const wire = await lab.wire();
    const rx = capture(lab, { interface: wire.a, blockTimeoutMs: 1 });
    const next = async (text: string): Promise<PacketBatch> => {
      await sendFrames(lab, wire.b, [frame(text)]);
      const batch = rx.nextBatchBlocking(5000);
      assert.ok(batch);
      return batch;
    };
    const first = await next('first');
    const view = first.dataAt(0);
    const copy = first.toOwned();
    assert.equal(view.toString('latin1', 14, 19), 'first');
    assert.equal(first.borrowed, true);
    first.release();
    assert.equal(view.length, 0);
    assert.equal(first.length, 0);
    assert.equal(first.bytes.length, 0);
    assert.throws(() => first.dataAt(0), RangeError);
    assert.equal(copy.dataAt(0).toString('latin1', 14, 19), 'first');
    first.release();
    const second = await next('second');
    const third = await next('third');
    assert.equal(second.length, 0);
    assert.equal(third.length, 1);
    const kept = third.dataAt(0);
    rx.close();
    rx.close();
    assert.equal(kept.length, 0);
    assert.throws(() => rx.nextBatch(), { name: 'NetringError', code: 'ECANCELED' });
  });
});

describe('receive ring of blocks', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  for (const blockTimeoutMs of [1, 4, 10, 60]) {
    it(`RX-04 a single packet arrives within the block timeout of ${blockTimeoutMs} ms`, async () => {
      const wire = await lab.wire();
      const rx = asyncCapture(lab, { interface: wire.a, blockTimeoutMs });
      const latencies: number[] = [];
      for (let i = 0; i < 8; i++) {
        const waiting = rx.recv({ signal: AbortSignal.timeout(5000) }).then((batch) => {
          const { sec, nsec } = batch.timestampAt(0);
          latencies.push(Date.now() - sec * 1000 - nsec / 1e6);
        });
        await sendFrames(lab, wire.b, [frame(`${i}`)]);
        await waiting;
      }
      // The median: a machine that steals a time slice must not fail a test.
      const median = latencies.sort((a, b) => a - b)[4];
      assert.ok(median !== undefined && median <= blockTimeoutMs + 5, `median latency ${median} ms`);
    });
  }

  it('RX-14 delivered and dropped add up to what was sent, for two readers of the counters, and the ring recovers', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, blockSize: 65536, blockCount: 4, maxBufferedBytes: 1 << 26 });
    const { sent } = await flood(lab, wire.b, { count: 20_000 });
    assert.equal(sent, 20_000);
    const overflowed = rx.cumulativeStats();
    assert.ok(overflowed.drops > 0);
    assert.ok(overflowed.freezes > 0);
    assert.equal(overflowed.received, 20_000);
    const delta = rx.stats();
    assert.equal(delta.drops, overflowed.drops);
    assert.equal(rx.stats().drops, 0);
    const batches = await collect(rx, 20_000 - overflowed.drops);
    const delivered = batches.reduce((sum, batch) => sum + batch.length, 0);
    assert.equal(delivered + rx.cumulativeStats().drops, 20_000);
    assert.equal(rx.cumulativeStats().packets, delivered);
    await Promise.all([flood(lab, wire.b, { count: 100, rate: 2000 }), collect(rx, 100)]);
    assert.equal(rx.cumulativeStats().received, 20_100);
    assert.ok(rx.cumulativeStats() instanceof CaptureStats);
  });

  it('the whole ring goes round many times in small blocks', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { ...SMALL, interface: wire.a, blockSize: 4096, blockCount: 8, frameSize: 2048 });
    for (let round = 0; round < 20; round++) {
      await flood(lab, wire.b, { count: 50, length: 200 });
      const packets = await collectPackets(rx, 50);
      packets.forEach((packet, i) => assert.deepEqual(packet.data, numberedFrame(i, 200)));
    }
    assert.equal(rx.cumulativeStats().drops, 0);
  });
});
