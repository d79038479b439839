import assert from 'node:assert/strict';
import { Injector, NetringError, PacketBatch, type Timestamp } from '@netring/node-red';
import { Lab } from '../support/lab';
import { footprint, ringMappings } from '../support/process';
import { until } from '../support/wait';
import { Witness } from '../support/witness';
import { frame, tagged } from './rx';
import { asyncInjector, injector, judge, NONE_WRONG, numbered, NumberedBatch } from './tx';

/** A frame of exactly `length` bytes that names itself. */
const sized = (length: number, text = String(length)): Buffer => frame(text.slice(0, Math.max(0, length - 14)), length).subarray(0, length);
const texts = (frames: readonly { data: Buffer }[], length: number): string[] =>
  frames.map(({ data }) => data.toString('latin1', 14, 14 + length));

describe('sending frames', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('TX-01 consecutive sends through one slot keep their content', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    // One slot in a block: the ring has one place.
    const tx = injector(lab, { interface: wire.a, frameSize: 4096, frameCount: 1 });
    assert.equal(tx.frameCount, 1);
    for (const letter of 'abcdefgh') {
      using slot = tx.allocate(100);
      assert.ok(slot !== null);
      slot.data.fill(letter, 0, 100);
      slot.send();
      assert.equal(tx.flush(), 1);
      tx.waitDrained(1000);
    }
    const seen = await witness.expect(8);
    assert.deepEqual(
      seen.map(({ data }) => data.toString('latin1')),
      [...'abcdefgh'].map((letter) => letter.repeat(100)),
    );
  });

  for (const way of ['slots', 'send', 'frames', 'batch', 'async'] as const) {
    it(`TX-02 every frame sent is received: ${way}`, async () => {
      const total = 20_000;
      const wire = await lab.wire();
      const witness = await judge(lab, wire.b, total);
      await sendNumbered(way, wire.a, total);
      assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: total, foreign: 0 });
    });
  }

  async function sendNumbered(way: 'slots' | 'send' | 'frames' | 'batch' | 'async', iface: string, total: number): Promise<void> {
    if (way === 'async') {
      const tx = asyncInjector(lab, { interface: iface });
      const report = await tx.sendBatch(numbered(0, total));
      assert.deepEqual(report, { sent: total, rejected: 0, bytes: total * 64 });
      return;
    }
    const tx = injector(lab, { interface: iface });
    for (const [i, bytes] of numbered(0, total).entries()) {
      if (way === 'frames' || way === 'batch') break;
      if (i % tx.frameCount === 0) tx.waitDrained(1000);
      if (way === 'send') assert.equal(tx.send(bytes), true);
      else {
        const slot = tx.allocate(bytes.length);
        slot?.data.set(bytes);
        slot?.send();
      }
    }
    tx.waitDrained(1000);
    for (let sent = 0; sent < total && (way === 'frames' || way === 'batch');) {
      const rest = numbered(sent, Math.min(total, sent + 500));
      sent += tx.sendBatch(way === 'batch' ? PacketBatch.from(rest) : rest);
      tx.waitDrained(1000);
    }
  }

  it('TX-02 a million frames: none missing, doubled, changed or out of order', async function () {
    this.timeout(60_000);
    const total = 1_000_000;
    const wire = await lab.wire();
    const witness = await judge(lab, wire.b, total);
    const tx = asyncInjector(lab, { interface: wire.a });
    const batch = new NumberedBatch(1000);
    let sent = 0;
    for (let first = 0; first < total; first += 1000) sent += (await tx.sendBatch(batch.from(first))).sent;
    assert.equal(sent, total);
    await tx.waitDrained(1000);
    assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: total, foreign: 0 });
  });

  for (const frameSize of [1536, 3008, 80]) {
    it(`TX-02 slots of ${frameSize} bytes, which do not fill their blocks`, async () => {
      const wire = await lab.wire();
      const witness = await judge(lab, wire.b, 500);
      const tx = injector(lab, { interface: wire.a, frameSize, frameCount: 100 });
      const length = Math.min(64, tx.frameCapacity);
      for (const bytes of numbered(0, 500, length)) {
        while (!tx.send(bytes)) tx.flush();
      }
      tx.waitDrained(1000);
      assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: 500, foreign: 0 });
    });
  }

  it('TX-02 slots and batches of one injector leave in order', async () => {
    const wire = await lab.wire();
    const witness = await judge(lab, wire.b, 30);
    const tx = injector(lab, { interface: wire.a });
    for (const bytes of numbered(0, 10)) tx.send(bytes);
    assert.equal(tx.sendBatch(numbered(10, 20)), 10, 'counts its own frames only');
    for (const bytes of numbered(20, 30)) tx.send(bytes);
    assert.equal(tx.flush(), 20);
    assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: 30, foreign: 0 });
  });

  it('TX-02 frames sent without flush leave at close', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = Injector.open(wire.a);
    tx.send(frame('waits'));
    assert.equal(tx.pendingCount, 1);
    tx.close();
    assert.equal((await witness.expect(1)).length, 1);
  });

  it('TX-02 bytes are sent as they are, from 14 bytes on', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a });
    const frames = [14, 15, 60, 64, 599, 1513, 1514].map((length) => sized(length, 'x'.repeat(1500)));
    assert.equal(tx.sendBatch(frames), frames.length);
    const seen = await witness.expect(frames.length);
    assert.deepEqual(
      seen.map(({ data }) => data.toString('hex')),
      frames.map((bytes) => bytes.toString('hex')),
    );
  });

  it('TX-02 sends on loopback', async () => {
    lab.ip('link set lo up');
    const witness = await Witness.open(lab, 'lo');
    const tx = injector(lab, { interface: 'lo' });
    assert.equal(tx.sendBatch([frame('small'), sized(60_000, 'large')]), 2);
    const seen = await witness.expect(2);
    assert.deepEqual(
      seen.map(({ data }) => data.length),
      [60, 60_000],
    );
  });

  it('TX-03 a bad frame in the middle does not stop the rest: batch', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = asyncInjector(lab, { interface: wire.a });
    const frames = [frame('one'), sized(1515), frame('two'), Buffer.alloc(0), sized(13), frame('end')];
    const report = await tx.sendBatch(frames);
    assert.deepEqual(report, { sent: 3, rejected: 3, bytes: 180, firstRejected: { index: 1, length: 1515, limit: 1514 } });
    assert.deepEqual(texts(await witness.expect(3), 3), ['one', 'two', 'end']);
  });

  it('TX-03 a frame in the ring that a smaller MTU has made too long does not stop the rest', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a });
    tx.send(frame('one'));
    tx.send(sized(1514));
    tx.send(frame('end'));
    lab.ip(`link set ${wire.a} mtu 1000`);
    assert.equal(tx.flush(), 2);
    assert.equal(tx.rejectedSlots, 1);
    assert.equal(tx.maxFrameLength, 1014);
    assert.equal(tx.send(frame('new')), true);
    assert.equal(tx.flush(), 1);
    assert.deepEqual(texts(await witness.expect(3), 3), ['one', 'end', 'new']);
    lab.ip(`link set ${wire.a} mtu 1500`);
    assert.equal(tx.send(sized(1514)), true, 'a raised MTU counts at once');
  });

  it('TX-04 a slot that was given back does not stall the ring', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a, frameSize: 2048, frameCount: 4 });
    for (let round = 0; round < 5; round++) {
      {
        using dropped = tx.allocate(60);
        dropped?.data.fill(0xee);
      }
      for (const text of ['aaa', 'bbb', 'ccc']) assert.equal(tx.send(frame(`${text}${round}`)), true);
      assert.equal(tx.flush(), 3);
      tx.waitDrained(1000);
    }
    const expected = [0, 1, 2, 3, 4].flatMap((round) => ['aaa', 'bbb', 'ccc'].map((text) => `${text}${round}`));
    assert.deepEqual(texts(await witness.expect(15), 4), expected);
    assert.equal(tx.availableSlots, tx.frameCount);
  });

  it('TX-05 length limits: MTU + 14, and 4 more with an 802.1Q tag only', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a });
    const inner = sized(1514);
    const dot1q = tagged(inner, [0x8100, 5]);
    const dot1ad = tagged(inner, [0x88a8, 5]);
    const tooLong = tagged(sized(1515), [0x8100, 5]);
    assert.deepEqual([dot1q.length, dot1ad.length, tooLong.length], [1518, 1518, 1519]);
    for (const bytes of [inner, dot1q]) assert.equal(tx.sendBatch(bytes), 1);
    for (const bytes of [sized(1515), dot1ad, tooLong]) assert.equal(tx.sendBatch(bytes), 0);
    assert.equal(tx.rejectedSlots, 3);
    for (const bytes of [inner, dot1q]) assert.equal(tx.send(bytes), true);
    for (const bytes of [sized(1515), dot1ad, tooLong])
      assert.throws(() => tx.send(bytes), { name: 'RangeError', message: /takes 14 to 1514 bytes/ });
    tx.waitDrained(1000);
    const seen = await witness.expect(4);
    const bytes = [inner, dot1q, inner, dot1q].map((data) => data.toString('hex'));
    assert.deepEqual(
      seen.map(({ data }) => data.toString('hex')),
      bytes,
    );
  });

  it('TX-05 the limit follows the MTU of a large link', async () => {
    const wire = await lab.wire({ mtu: 9000 });
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a, frameSize: 16384, frameCount: 8 });
    assert.equal(tx.maxFrameLength, 9014);
    assert.equal(tx.sendBatch([sized(9014), sized(9015)]), 1);
    assert.equal(tx.send(sized(9014)), true);
    tx.waitDrained(1000);
    assert.deepEqual(
      (await witness.expect(2)).map(({ data }) => data.length),
      [9014, 9014],
    );
  });

  it('TX-08 frames shorter than an Ethernet header are refused, the slot stays', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a });
    for (const length of [0, 1, 13]) assert.throws(() => tx.send(Buffer.alloc(length)), RangeError);
    assert.equal(tx.sendBatch([Buffer.alloc(0), Buffer.alloc(13)]), 0);
    const slot = tx.allocate(5);
    assert.ok(slot !== null);
    assert.throws(() => slot.send(), RangeError);
    frame('grown').copy(slot.data);
    slot.setLen(60);
    slot.send();
    assert.equal(tx.flush(), 1);
    assert.equal(tx.rejectedSlots, 6);
    assert.deepEqual(texts(await witness.expect(1), 5), ['grown']);
  });

  it('a full ring hands out no slot until it is flushed', async () => {
    const wire = await lab.wire();
    const tx = injector(lab, { interface: wire.a, frameCount: 4 });
    for (let i = 0; i < tx.frameCount; i++) assert.equal(tx.send(frame('x')), true);
    assert.equal(tx.send(frame('x')), false);
    assert.equal(tx.allocate(60), null);
    assert.deepEqual([tx.pendingCount, tx.availableSlots], [4, 0]);
    assert.equal(tx.flush(), 4);
    tx.waitDrained(1000);
    assert.deepEqual([tx.pendingCount, tx.availableSlots], [0, 4]);
    assert.equal(tx.send(frame('x')), true);
  });

  it('bad arguments are TypeErrors and RangeErrors, and nothing is sent', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a });
    const wrong = (value: unknown): Uint8Array => value as Uint8Array;
    for (const value of ['text', 7, null, undefined, {}, new Uint16Array(40)]) {
      assert.throws(() => tx.send(wrong(value)), TypeError);
      assert.throws(() => tx.sendBatch(wrong(value)), TypeError);
      assert.throws(() => tx.sendBatch([frame('good'), wrong(value)]), TypeError);
    }
    assert.throws(() => tx.allocate(tx.frameCapacity + 1), RangeError);
    assert.throws(() => tx.allocate(-1), RangeError);
    assert.throws(() => tx.allocate(1.5), RangeError);
    assert.throws(() => tx.allocate('60' as unknown as number), TypeError);
    assert.throws(() => tx.waitDrained(NaN), TypeError);
    const slot = tx.allocate(60);
    assert.ok(slot !== null);
    assert.throws(() => slot.setLen(tx.frameCapacity + 1), {
      name: 'RangeError',
      message: 'packet length 2017 exceeds frame capacity 2016',
    });
    assert.throws(() => tx.allocate(60), TypeError, 'one slot at a time');
    assert.throws(() => tx.send(frame('x')), TypeError);
    slot[Symbol.dispose]();
    assert.throws(() => slot.send(), TypeError);
    assert.throws(() => slot.data, TypeError);
    assert.equal(tx.sendBatch([frame('end')]), 1);
    assert.deepEqual(texts(await witness.expect(1), 3), ['end']);
  });

  it('takes packet objects and mixed arrays', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a });
    const batch = PacketBatch.from([frame('two')]);
    // A time means nothing to what is sent, not even one that is none.
    const end = { data: frame('end'), timestamp: new Date() as unknown as Timestamp };
    assert.equal(tx.sendBatch([frame('one'), ...batch, end]), 3);
    assert.equal(tx.sendBatch([]), 0);
    assert.deepEqual(texts(await witness.expect(3), 3), ['one', 'two', 'end']);
  });

  it('an element that runs script while it is read cannot pull memory away', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = Injector.open(wire.a);
    // The addon reads an element after the library has.
    const onSecondRead = (act: () => void): Uint8Array[] => {
      let reads = 0;
      const frames: Uint8Array[] = [];
      Object.defineProperty(frames, 1, { enumerable: true, get: () => (++reads === 2 && act(), frame('kept')) });
      return frames;
    };
    const victim = new Uint8Array(frame('gone'));
    const detaching = onSecondRead(() => {
      const { port1 } = new MessageChannel();
      port1.postMessage(null, [victim.buffer]);
      port1.close();
    });
    detaching[0] = victim;
    assert.equal(tx.sendBatch(detaching), 1, 'the detached frame is an empty one');
    assert.equal(victim.length, 0);
    const closing = onSecondRead(() => tx.close());
    closing[0] = frame('gone');
    assert.throws(() => tx.sendBatch(closing), TypeError);
    assert.deepEqual(texts(await witness.expect(1), 4), ['kept']);
  });

  it('refuses an interface that is missing, and one that carries no Ethernet frames', async () => {
    assert.throws(() => Injector.open('nosuch0'), { name: 'NetringError', kind: 'InterfaceNotFound', interface: 'nosuch0' });
    lab.ip('tuntap add dev txtun0 mode tun');
    lab.defer(() => lab.ip('link del txtun0'));
    assert.throws(
      () => Injector.open('txtun0'),
      (error: unknown) => {
        assert.ok(error instanceof NetringError);
        assert.equal(error.kind, 'Config');
        assert.match(error.message, /txtun0 has link type 65534/);
        return true;
      },
    );
  });

  it('close is idempotent and leaves nothing behind', async function () {
    // The kernel waits for a grace period whenever a packet socket or a ring ends: some 40 ms a round.
    this.timeout(20_000);
    const wire = await lab.wire();
    const tx = Injector.open(wire.a);
    const slot = tx.allocate(60);
    const view = slot?.data;
    assert.equal(view?.length, tx.frameCapacity);
    tx.close();
    tx.close();
    assert.equal(view?.length, 0, 'views of the ring are detached');
    assert.equal(tx.fd, -1);
    assert.equal(tx.linkUp, false);
    assert.throws(() => tx.sendBatch(frame('x')), { code: 'ECANCELED' });
    assert.throws(() => slot?.send(), { code: 'ECANCELED' });
    for (let i = 0; i < 5; i++) Injector.open(wire.a)[Symbol.dispose]();
    const { descriptors } = footprint();
    const rings = ringMappings();
    for (let i = 0; i < 50; i++) {
      using opened = Injector.open(wire.a);
      opened.allocate(60)?.send();
    }
    // Detached views let go of their mapping on a later turn of the loop.
    await until(() => ringMappings() <= rings, 5000, 'no ring is left');
    assert.equal(footprint().descriptors, descriptors);
  });
});
