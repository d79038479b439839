import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ChannelCapture, type CaptureOptions } from '@netring/node-red';
import { Lab, packetSockets, promiscuity, type Wire } from '../support/lab';
import { footprint, idleCpu, threadNames } from '../support/process';
import { until, within } from '../support/wait';
import { flood, numberedFrame, probe } from '../support/witness';
import { SMALL } from './rx';

describe('the life of a channel', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  function spawn(capacity: number, options: Partial<CaptureOptions> = {}): ChannelCapture {
    const channel = ChannelCapture.spawn({ ...SMALL, interface: wire.a, ...options }, capacity);
    lab.defer(() => channel.close());
    return channel;
  }

  it('channel_capture_drop_stops_thread: closing ends the thread at once, idle, under load, with a full queue', async function () {
    this.timeout(60_000);
    spawn(1).close();
    await sleep(50);
    const before = footprint();
    const sender = lab.start(probe(), ['flood', wire.b, '100000000', '64', '50000']);
    await sender.says('ready');
    for (let round = 0; round < 60; round++) {
      const channel = spawn(round % 3 === 0 ? 4 : 100_000, { promiscuous: true, blockTimeoutMs: 1 });
      if (round % 2 === 0) await channel.recv();
      const begin = performance.now();
      channel.close();
      // It joins the thread, which would wait for packets without an end.
      assert.ok(performance.now() - begin < 5000, 'close returns');
    }
    await sender.stop();
    await sleep(50);
    const after = footprint();
    assert.equal(after.threads, before.threads);
    assert.equal(after.descriptors, before.descriptors);
    assert.equal(packetSockets().length, 0);
    assert.equal(promiscuity(wire.a), 0);
  });

  it('idle it costs no CPU', async () => {
    const channel = spawn(100);
    await sleep(100);
    assert.equal(threadNames().filter((name) => name === 'netring-channel').length, 1);
    const used = await idleCpu(2000, (ms) => assert.rejects(channel.recv({ signal: AbortSignal.timeout(ms) })));
    assert.ok(used <= 2, `${used} % of a CPU`);
  });

  it('RX-06 RX-07 down keeps waits pending, up goes on', async () => {
    const channel = spawn(100);
    const events: string[] = [];
    channel.on('down', () => events.push('down')).on('up', () => events.push('up'));
    const waiting = channel.recv({ signal: AbortSignal.timeout(10_000) });
    lab.ip(`link set ${wire.b} down`);
    await until(() => events.length === 1, 3000, 'down');
    assert.equal(channel.linkUp, false);
    const used = await idleCpu(500);
    assert.ok(used <= 3, `${used} % of a CPU`);
    lab.ip(`link set ${wire.b} up`);
    await until(() => events.length === 2, 3000, 'up');
    assert.equal(channel.linkUp, true);
    await flood(lab, wire.b, { count: 1 });
    assert.deepEqual((await waiting).data, numberedFrame(0));
    assert.deepEqual(events, ['down', 'up']);
  });

  it('RX-08 the interface is deleted: all that came from it is handed out, then waits and iterations reject', async () => {
    const channel = spawn(10_000, { blockTimeoutMs: 100 });
    const gone: unknown[] = [];
    channel.on('gone', (error) => gone.push(error));
    await flood(lab, wire.b, { count: 2000 });
    lab.ip(`link del ${wire.a}`);
    let next = 0;
    const iterating = (async () => {
      for await (const { data } of channel) assert.equal(data.readUInt32BE(18), next++);
    })();
    await assert.rejects(within(iterating, 3000, 'the end'), { name: 'NetringError', kind: 'Io', code: 'ENODEV' });
    assert.equal(next, 2000);
    assert.equal(gone.length, 1);
    await assert.rejects(channel.recv(), { code: 'ENODEV' });
    assert.throws(() => channel.tryRecv(), { code: 'ENODEV' });
    assert.deepEqual(await channel.stopAndDrain(), []);
    assert.equal(channel.dropped, 0);
  });

  it('RX-08 the interface is deleted under load while nobody reads; stopAndDrain gives what is there', async () => {
    const channel = spawn(500);
    const sender = lab.start(probe(), ['flood', wire.b, '100000000', '64', '100000']);
    await until(() => channel.dropped > 0, 5000, 'a full queue');
    lab.ip(`link del ${wire.a}`);
    await sender.stop();
    await until(() => !channel.linkUp, 3000, 'gone');
    const packets = await within(channel.stopAndDrain(), 3000, 'the drain');
    assert.equal(packets.length, 500);
    const { received, packets: delivered, dropped, drops } = channel.cumulativeStats();
    assert.equal(received, delivered + dropped + drops);
  });

  it('RX-10 a rename is followed', async () => {
    const channel = spawn(10);
    lab.ip(`link set ${wire.a} down`);
    lab.ip(`link set ${wire.a} name ${wire.a}r`);
    lab.ip(`link set ${wire.a}r up`);
    lab.defer(() => lab.ip(`link del ${wire.a}r`));
    await until(() => channel.interface === `${wire.a}r` && channel.linkUp, 3000, 'the new name');
    await flood(lab, wire.b, { count: 1 });
    assert.deepEqual((await channel.recv({ signal: AbortSignal.timeout(3000) })).data, numberedFrame(0));
  });

  it('a listener may close the channel', async () => {
    const channel = spawn(10);
    channel.on('down', () => channel.close());
    const waiting = channel.recv();
    lab.ip(`link set ${wire.b} down`);
    await assert.rejects(waiting, { code: 'ECANCELED' });
    assert.equal(channel.fd, -1);
  });

  it('RX-19 a worker thread that is terminated with open channels under load leaves nothing', async () => {
    const sender = lab.start(probe(), ['flood', wire.b, '100000000', '64', '20000']);
    await sender.says('ready');
    const { threads } = footprint();
    const others = packetSockets().length;
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(
        `const {ChannelCapture}=require('@netring/node-red'); const {parentPort}=require('worker_threads');
         for (const capacity of [5, 100000]) {
           const channel=ChannelCapture.spawn({interface:'${wire.a}',profile:'balanced',promiscuous:true,blockTimeoutMs:1},capacity);
           (async()=>{ for await (const packet of channel) parentPort.postMessage(packet.length); })();
         }`,
        { eval: true },
      );
      await within(new Promise((resolve) => worker.once('message', resolve)), 5000, 'a packet in the worker');
      await within(worker.terminate(), 5000, 'the end of the worker');
      assert.equal(packetSockets().length, others);
      assert.equal(promiscuity(wire.a), 0);
    }
    await until(() => footprint().threads <= threads, 3000, 'the threads have ended');
    await sender.stop();
  });

  it('RX-19 a worker that ends by itself, and one that throws, end cleanly', async () => {
    for (const ending of [
      'channel.close()',
      'channel.stopAndDrain()',
      'setTimeout(()=>{throw new Error("boom")},10)',
      'process.exit(0)',
      'channel.unref()',
    ]) {
      const worker = new Worker(
        `const {ChannelCapture}=require('@netring/node-red');
         const channel=ChannelCapture.spawn({interface:'${wire.a}',profile:'balanced'},10); channel.recv().catch(()=>{}); ${ending}`,
        { eval: true },
      );
      worker.on('error', () => undefined);
      await within(new Promise((resolve) => worker.on('exit', resolve)), 5000, `the end of the worker with ${ending}`);
      assert.equal(packetSockets().length, 0);
    }
  });

  it('open it keeps the process alive; unref-ed, closed, drained or gone it does not; an exit in the midst is clean', async () => {
    const open = `const {ChannelCapture}=require('@netring/node-red');
      const channel=ChannelCapture.spawn({interface:'${wire.a}',profile:'balanced'},10);`;
    const run = (script: string): ReturnType<Lab['start']> => lab.start(process.execPath, ['-e', `${open} ${script}`]);
    const held = run("console.error('open')");
    await held.says('open');
    await sleep(300);
    assert.equal(held.ended, false);
    for (const [script, code] of [
      ['channel.unref()', 0],
      ['channel.unref(); channel.recv()', 0],
      ['channel.close()', 0],
      ['channel.stopAndDrain()', 0],
      ['channel.recv().then(()=>process.exit(7)); console.error("open")', 7],
    ] as const) {
      const child = run(script);
      if (code === 7) {
        await child.says('open');
        await flood(lab, wire.b, { count: 100 });
      }
      assert.equal(await child.exitCode(5000), code, `${script}: ${child.errors}`);
    }
    const gone = run("channel.on('gone',()=>console.error('gone')); console.error('open')");
    await gone.says('open');
    lab.ip(`link del ${wire.a}`);
    assert.equal(await gone.exitCode(5000), 0);
    assert.match(gone.errors, /gone/);
  });
});
