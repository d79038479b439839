import assert from 'node:assert/strict';
import { AsyncInjector, Injector } from '@netring/node-red';
import { Lab } from '../support/lab';
import type { Child } from '../support/process';
import { CountingWitness, Witness } from '../support/witness';
import { frame } from './rx';
import { asyncInjector, NONE_WRONG, numbered, slowQueue } from './tx';

describe('the async shell of an injector', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('takes its source over', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const source = Injector.open(wire.a);
    source.send(frame('early'));
    const slot = source.allocate(60);
    assert.ok(slot !== null);
    const tx = new AsyncInjector(source);
    lab.defer(() => tx.close());
    const uses: ((injector: Injector) => unknown)[] = [
      (injector) => injector.fd,
      (injector) => injector.interface,
      (injector) => injector.linkUp,
      (injector) => injector.warnings,
      (injector) => injector.maxFrameLength,
      (injector) => injector.frameCapacity,
      (injector) => injector.frameCount,
      (injector) => injector.pendingCount,
      (injector) => injector.availableSlots,
      (injector) => injector.rejectedSlots,
      (injector) => injector.allocate(60),
      (injector) => injector.send(frame('x')),
      (injector) => injector.sendBatch(frame('x')),
      (injector) => injector.flush(),
      (injector) => injector.waitDrained(0),
      (injector) => injector.close(),
      (injector) => injector[Symbol.dispose](),
      (injector) => new AsyncInjector(injector),
    ];
    const members = Reflect.ownKeys(Injector.prototype).filter((key) => key !== 'constructor');
    assert.equal(uses.length, members.length + 1, 'every member of the source, and a second shell');
    for (const use of uses) assert.throws(() => use(source), { name: 'TypeError', message: /belongs to an async shell/ });
    for (const use of [() => slot.data, () => slot.setLen(60), () => slot.send()]) assert.throws(use, TypeError);
    slot[Symbol.dispose]();
    assert.deepEqual(await tx.flush(), { sent: 1, rejected: 0, bytes: 60 });
    await tx.send(frame('later'));
    const seen = await witness.expect(2);
    assert.deepEqual(
      seen.map(({ data }) => data.toString('latin1', 14, 19)),
      ['early', 'later'],
    );
  });

  it('TX-04 hands out slots, and tells what became of them', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = asyncInjector(lab, { interface: wire.a, frameSize: 2048, frameCount: 4 });
    assert.deepEqual([tx.frameCapacity, tx.frameCount, tx.pendingCount, tx.availableSlots, tx.rejectedSlots], [2016, 4, 0, 4, 0]);
    assert.throws(() => tx.allocate(2017), RangeError);
    {
      using dropped = tx.allocate(60);
      assert.ok(dropped !== null);
      assert.throws(() => tx.allocate(60), TypeError, 'one slot at a time');
      dropped.data.fill(0xee);
    }
    for (const [text, length] of [
      ['one', 60],
      ['two', 1514],
      ['end', 60],
    ] as const) {
      const slot = tx.allocate(length);
      assert.ok(slot !== null);
      frame(text, length).copy(slot.data);
      slot.send();
      assert.throws(() => slot.data, TypeError);
    }
    const last = tx.allocate(60);
    last?.setLen(13);
    assert.throws(() => last?.send(), RangeError);
    last?.setLen(60);
    last?.data.set(frame('too'));
    last?.send();
    assert.equal(tx.allocate(60), null, 'the ring is full');
    assert.deepEqual([tx.pendingCount, tx.availableSlots, tx.rejectedSlots], [4, 0, 1]);
    lab.ip(`link set ${wire.a} mtu 1000`);
    assert.deepEqual(await tx.flush(), { sent: 3, rejected: 1, bytes: 180 });
    await tx.waitDrained(1000);
    assert.deepEqual([tx.pendingCount, tx.availableSlots, tx.rejectedSlots], [0, 4, 2]);
    assert.deepEqual(await tx.flush(), { sent: 0, rejected: 0, bytes: 0 });
    const seen = await witness.expect(3);
    assert.deepEqual(
      seen.map(({ data }) => data.toString('latin1', 14, 17)),
      ['one', 'end', 'too'],
    );
    const open = tx.allocate(60);
    tx.close();
    assert.throws(() => open?.send(), { code: 'ECANCELED' });
    assert.throws(() => tx.allocate(60), { code: 'ECANCELED' });
    assert.throws(() => tx.pendingCount, { code: 'ECANCELED' });
    assert.equal(tx.fd, -1);
  });

  it('TX-07 flush waits for room, and reports all that the ring held', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '8mbit', 6000);
    const witness = await CountingWitness.open(lab, wire.b, 500);
    const tx = asyncInjector(lab, { interface: wire.a, frameCount: 500 });
    for (const bytes of numbered(0, 500)) {
      const slot = tx.allocate(bytes.length);
      slot?.data.set(bytes);
      slot?.send();
    }
    assert.deepEqual(await tx.flush(), { sent: 500, rejected: 0, bytes: 32_000 });
    await tx.waitDrained(5000);
    assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: 500, foreign: 0 });
  });

  it('waitDrained refuses what is no number', async () => {
    const wire = await lab.wire();
    const tx = asyncInjector(lab, { interface: wire.a });
    for (const value of [NaN, '20', null, {}]) await assert.rejects(tx.waitDrained(value as number), TypeError);
    for (const value of [undefined, 0, -1, 0.5, 2 ** 40, Infinity]) await tx.waitDrained(value);
  });

  describe('and the life of its process', () => {
    function run(iface: string, script: string): Child {
      const library = JSON.stringify(require.resolve('@netring/node-red'));
      const open = `const { AsyncInjector } = require(${library}); const tx = AsyncInjector.open('${iface}');`;
      return lab.start(process.execPath, ['-e', `${open} ${script}`]);
    }

    it('open it keeps the process alive, unref lets it go', async () => {
      const wire = await lab.wire();
      const child = run(wire.a, "tx.unref(); tx.send(Buffer.alloc(60)).then(() => console.error('sent'));");
      assert.equal(await child.exitCode(5000), 0);
      assert.match(child.errors, /sent/);
      const waiting = run(wire.a, "console.error('open'); setTimeout(() => tx.close(), 300);");
      await waiting.says('open');
      assert.equal(await waiting.exitCode(5000), 0);
      const held = run(wire.a, "console.error('open');");
      await held.says('open');
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(held.ended, false);
    });

    // 8 kB/s: whoever waits for these to leave waits for 9 s.
    const congested = `
      const report = { sent: 0 };
      process.on('exit', () => console.error(report.sent + ' sent'));
      tx.sendBatch(Array.from({ length: 150 }, () => Buffer.alloc(500)), { report });`;
    for (const [waits, limit, rest] of [
      ['for room', 2000, 'tx.unref();'],
      ['for room, and was unref-ed since', 2000, 'setTimeout(() => tx.unref(), 100);'],
      ['for the queue to drain', 200_000, "tx.unref(); tx.waitDrained(60_000).then(() => console.error('drained'));"],
    ] as const) {
      it(`unref-ed it lets the process go although it waits ${waits}`, async () => {
        const wire = await lab.wire();
        slowQueue(wire.a, '64kbit', limit);
        const child = run(wire.a, congested + rest);
        assert.equal(await child.exitCode(5000), 0);
        const sent = Number(/(\d+) sent/.exec(child.errors)?.[1]);
        assert.ok(sent > 0 && (limit > 100_000 ? sent === 150 : sent < 150), child.errors);
        assert.doesNotMatch(child.errors, /drained/);
      });
    }

    it('ref-ed it holds the process until a congested queue has taken everything', async () => {
      const wire = await lab.wire();
      slowQueue(wire.a, '800kbit', 2000);
      const child = run(
        wire.a,
        "tx.unref().ref(); tx.sendBatch(Array.from({ length: 100 }, () => Buffer.alloc(500))).then(({ sent }) => { console.error(sent + ' sent'); tx.close(); });",
      );
      assert.equal(await child.exitCode(5000), 0);
      assert.match(child.errors, /100 sent/);
    });
  });
});
