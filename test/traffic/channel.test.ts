import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { ChannelCapture, ledger, metricsText, type CaptureOptions, type ChannelStats, type OwnedPacket } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { footprint } from '../support/process';
import { until } from '../support/wait';
import { CountingWitness, flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { asyncCapture, collectPackets, frame, SMALL, tagged } from './rx';

describe('ChannelCapture', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  /** A channel on the near end that the lab closes. */
  function spawn(capacity: number, options: Partial<CaptureOptions> = {}): ChannelCapture {
    const channel = ChannelCapture.spawn({ ...SMALL, interface: wire.a, ...options }, capacity);
    lab.defer(() => channel.close());
    return channel;
  }

  /** Each frame that reached the interface is counted once. */
  function assertLedger(stats: ChannelStats, wireFrames: number): void {
    assert.equal(stats.received, wireFrames, String(stats));
    assert.equal(stats.packets + stats.dropped + stats.drops, wireFrames, String(stats));
  }

  const settled = (channel: ChannelCapture, frames: number): Promise<unknown> =>
    until(
      () => {
        const { packets, waiting, dropped, drops } = channel.cumulativeStats();
        return packets + waiting + dropped + drops === frames;
      },
      5000,
      `${frames} frames are counted`,
    );

  it('channel_capture_recv: packets come as a capture gives them, and as a witness sees them', async () => {
    const channel = spawn(100);
    const capture = asyncCapture(lab, { interface: wire.a });
    const witness = await Witness.open(lab, wire.a);
    const sent = [
      frame('first'),
      tagged(frame('tagged', 200), [0x8100, 0x6064]),
      frame('large', 1514),
      tagged(frame('q'), [0x88a8, 5], [0x8100, 6]),
    ];
    await sendFrames(lab, wire.b, sent);
    const signal = AbortSignal.timeout(3000);
    const packets: OwnedPacket[] = [];
    while (packets.length < sent.length) packets.push(await channel.recv({ signal }));
    assert.deepEqual(
      packets.map(({ data }) => data),
      sent,
    );
    const seen = await witness.expect(sent.length);
    assert.deepEqual(
      packets.map(({ data, originalLength, protocol }) => ({ data, originalLength, protocol })),
      seen.map(({ data, originalLength, protocol }) => ({ data, originalLength, protocol })),
    );
    // Stamped by two sockets, each by itself.
    const plain = (packet: OwnedPacket): unknown => ({ ...packet, timestamp: undefined });
    assert.deepEqual(packets.map(plain), (await collectPackets(capture, sent.length)).map(plain));
    for (const { timestamp } of packets) assert.ok(Math.abs(timestamp.sec - Date.now() / 1000) < 10);
    assert.equal(channel.tryRecv(), null);
    assert.equal(channel.interface, wire.a);
    assert.equal(channel.linkUp, true);
    assert.equal(channel.capacity, 100);
    assert.equal(channel.geometry.blockCount, 64);
    assert.equal(String(channel.stats()), 'packets: 4, dropped: 0, drops: 0, freezes: 0');
    assert.equal(channel.stats().packets, 0);
    assert.equal(
      channel.cumulativeStats().bytes,
      sent.reduce((sum, { length }) => sum + length, 0),
    );
  });

  it('packets are of their own: they outlive the channel, and one that is kept holds no more than its neighbours', async () => {
    const channel = spawn(10_000);
    await flood(lab, wire.b, { count: 3000, length: 700 });
    const kept: OwnedPacket[] = [];
    for (let i = 0; i < 3000; i++) {
      const packet = await channel.recv();
      if (i % 7 === 0) kept.push(packet);
    }
    channel.close();
    kept.forEach(({ data }, i) => assert.deepEqual(data, numberedFrame(7 * i, 700)));
    for (const { data } of kept) assert.ok(data.buffer.byteLength <= 131_072, `${data.buffer.byteLength} bytes`);
    assert.deepEqual(structuredClone(kept[1]!.timestamp), kept[1]!.timestamp);
  });

  it('packets that come few at a time share no more than 8 KiB', async () => {
    const channel = spawn(1000);
    await flood(lab, wire.b, { count: 60, length: 1000 });
    await settled(channel, 60);
    for (let i = 0; i < 60; i++) {
      const { data } = await channel.recv();
      assert.deepEqual(data, numberedFrame(i, 1000));
      assert.ok(data.buffer.byteLength <= 8192, `${data.buffer.byteLength} bytes`);
    }
  });

  it('frames longer than the memory that many share come whole', async () => {
    lab.ip(`link set ${wire.a} mtu 65535`);
    lab.ip(`link set ${wire.b} mtu 65535`);
    const channel = spawn(1000, { blockSize: 1 << 20, blockCount: 4 });
    const sent = [frame('long', 65_000), frame('short'), frame('long again', 65_000), frame('and again', 65_000), frame('last', 60)];
    await sendFrames(lab, wire.b, sent);
    const packets: OwnedPacket[] = [];
    while (packets.length < sent.length) packets.push(await channel.recv({ signal: AbortSignal.timeout(3000) }));
    assert.deepEqual(
      packets.map(({ data }) => data),
      sent,
    );
    assertLedger(channel.cumulativeStats(), sent.length);
  });

  it('a million frames come through, each once and in order, as a witness counts them', async function () {
    this.timeout(60_000);
    const total = 1_000_000;
    const channel = spawn(200_000, { blockSize: 1 << 20, blockCount: 64 });
    const witness = await CountingWitness.open(lab, wire.a, total);
    const sending = flood(lab, wire.b, { count: total });
    let next = 0;
    for await (const { data } of channel) {
      const number = data.readUInt32BE(18);
      if (number !== next || data[63] !== ((number + 63) & 0xff)) assert.fail(`frame ${number} instead of ${next}`);
      if (++next === total) break;
    }
    await sending;
    const stats = channel.cumulativeStats();
    assertLedger(stats, (await witness.verdict()).received);
    assert.deepEqual([stats.packets, stats.dropped, stats.drops], [total, 0, 0]);
  });

  it('who fetches slowly loses what the queue has no room for, counted exactly', async () => {
    const channel = spawn(100);
    const witness = await CountingWitness.open(lab, wire.a, 5000);
    await flood(lab, wire.b, { count: 5000 });
    await settled(channel, 5000);
    assert.equal(channel.dropped, 4900);
    assert.equal(channel.cumulativeStats().waiting, 100);
    // The oldest are kept.
    for (let i = 0; i < 100; i++) assert.deepEqual((await channel.recv()).data, numberedFrame(i));
    assert.equal(channel.tryRecv(), null);
    const { received } = await witness.verdict();
    assertLedger(channel.cumulativeStats(), received);
    assert.equal(received, 5000);
    const books = { wire: 5000, delivered: 100, drops: 0, shed: 4900, waiting: 0 };
    assert.deepEqual(ledger(channel).received, books);
    channel.close();
    assert.deepEqual(ledger(channel).received, books);
    // The series stays when the channel has ended.
    assert.match(metricsText('prometheus'), new RegExp(`^netring_channel_shed_total{iface="${wire.a}"} 4900$`, 'm'));
  });

  it('the capacity counts packets that nobody has got, wherever they are', async () => {
    const channel = spawn(10);
    let sent = 0;
    const send = async (count: number): Promise<void> => {
      const frames = Array.from({ length: count }, () => numberedFrame(sent++));
      await sendFrames(lab, wire.b, frames);
      await settled(channel, sent);
    };
    await send(10);
    await channel.recv();
    await send(5);
    assert.equal(channel.dropped, 4, 'one was fetched, one found room');
    for (let i = 0; i < 4; i++) await channel.recv();
    await send(4);
    assert.equal(channel.dropped, 4);
    await send(1);
    assert.equal(channel.dropped, 5);
    const numbers: number[] = [];
    for (let packet = channel.tryRecv(); packet !== null; packet = channel.tryRecv()) numbers.push(packet.data.readUInt32BE(18));
    assert.deepEqual(numbers, [5, 6, 7, 8, 9, 10, 15, 16, 17, 18]);
    assertLedger(channel.cumulativeStats(), 20);
  });

  it('what the kernel drops is counted beside what the queue drops', async () => {
    const channel = spawn(100, { blockSize: 4096, frameSize: 2048, blockCount: 2 });
    const witness = await CountingWitness.open(lab, wire.a, 50_000);
    await flood(lab, wire.b, { count: 50_000 });
    await settled(channel, 50_000);
    const { drops, dropped, freezes } = channel.cumulativeStats();
    assert.ok(drops > 0 && dropped > 0 && freezes > 0, String(channel.cumulativeStats()));
    assert.equal((await channel.stopAndDrain()).length, 100);
    assertLedger(channel.cumulativeStats(), (await witness.verdict()).received);
  });

  it('bytes are bounded as well: maxBufferedBytes', async () => {
    const limit = 2 << 20;
    const channel = spawn(1_000_000, { maxBufferedBytes: limit });
    const before = footprint().rssBytes;
    await flood(lab, wire.b, { count: 10_000, length: 1500 });
    await settled(channel, 10_000);
    const { waiting, dropped } = channel.cumulativeStats();
    assert.ok(waiting * 1500 <= limit && waiting * 1500 > limit / 2, `${waiting} packets wait`);
    assert.equal(waiting + dropped, 10_000);
    assert.ok(footprint().rssBytes - before < limit + (24 << 20));
    for (let i = 0; i < waiting; i++) await channel.recv();
    assertLedger(channel.cumulativeStats(), 10_000);
  });

  it('aborts at random lose no packet', async function () {
    this.timeout(30_000);
    const total = 30_000;
    const channel = spawn(total);
    const sending = flood(lab, wire.b, { count: total, rate: 20_000 });
    let next = 0;
    let aborted = 0;
    const waits = [
      (ending: AbortController) => queueMicrotask(() => ending.abort('micro')),
      (ending: AbortController) => setImmediate(() => ending.abort('turn')),
      (ending: AbortController) => setTimeout(() => ending.abort('timer'), Math.random() * 3),
    ];
    while (next < total) {
      const ending = new AbortController();
      waits[Math.floor(Math.random() * waits.length)]!(ending);
      try {
        const { data } = await channel.recv({ signal: ending.signal });
        assert.equal(data.readUInt32BE(18), next++);
      } catch (error) {
        assert.equal(error, ending.signal.reason);
        aborted++;
      }
    }
    await sending;
    assert.ok(aborted > 10, `${aborted} aborted`);
    assertLedger(channel.cumulativeStats(), total);
    assert.equal(channel.dropped, 0);
  });

  it('several who wait get a packet each, in their order', async () => {
    const channel = spawn(100);
    const waiting = Array.from({ length: 20 }, () => channel.recv({ signal: AbortSignal.timeout(3000) }));
    await nextTurn();
    await flood(lab, wire.b, { count: 20 });
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ data }) => data.readUInt32BE(18)),
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  it('leaving a for await keeps the channel open; nothing is lost between two', async () => {
    const channel = spawn(1000);
    await flood(lab, wire.b, { count: 50 });
    let next = 0;
    for (let round = 0; round < 10; round++) {
      for await (const { data } of channel) {
        assert.equal(data.readUInt32BE(18), next++);
        if (next % 5 === 0) break;
      }
    }
    assert.equal(next, 50);
  });

  it('a reader at full rate lets the event loop turn: recv, for await, and tryRecv comes to an end', async () => {
    const channel = spawn(60_000);
    let turns = 0;
    let running = true;
    const turn = (): void => {
      turns++;
      if (running) setImmediate(turn);
    };
    for (const read of [
      async () => {
        for (let i = 0; i < 60_000; i++) await channel.recv();
      },
      async () => {
        let i = 0;
        for await (const packet of channel) if (++i === 60_000) return packet;
        return;
      },
    ]) {
      await flood(lab, wire.b, { count: 60_000 });
      turns = 0;
      setImmediate(turn);
      await read();
      assert.ok(turns >= 5, `${turns} turns`);
      running = false;
      await sleep(5);
      running = true;
    }
    await flood(lab, wire.b, { count: 60_000 });
    await settled(channel, 180_000);
    let read = 0;
    while (channel.tryRecv() !== null) read++;
    assert.ok(read > 1000 && read <= 8 * 1024, `${read} packets in one turn`);
    await nextTurn();
    assert.ok(channel.tryRecv() !== null);
  });

  it('stopAndDrain returns all that came before it, the block that was being filled too, and closes', async () => {
    for (const blockTimeoutMs of [1, 60]) {
      const channel = spawn(10_000, { blockTimeoutMs });
      const iterating = (async () => {
        let count = 0;
        for await (const packet of channel) {
          count += packet.length === 64 ? 1 : 0;
          if (count === 3) await new Promise(() => undefined);
        }
        return count;
      })();
      await flood(lab, wire.b, { count: 3 });
      await until(() => channel.cumulativeStats().packets === 3, 3000, 'three packets');
      await flood(lab, wire.b, { count: 2500 });
      const draining = channel.stopAndDrain();
      await flood(lab, wire.b, { count: 100 });
      const packets = await draining;
      assert.deepEqual(
        packets.map(({ data }) => data.readUInt32BE(18)),
        Array.from({ length: 2500 }, (_, i) => i),
      );
      void iterating;
      const stats = channel.cumulativeStats();
      assertLedger(stats, 2503);
      assert.equal(stats.dropped, 0);
      assert.equal(channel.fd, -1);
      await assert.rejects(channel.recv(), { name: 'NetringError', kind: 'Io', code: 'ECANCELED' });
      await assert.rejects(channel.stopAndDrain(), { code: 'ECANCELED' });
    }
  });

  it('stopAndDrain ends iterations and waits; the result holds no more than the capacity', async () => {
    const channel = spawn(50);
    const waiting = channel.recv();
    const iterating = (async () => {
      for await (const packet of channel) return packet;
      return 'ended';
    })();
    await nextTurn();
    const empty = channel.stopAndDrain();
    await assert.rejects(waiting, { code: 'ECANCELED' });
    assert.equal(await iterating, 'ended');
    assert.throws(() => channel.tryRecv(), { code: 'ECANCELED' });
    assert.deepEqual(await empty, []);
    const full = spawn(50);
    await flood(lab, wire.b, { count: 80 });
    assert.equal((await full.stopAndDrain()).length, 50);
    assertLedger(full.cumulativeStats(), 80);
    assert.equal(full.dropped, 30);
  });

  it('an aborted stopAndDrain loses nothing, the next one goes on', async () => {
    const channel = spawn(1000);
    await flood(lab, wire.b, { count: 100 });
    const reason = new Error('no time');
    const ending = new AbortController();
    const first = channel.stopAndDrain({ signal: ending.signal });
    ending.abort(reason);
    await assert.rejects(first, reason);
    await assert.rejects(channel.stopAndDrain({ signal: AbortSignal.abort(reason) }), reason);
    assert.equal((await channel.stopAndDrain()).length, 100);
  });

  it('close ends iterations, rejects waits, counts what is left as dropped, is idempotent', async () => {
    const channel = spawn(100);
    const waiting = channel.recv();
    const iterating = (async () => {
      let count = 0;
      for await (const { length } of channel) count += length;
      return count;
    })();
    await nextTurn();
    channel.close();
    channel.close();
    await assert.rejects(waiting, { name: 'NetringError', kind: 'Io', code: 'ECANCELED' });
    assert.equal(await iterating, 0);
    assert.throws(() => channel.tryRecv(), { code: 'ECANCELED' });
    assert.deepEqual([channel.fd, channel.linkUp, channel.interface], [-1, false, wire.a]);

    const left = spawn(100);
    await flood(lab, wire.b, { count: 250 });
    await settled(left, 250);
    await left.recv();
    left.close();
    assertLedger(left.cumulativeStats(), 250);
    assert.equal(left.dropped, 249);
    assert.equal(left.cumulativeStats().waiting, 0);

    {
      using short = ChannelCapture.spawn({ ...SMALL, interface: wire.a }, 1);
      await using shorter = ChannelCapture.spawn({ ...SMALL, interface: wire.a }, 1);
      assert.ok(short.fd >= 0 && shorter.fd >= 0);
    }
  });

  it('refuses a capacity that is none, options that are none, an interface that is not there', () => {
    for (const capacity of [0, -1, 1.5, NaN, Infinity, 2 ** 31, '5' as unknown as number])
      assert.throws(() => ChannelCapture.spawn(wire.a, capacity), RangeError);
    assert.throws(() => ChannelCapture.spawn({ interface: wire.a, blockSize: 3000 }, 1), { kind: 'Config' });
    assert.throws(() => ChannelCapture.spawn('nosuchif0', 1), { kind: 'InterfaceNotFound', interface: 'nosuchif0' });
  });
});
