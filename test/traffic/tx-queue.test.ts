import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { Injector } from '@netring/node-red';
import { Lab } from '../support/lab';
import { until, within } from '../support/wait';
import { Witness } from '../support/witness';
import { frame } from './rx';
import { asyncInjector, injector, judge, NONE_WRONG, numbered, NumberedBatch, slowQueue } from './tx';

describe('sending into a slow queue', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  // A small queue refuses frames (ENOBUFS); a long one lets the socket's buffer fill (EAGAIN).
  for (const [limit, answer] of [
    [6000, 'ENOBUFS'],
    [10_000_000, 'EAGAIN'],
  ] as const) {
    it(`TX-07 backpressure: 100 000 frames, none lost silently (${answer})`, async function () {
      this.timeout(30_000);
      const total = 100_000;
      const wire = await lab.wire();
      slowQueue(wire.a, '40mbit', limit);
      const witness = await judge(lab, wire.b, total);
      const tx = asyncInjector(lab, { interface: wire.a });
      const ticks = { count: 0 };
      const ticking = setInterval(() => ticks.count++, 20);
      const batch = new NumberedBatch(1000);
      let sent = 0;
      for (let first = 0; first < total; first += 1000) sent += (await tx.sendBatch(batch.from(first))).sent;
      clearInterval(ticking);
      assert.equal(sent, total);
      assert.ok(ticks.count > 20, `the event loop turned ${ticks.count} times`);
      await tx.waitDrained(5000);
      assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: total, foreign: 0 });
    });
  }

  it('TX-07 the synchronous calls tell what the kernel took, and the ring keeps the rest', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '8mbit', 6000);
    const witness = await judge(lab, wire.b, 1000);
    const tx = injector(lab, { interface: wire.a, frameCount: 500 });
    for (const bytes of numbered(0, 500)) assert.equal(tx.send(bytes), true);
    const first = tx.flush();
    assert.ok(first > 0 && first < 500, `${first} frames in the first flush`);
    tx.waitDrained(5000);
    let sent = 500;
    let calls = 0;
    for (; sent < 1000; calls++) {
      const taken = tx.sendBatch(numbered(sent, 1000));
      sent += taken;
      tx.waitDrained(5000);
    }
    assert.ok(calls > 1);
    assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: 1000, foreign: 0 });
  });

  it('TX-07 close waits for frames that the ring still holds', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '8mbit', 6000);
    const witness = await judge(lab, wire.b, 500);
    const tx = Injector.builder({ interface: wire.a, frameCount: 500 }).build();
    for (const bytes of numbered(0, 500)) tx.send(bytes);
    tx.close();
    // What the queue holds leaves after the sockets have gone.
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: 500, foreign: 0 });
  });

  it('calls that overlap keep their order', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '20mbit', 6000);
    const witness = await judge(lab, wire.b, 5000);
    const tx = asyncInjector(lab, { interface: wire.a });
    const calls = Array.from({ length: 50 }, (_, i) =>
      i % 2 === 0 ? tx.sendBatch(numbered(i * 100, i * 100 + 100)) : tx.sendBatch(new NumberedBatch(100).from(i * 100)),
    );
    for (const report of await Promise.all(calls)) assert.deepEqual(report, { sent: 100, rejected: 0, bytes: 6400 });
    await tx.waitDrained(2000);
    assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: 5000, foreign: 0 });
  });

  it('an abort rejects with its reason, and what is behind it still goes', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '8mbit', 4000);
    const witness = await Witness.open(lab, wire.b);
    const tx = asyncInjector(lab, { interface: wire.a });
    const reason = new Error('enough');
    const early = new AbortController();
    const queued = new AbortController();
    const report = { sent: 0, rejected: 0, bytes: 0 };
    const first = tx.sendBatch(
      Array.from({ length: 2000 }, () => frame('first')),
      { signal: early.signal, report },
    );
    const second = tx.sendBatch([frame('never')], { signal: queued.signal });
    const third = tx.sendBatch([frame('third')]);
    queued.abort(reason);
    await assert.rejects(second, reason);
    early.abort(reason);
    await assert.rejects(first, reason);
    assert.deepEqual(await third, { sent: 1, rejected: 0, bytes: 60 });
    await tx.waitDrained(5000);
    const seen = (await witness.expect(report.sent + 1)).map(({ data }) => data.toString('latin1', 14, 19));
    assert.equal(seen.length, report.sent + 1, 'the report tells what an aborted call had sent');
    assert.equal(seen.at(-1), 'third');
    assert.ok(!seen.includes('never'));
    await assert.rejects(tx.send(frame('x'), { signal: AbortSignal.abort(reason) }), reason);
  });

  it('close rejects what waits with ECANCELED', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '64kbit', 2000);
    const tx = asyncInjector(lab, { interface: wire.a });
    const waiting = Promise.allSettled([tx.sendBatch(numbered(0, 1000)), tx.send(frame('x')), tx.waitDrained()]);
    tx.close();
    tx.close();
    for (const result of await within(waiting, 1000, 'rejection')) {
      assert.equal(result.status, 'rejected');
      assert.equal((result.reason as NodeJS.ErrnoException).code, 'ECANCELED');
    }
    await assert.rejects(tx.send(frame('x')), { code: 'ECANCELED' });
  });

  it('waitDrained waits for the queue, and not for ever', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '400kbit', 100_000);
    const tx = asyncInjector(lab, { interface: wire.a });
    // 50 kB/s behind a burst of 16 kB: some 300 ms.
    await tx.sendBatch(Array.from({ length: 30 }, () => frame('x', 1000)));
    await assert.rejects(tx.waitDrained(20), { code: 'ETIMEDOUT' });
    const begin = performance.now();
    await tx.waitDrained(5000);
    assert.ok(performance.now() - begin > 50);
    const sync = injector(lab, { interface: wire.a });
    sync.sendBatch(Array.from({ length: 30 }, () => frame('x', 1000)));
    assert.throws(() => sync.waitDrained(20), { code: 'ETIMEDOUT' });
    sync.waitDrained(5000);
  });

  it('waitDrained does not wait for the calls before it for ever', async () => {
    const wire = await lab.wire();
    slowQueue(wire.a, '400kbit', 2000);
    const tx = asyncInjector(lab, { interface: wire.a });
    const sending = tx.sendBatch(Array.from({ length: 100 }, () => frame('x', 1000)));
    await assert.rejects(tx.waitDrained(20), { code: 'ETIMEDOUT' });
    const reason = new Error('enough');
    await assert.rejects(tx.waitDrained(5000, { signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const aborted = assert.rejects(tx.waitDrained(Infinity, { signal: controller.signal }), reason);
    controller.abort(reason);
    await aborted;
    await tx.waitDrained(5000);
    assert.equal((await within(sending, 0, 'sent before it was drained')).sent, 100);
  });

  it('a worker that is terminated, and an injector that nobody holds, leave no socket behind', async () => {
    const wire = await lab.wire();
    const sockets = (): number => readFileSync('/proc/self/net/packet', 'utf8').trim().split('\n').length;
    const before = sockets();
    const script = `
      const { AsyncInjector, Injector } = require(${JSON.stringify(require.resolve('@netring/node-red'))});
      const { parentPort } = require('node:worker_threads');
      const tx = AsyncInjector.open('${wire.a}');
      const slot = Injector.open('${wire.a}').allocate(60);
      tx.send(Buffer.alloc(60)).then(() => parentPort.postMessage(slot.data.length));`;
    const worker = new Worker(script, { eval: true });
    const [capacity] = (await within(once(worker, 'message'), 5000, 'a message of the worker')) as [number];
    assert.equal(capacity, 2016);
    assert.equal(sockets(), before + 4);
    await worker.terminate();
    await until(() => sockets() === before, 5000, 'the sockets are closed');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    ((): void => void Injector.open(wire.a).allocate(60))();
    assert.equal(sockets(), before + 2);
    await until(() => (collect(), sockets() === before), 5000, 'the collector closes it');
  });
});
