import assert from 'node:assert/strict';
import { pipeline } from 'node:stream/promises';
import { Writable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { AsyncCapture, Capture, type PacketBatch } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { flood, numberedFrame, probe, sendFrames } from '../support/witness';
import { until } from '../support/wait';
import { asyncCapture, capture, collect, frame, SMALL } from './rx';

describe('AsyncCapture', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  it('an aborted wait rejects with the reason and loses no packet', async () => {
    const rx = asyncCapture(lab, { interface: wire.a });
    const reason = new Error('enough');
    for (let round = 0; round < 20; round++) {
      const ending = new AbortController();
      const waiting = rx.recv({ signal: ending.signal });
      if (round % 2 === 0) await nextTurn();
      ending.abort(reason);
      await assert.rejects(waiting, reason);
    }
    await assert.rejects(rx.recv({ signal: AbortSignal.abort(reason) }), reason);
    const sending = flood(lab, wire.b, { count: 500, rate: 5000 });
    let seen = 0;
    while (seen < 500) {
      const batch = await rx.recv({ signal: AbortSignal.timeout(3) }).catch(() => null);
      seen += batch?.length ?? 0;
    }
    await sending;
    assert.equal(seen, 500);
  });

  it('lets blocks gather while they fill fast; an abort or a close does not wait for the pause to end', async () => {
    const rx = asyncCapture(lab, { interface: wire.a, blockSize: 65_536, blockTimeoutMs: 50 });
    const sending = flood(lab, wire.b, { count: 60_000 });
    let seen = 0;
    let full = 0;
    let wakes = 0;
    while (seen < 60_000) {
      const guard = await rx.readable({ signal: AbortSignal.timeout(5000) });
      wakes++;
      for (let batch = guard.nextBatch(); batch !== null; batch = guard.nextBatch()) {
        seen += batch.length;
        if (!batch.timedOut) full++;
      }
    }
    await sending;
    assert.ok(full > 100 && wakes < full / 2, `${full} full blocks in ${wakes} wake-ups`);

    const late = Symbol('late');
    const soon = (wait: Promise<unknown>): Promise<unknown> => Promise.race([wait.catch((error: unknown) => error), nextTurn(late)]);
    const reason = new Error('enough');
    const ending = new AbortController();
    const aborted = rx.readable({ signal: ending.signal });
    ending.abort(reason);
    assert.equal(await soon(aborted), reason);
    const closed = rx.readable();
    rx.close();
    assert.equal(((await soon(closed)) as NodeJS.ErrnoException).code, 'ECANCELED');
  });

  it('close rejects pending waits, ends iterations, is idempotent', async () => {
    const rx = asyncCapture(lab, { interface: wire.a });
    const waiting = [rx.recv(), rx.readable(), rx.tryRecvBatch()];
    const iterating = (async () => {
      let count = 0;
      for await (const batch of rx) count += batch.length;
      return count;
    })();
    await nextTurn();
    rx.close();
    rx.close();
    for (const wait of waiting) await assert.rejects(wait, { name: 'NetringError', kind: 'Io', code: 'ECANCELED' });
    assert.equal(await iterating, 0);
    await assert.rejects(rx.recv(), { code: 'ECANCELED' });
    assert.equal(rx.fd, -1);
    assert.equal(rx.cumulativeStats().packets, 0);
  });

  it('takes its source over', () => {
    const source = Capture.builder({ ...SMALL, interface: wire.a }).build();
    const rx = new AsyncCapture(source);
    lab.defer(() => rx.close());
    const uses: (() => unknown)[] = [
      () => source.nextBatch(),
      () => source.nextBatchBlocking(0),
      () => source.packets().next(),
      () => source.stats(),
      () => source.cumulativeStats(),
      () => source.setFilter(null),
      () => source.fd,
      () => source.linkUp,
      () => source.geometry,
      () => source.close(),
    ];
    for (const use of uses) assert.throws(use, TypeError);
    assert.throws(() => new AsyncCapture(source), TypeError);
  });

  it('leaving a for await keeps the capture open', async () => {
    const rx = asyncCapture(lab, { interface: wire.a });
    await sendFrames(lab, wire.b, [frame('one')]);
    for await (const batch of rx) {
      assert.equal(batch.length, 1);
      break;
    }
    await sendFrames(lab, wire.b, [frame('two')]);
    assert.equal((await rx.recv()).dataAt(0).toString('latin1', 14, 17), 'two');
  });

  it('readable gives a guard for borrowed batches', async () => {
    const rx = asyncCapture(lab, { interface: wire.a });
    await sendFrames(lab, wire.b, [frame('guarded')]);
    const guard = await rx.readable({ signal: AbortSignal.timeout(3000) });
    const batch = guard.nextBatch();
    assert.equal(batch?.borrowed, true);
    assert.equal(batch.length, 1);
    assert.equal(guard.nextBatch(), null);
    assert.equal(batch.length, 0);
  });

  for (const [name, read] of [
    ['recv', (rx) => rx.recv()],
    ['tryRecvBatch', (rx) => rx.tryRecvBatch()],
  ] satisfies [string, (rx: AsyncCapture) => Promise<PacketBatch>][]) {
    it(`a reader at full rate lets the event loop turn: ${name}`, async () => {
      const rx = asyncCapture(lab, { interface: wire.a, blockSize: 4096, frameSize: 2048, blockCount: 4096 });
      const { sent } = await flood(lab, wire.b, { count: 60_000 });
      let turns = 0;
      let running = true;
      const turn = (): void => {
        turns++;
        if (running) setImmediate(turn);
      };
      setImmediate(turn);
      let batches = 0;
      for (let seen = 0; seen < sent; batches++) seen += (await read(rx)).length;
      running = false;
      assert.ok(turns > batches / 40, `${turns} turns during ${batches} batches`);
    });
  }

  it('a stream goes through pipeline() with back-pressure and loses nothing the ring holds', async () => {
    const rx = new AsyncCapture(Capture.builder({ ...SMALL, interface: wire.a }).build());
    const stream = rx.intoStream();
    lab.defer(() => stream.destroy());
    for (const use of [() => rx.tryRecv(), () => rx.intoStream(), () => rx.close()]) assert.throws(use, TypeError);
    await assert.rejects(rx.recv(), TypeError);
    const sending = flood(lab, wire.b, { count: 5000, rate: 50_000 });
    let next = 0;
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(batch: PacketBatch, _encoding, done) {
        for (let i = 0; i < batch.length; i++) assert.deepEqual(batch.dataAt(i), numberedFrame(next++, 64));
        if (next === 5000) stream.destroy();
        setTimeout(done, 2);
      },
    });
    await assert.rejects(pipeline(stream, slow), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await sending;
    assert.equal(next, 5000);
    assert.equal(rx.fd, -1);
  });

  it('an open capture keeps the process alive, an unref-ed one does not', async () => {
    const open = `const {AsyncCapture,Capture}=require('@netring/node-red');
      const rx=new AsyncCapture(Capture.builder({interface:'${wire.a}',profile:'balanced'}).build());`;
    const held = lab.start(process.execPath, ['-e', `${open} console.error('open')`]);
    await held.says('open');
    await sleep(300);
    assert.equal(held.ended, false);
    const free = lab.start(process.execPath, ['-e', `${open} rx.unref()`]);
    assert.equal(await free.exitCode(), 0);
    const closed = lab.start(process.execPath, ['-e', `${open} rx.close()`]);
    assert.equal(await closed.exitCode(), 0);
    const synchronous = `require('@netring/node-red').Capture.builder({interface:'${wire.a}',profile:'balanced'}).build()`;
    const sync = lab.start(process.execPath, ['-e', synchronous]);
    assert.equal(await sync.exitCode(), 0);
  });

  it('a wait survives signals, and the blocking one keeps its deadline', async () => {
    const script = `const {Capture}=require('@netring/node-red'); process.on('SIGUSR2',()=>{});
      const rx=Capture.builder({interface:'${wire.a}',profile:'balanced'}).build(); console.error('open');
      const t=Date.now(); const b=rx.nextBatchBlocking(800); console.error('done',b===null,Date.now()-t)`;
    const child = lab.start(process.execPath, ['-e', script]);
    await child.says('open');
    const timer = setInterval(() => child.process.kill('SIGUSR2'), 50);
    await child.exitCode();
    clearInterval(timer);
    const [, empty, ms] = /done (\w+) (\d+)/.exec(child.errors) ?? [];
    assert.equal(empty, 'true');
    // Signals come as long as it waits: a wait that began anew with each would never end.
    assert.ok(Number(ms) >= 790 && Number(ms) < 5000, `${ms} ms`);
  });

  it('packetsFor and packetsUntil end on an idle interface', () => {
    const rx = capture(lab, { interface: wire.a });
    const start = Date.now();
    assert.equal([...rx.packetsFor(200)].length, 0);
    const took = Date.now() - start;
    assert.ok(took >= 195 && took < 2000, `${took} ms`);
    assert.equal(rx.packetsUntil(Date.now() - 1).next().done, true);
    assert.equal(rx.packetsUntil(new Date(0)).next().done, true);
  });

  it('an iteration that is left in the middle of a block goes on there', async () => {
    const rx = capture(lab, { interface: wire.a });
    await flood(lab, wire.b, { count: 50 });
    let next = 0;
    for (let round = 0; round < 10; round++) {
      for (const packet of rx.packetsFor(5000)) {
        assert.deepEqual(packet.data, numberedFrame(next++, 64));
        if (next % 5 === 0) break;
      }
    }
    assert.equal(next, 50);
    await flood(lab, wire.b, { count: 3 });
    assert.equal(rx.nextBatchBlocking(3000)?.length, 3);
  });

  it('packets() yields across blocks', async () => {
    const rx = Capture.builder({ ...SMALL, interface: wire.a, blockTimeoutMs: 1 }).build();
    lab.defer(() => rx.close());
    const child = lab.start(probe(), ['flood', wire.b, '300', '64', '3000']);
    let next = 0;
    for (const packet of rx.packets()) {
      assert.deepEqual(packet.data, numberedFrame(next++, 64));
      if (next === 300) break;
    }
    await child.exitCode();
  });

  it('a kept view keeps its bytes while thousands of batches come and go', async () => {
    const rx = asyncCapture(lab, { interface: wire.a, blockSize: 4096, frameSize: 2048, blockCount: 1024, maxBufferedBytes: 1 << 22 });
    const kept: { view: Buffer; bytes: string }[] = [];
    for (let round = 0; round < 10; round++) {
      const sending = flood(lab, wire.b, { count: 2000, rate: 100_000 });
      const batches = await collect(rx, 2000);
      await sending;
      const view = batches[7]?.dataAt(1);
      assert.ok(view);
      kept.push({ view, bytes: view.toString('hex') });
    }
    assert.ok(rx.cumulativeStats().packets === 20_000);
    await until(() => rx.cumulativeStats().bufferedBytes <= 1 << 22, 1000, 'memory within its bound');
    for (const { view, bytes } of kept) assert.equal(view.toString('hex'), bytes);
  });
});
