import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '../support/lab';
import { output } from '../support/process';
import { flood, probe, sendFrames } from '../support/witness';
import { ALMOST_ALL, asyncCapture, capture, collectPackets, frame, inBothModes, ONLY_88B5, ONLY_88B6, tagged } from './rx';

inBothModes('filters', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('RX-18 a capture opened into a flood never holds a frame of another kind or another interface', async () => {
    const wire = await lab.wire();
    const other = await lab.wire();
    const noise = [
      lab.start(probe(), ['flood', wire.b, '400000', '64', '100000']),
      lab.start(probe(), ['flood', other.b, '400000', '64', '100000']),
    ];
    await sleep(100);
    for (let round = 0; round < 20; round++) {
      const rx = capture(lab, { interface: wire.a, filter: ONLY_88B6, blockTimeoutMs: 1 });
      try {
        await sendFrames(lab, wire.b, [frame('wanted')]);
        for (let seen = 0; seen < 1;) {
          const batch = rx.nextBatchBlocking(3000);
          assert.ok(batch, 'the wanted frame');
          for (const packet of batch) assert.equal(packet.protocol, 0x88b6);
          seen += batch.length;
        }
      } finally {
        rx.close();
      }
    }
    for (const child of noise) await child.stop();
  });

  it('RX-18 after a change no frame of the old kind comes, and none of the new kind is lost', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, filter: ONLY_88B5, blockTimeoutMs: 5 });
    const old = lab.start(probe(), ['flood', wire.b, '100000', '64', '20000']);
    await collectPackets(rx, 100);
    for (let round = 0; round < 10; round++) {
      await rx.setFilter(ONLY_88B5);
      await sleep(12);
      await rx.setFilter(ONLY_88B6);
      const wanted = Array.from({ length: 50 }, (_, i) => frame(`${round}.${i}`));
      await sendFrames(lab, wire.b, wanted);
      const packets = await collectPackets(rx, 50);
      assert.deepEqual(
        packets.map((packet) => packet.data),
        wanted,
      );
    }
    assert.ok(rx.cumulativeStats().refiltered > 0, 'frames of the old kind were in the ring');
    await old.stop();
  });

  it('RX-18 a filter that is widened keeps what the ring held', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, filter: ONLY_88B6, blockTimeoutMs: 50 });
    await sendFrames(lab, wire.b, [frame('early')]);
    await rx.setFilter(null);
    await flood(lab, wire.b, { count: 10 });
    const packets = await collectPackets(rx, 11);
    assert.equal(packets.filter((packet) => packet.protocol === 0x88b6).length, 1);
  });

  it('RX-18 a filter that asks for what no ring tells keeps what the ring held', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, filter: ONLY_88B6, blockTimeoutMs: 50 });
    await sendFrames(lab, wire.b, [frame('early')]);
    await rx.setFilter(ALMOST_ALL);
    await flood(lab, wire.b, { count: 10 });
    const packets = await collectPackets(rx, 11);
    assert.equal(packets.filter((packet) => packet.protocol === 0x88b6).length, 1);
    assert.equal(rx.cumulativeStats().refiltered, 0);
  });

  it('a bad filter is refused by name and leaves the old one', async () => {
    const wire = await lab.wire();
    const rx = capture(lab, { interface: wire.a, filter: ONLY_88B6 });
    for (const filter of ['tcp prot 502', '1\n40 0 0 12', [{ code: 6, jt: 0, jf: 0, k: -1 }], '2\n21 9 0 1\n6 0 0 1']) {
      assert.throws(() => rx.setFilter(filter), { name: 'NetringError', kind: 'Config', option: 'filter' });
    }
    await flood(lab, wire.b, { count: 10 });
    await sendFrames(lab, wire.b, [frame('kept')]);
    const batch = rx.nextBatchBlocking(3000);
    assert.deepEqual(
      [...(batch ?? [])].map((packet) => packet.protocol),
      [0x88b6],
    );
    rx.detachFilter();
    rx.detachFilter();
    await flood(lab, wire.b, { count: 3 });
    assert.equal(rx.nextBatchBlocking(3000)?.length, 3);
  });

  it('takes what tcpdump -ddd prints, VLAN terms included', async () => {
    const wire = await lab.wire();
    const program = output('tcpdump', ['-i', wire.a, '-ddd', 'vlan 100']);
    const rx = asyncCapture(lab, { interface: wire.a, filter: program });
    const wanted = tagged(frame('vlan 100'), [0x8100, 100]);
    await sendFrames(lab, wire.b, [frame('none'), tagged(frame('vlan 5'), [0x8100, 5]), wanted]);
    const packets = await collectPackets(rx, 1);
    assert.deepEqual(
      packets.map((packet) => packet.data),
      [wanted],
    );
  });

  it('a filter and snapLen work together', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, filter: ONLY_88B6, snapLen: 20 });
    await flood(lab, wire.b, { count: 5 });
    await sendFrames(lab, wire.b, [frame('wanted', 500)]);
    const packets = await collectPackets(rx, 1);
    assert.deepEqual(
      packets.map((packet) => [packet.length, packet.originalLength]),
      [[20, 500]],
    );
    await rx.setFilter(null);
    await flood(lab, wire.b, { count: 1, length: 100 });
    const [packet] = await collectPackets(rx, 1);
    assert.equal(packet?.length, 20);
  });
});
