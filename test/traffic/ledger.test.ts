/** Every frame is accounted for once: the ledgers of all handles under overload, against what the kernel counted at the other end of the cable. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AsyncCapture,
  AsyncInjector,
  AsyncXdpSocket,
  type Bridge,
  Capture,
  captureGroup,
  Injector,
  ledger,
  type PacketBatch,
  XdpSocket,
} from '@netring/node-red';
import { balanced } from '../support/accounts';
import { BridgeLab } from '../support/bridge-lab';
import { carrier, kernelCount, type Wire } from '../support/lab';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { flood } from '../support/witness';
import { capture, ONLY_88B5, ONLY_88B6 } from './rx';
import { injector, numbered, slowQueue } from './tx';
import { MODES, xdp } from './xdp';

const FLOOD = 30_000;
/** A ring that a flood fills at once. */
const TIGHT = { blockSize: 4096, blockCount: 8, blockTimeoutMs: 5 } as const;

const countOf = (batches: readonly PacketBatch[]): number => batches.reduce((sum, { length }) => sum + length, 0);

describe('ledger', function () {
  this.timeout(30_000);
  const lab = new BridgeLab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  it('of a capture: wire = delivered + drops + shed + waiting', async () => {
    const source = Capture.builder({ interface: wire.a, ...TIGHT }).build();
    const rx = new AsyncCapture(source);
    lab.defer(() => rx.close());
    const batches: PacketBatch[] = [];
    const sending = flood(lab, wire.b, { count: FLOOD });
    let sent = 0;
    void sending.then((result) => (sent = result.sent));
    // Slow on purpose, and looked at all the time.
    while (sent === 0) {
      const batch = rx.tryRecv();
      if (batch !== null) batches.push(batch);
      balanced(ledger(rx).received);
      await sleep(1);
    }
    await sending;
    for (let batch; (batch = await rx.recv({ signal: AbortSignal.timeout(100) }).catch(() => null)) !== null;) batches.push(batch);
    const account = balanced(ledger(rx).received);
    assert.equal(account.wire, kernelCount(wire.b).sent);
    assert.equal(account.wire, sent);
    assert.equal(account.delivered, countOf(batches));
    assert.ok(account.drops > 0, 'it was an overload');
    assert.deepEqual([account.shed, account.waiting], [0, 0]);
    assert.deepEqual(ledger(source), ledger(rx));
  });

  it('of a capture: what a later filter refuses, and what is in the ring at the end, is shed', async () => {
    const source = capture(lab, { interface: wire.a, ...TIGHT, filter: ONLY_88B5 });
    await flood(lab, wire.b, { count: 50 });
    await until(() => ledger(source).received.wire === 50, 5000, 'the frames');
    assert.equal(balanced(ledger(source).received).waiting, 50);
    source.setFilter(ONLY_88B6);
    while (source.nextBatchBlocking(50) !== null);
    assert.deepEqual(balanced(ledger(source).received), { wire: 50, delivered: 0, drops: 0, shed: 50, waiting: 0 });
    source.setFilter(null);
    await flood(lab, wire.b, { count: 20 });
    await until(() => ledger(source).received.wire === 70, 5000, 'more frames');
    source.close();
    assert.deepEqual(balanced(ledger(source).received), { wire: 70, delivered: 0, drops: 0, shed: 70, waiting: 0 });
    assert.equal(kernelCount(wire.b).sent, 70);
  });

  it('of a capture group: its members together, what they have read ahead and what is left at the end', async () => {
    const options = { interface: wire.a, ...TIGHT, fanoutMode: 'load-balance', ignoreOutgoing: true } as const;
    const group = await captureGroup(3, options);
    lab.defer(() => group.close());
    assert.deepEqual(ledger(group).received, { wire: 0, delivered: 0, drops: 0, shed: 0, waiting: 0 });
    const batches: PacketBatch[] = [];
    let sent = 0;
    void flood(lab, wire.b, { count: FLOOD }).then((result) => (sent = result.sent));
    while (sent === 0) {
      const batch = group.tryRecv();
      if (batch !== null) batches.push(batch);
      assert.equal(balanced(ledger(group).received).delivered, countOf(batches));
      await sleep(1);
    }
    // The kernel has counted the last frame, whichever member it went to; all but the lost ones wait to be read.
    const full = balanced(ledger(group).received);
    assert.equal(full.wire, kernelCount(wire.b).sent);
    assert.ok(full.drops > 0 && full.waiting > 0, JSON.stringify(full));
    while (countOf(batches) < full.wire - full.drops) batches.push(await group.recv({ signal: AbortSignal.timeout(3000) }));
    assert.deepEqual(ledger(group).received, { ...full, delivered: FLOOD - full.drops, waiting: 0 });
    await flood(lab, wire.b, { count: 900 });
    await until(() => ledger(group).received.wire === FLOOD + 900, 3000, 'more frames');
    batches.push(await group.recv({ signal: AbortSignal.timeout(3000) }));
    const { drops } = balanced(ledger(group).received);
    const closing = group.close();
    assert.equal(balanced(ledger(group).received).waiting, 0);
    await closing;
    const wireFrames = kernelCount(wire.b).sent;
    assert.equal(wireFrames, FLOOD + 900);
    const delivered = countOf(batches);
    assert.deepEqual(ledger(group).received, { wire: wireFrames, delivered, drops, shed: wireFrames - delivered - drops, waiting: 0 });
    assert.ok(wireFrames > delivered + drops, 'something was left');
  });

  it('of a capture group whose filter has been changed', async () => {
    const group = await captureGroup(2, {
      interface: wire.a,
      ...TIGHT,
      filter: ONLY_88B5,
      fanoutMode: 'load-balance',
      blockTimeoutMs: 1000,
    });
    lab.defer(() => group.close());
    await flood(lab, wire.b, { count: 40 });
    await until(() => ledger(group).received.wire === 40, 3000, 'the frames');
    await group.setFilter(ONLY_88B6);
    await until(() => balanced(ledger(group).received).shed === 40, 5000, 'they are refused');
    assert.deepEqual(ledger(group).received, { wire: 40, delivered: 0, drops: 0, shed: 40, waiting: 0 });
  });

  it('of a stream is that of the capture below', async () => {
    const stream = new AsyncCapture(Capture.builder({ interface: wire.a, ...TIGHT }).build()).intoStream();
    lab.defer(() => stream.destroy());
    const { sent } = await flood(lab, wire.b, { count: FLOOD });
    let delivered = 0;
    stream.on('data', (batch: PacketBatch) => (delivered += batch.length));
    await until(() => delivered > 0 && balanced(ledger(stream).received).waiting === 0, 5000, 'an empty ring');
    await until(() => ledger(stream).received.delivered === delivered, 5000, 'all that was delivered');
    assert.equal(ledger(stream).received.wire, sent);
    assert.equal(ledger(stream).received.wire, kernelCount(wire.b).sent);
  });

  it('of an injector: accepted = sent + rejected + dropped + waiting', async () => {
    slowQueue(wire.a, '4mbit', 40_000);
    const before = kernelCount(wire.b).received;
    const tx = injector(lab, { interface: wire.a, frameCount: 64 });
    const frames = [...numbered(0, 20), Buffer.alloc(13), ...numbered(20, 2000)];
    const taken = tx.sendBatch(frames);
    assert.ok(taken > 20 && taken < 2000, `the queue took ${taken}`);
    let account = balanced(ledger(tx).sent);
    assert.deepEqual(account, { accepted: taken + 1, sent: taken, rejected: 1, dropped: 0, waiting: 0 });
    // Not flushed: they wait.
    await sleep(200);
    for (let i = 0; i < 10; i++) assert.equal(tx.send(numbered(i, i + 1)[0]!), true);
    assert.throws(() => tx.send(Buffer.alloc(13)), RangeError);
    account = balanced(ledger(tx).sent);
    assert.deepEqual(account, { accepted: taken + 12, sent: taken, rejected: 2, dropped: 0, waiting: 10 });
    tx.waitDrained(10_000);
    account = balanced(ledger(tx).sent);
    assert.deepEqual(account, { accepted: taken + 12, sent: taken + 10, rejected: 2, dropped: 0, waiting: 0 });
    await until(() => kernelCount(wire.b).received - before === account.sent, 5000, `${account.sent} frames at the other end`);
  });

  it('of an injector: what nobody can send any more at the end is dropped', async () => {
    const source = Injector.open(wire.a);
    const tx = new AsyncInjector(source);
    lab.defer(() => tx.close());
    await tx.sendBatch(numbered(0, 1000));
    for (let i = 0; i < 5; i++) {
      const slot = tx.allocate(64)!;
      slot.data.set(numbered(i, i + 1)[0]!);
      slot.send();
    }
    lab.ip(`link set ${wire.a} down`);
    await until(() => !tx.linkUp, 5000, 'the end of the link');
    assert.equal(balanced(ledger(tx).sent).waiting, 5);
    tx.close();
    assert.deepEqual(balanced(ledger(tx).sent), { accepted: 1005, sent: 1000, rejected: 0, dropped: 5, waiting: 0 });
    assert.deepEqual(ledger(source), ledger(tx));
    assert.equal(kernelCount(wire.b).received, 1000);
  });

  it('of a bridge: wire = forwarded + filtered + rejected + drops + shed + waiting', async () => {
    await lab.wires();
    const bridge = lab.bridge({ aBlockSize: 4096, aBlockCount: 8 });
    const look = (): number => balanced(ledger(bridge).aToB).wire;
    let sent = 0;
    void flood(lab, lab.left.b, { count: 100_000, namespace: lab.left.namespace }).then((result) => (sent = result.sent));
    while (sent === 0) await sleep(look() >= 0 ? 1 : 0);
    await until(() => look() === kernelCount(lab.left.b, lab.left.namespace).sent && ledger(bridge).aToB.waiting === 0, 5000, 'the rest');
    const account = balanced(ledger(bridge).aToB);
    assert.equal(account.wire, sent);
    assert.ok(account.drops > 0, 'it was an overload');
    assert.equal(account.forwarded, kernelCount(lab.right.b, lab.right.namespace).received);
    assert.deepEqual([account.filtered, account.rejected, account.shed], [0, 0, 0]);
  });

  it('of a bridge: filtered and too long frames; what is in the ring at the end is shed', async () => {
    await lab.wires();
    const bridge: Bridge = lab.bridge({ filterAToB: ONLY_88B5, filterAction: 'drop' });
    const { namespace } = lab.left;
    await flood(lab, lab.left.b, { count: 100, namespace });
    await until(() => ledger(bridge).aToB.filtered === 100, 5000, 'filtered frames');
    await bridge.setFilter('a-to-b', null);
    lab.ip(`link set ${lab.right.a} mtu 500`);
    await sleep(50);
    await flood(lab, lab.left.b, { count: 30, length: 1000, namespace });
    await until(() => ledger(bridge).aToB.rejected === 30, 5000, 'frames that are too long');
    bridge.stop();
    await flood(lab, lab.left.b, { count: 7, namespace });
    await until(() => balanced(ledger(bridge).aToB).waiting === 7, 5000, 'frames that wait');
    bridge.close();
    const account = balanced(ledger(bridge).aToB);
    assert.deepEqual(account, { wire: 137, forwarded: 0, filtered: 100, rejected: 30, drops: 0, shed: 7, waiting: 0 });
    assert.equal(account.wire, kernelCount(lab.left.b, namespace).sent);
  });

  for (const attach of MODES) {
    it(`of an XDP socket that receives (${attach})`, async function () {
      needsXdp(this);
      const source = XdpSocket.builder({ interface: wire.a, attach, frameSize: 2048, frameCount: 256, mode: 'rx' }).build();
      const socket = new AsyncXdpSocket(source);
      lab.defer(() => socket.close());
      let delivered = 0;
      let sent = 0;
      void flood(lab, wire.b, { count: FLOOD }).then((result) => (sent = result.sent));
      while (sent === 0) {
        // Not to the end: something is to stay in the ring.
        if (delivered === 0) delivered += socket.tryRecv()?.length ?? 0;
        balanced(ledger(socket).received);
        await sleep(2);
      }
      await until(() => balanced(ledger(socket).received).wire === sent, 5000, 'all frames');
      // The rest stays in the ring.
      const { waiting } = ledger(socket).received;
      assert.ok(waiting > 0);
      socket.close();
      const account = balanced(ledger(socket).received);
      assert.deepEqual([account.wire, account.delivered, account.shed, account.waiting], [sent, delivered, waiting, 0]);
      assert.equal(account.wire, kernelCount(wire.b).sent);
      assert.ok(account.drops > 0, 'it was an overload');
      assert.deepEqual(ledger(source), ledger(socket));
    });

    it(`of an XDP socket that sends (${attach})`, async function () {
      needsXdp(this);
      const socket = xdp(lab, { interface: wire.a, attach, frameCount: 64, mode: 'tx' });
      const before = kernelCount(wire.b).received;
      const frames = [...numbered(0, 5000), Buffer.alloc(13), ...numbered(5000, 10_000)];
      for (let next = 0; next < frames.length;) {
        const { accepted } = ledger(socket).sent;
        socket.sendBatch(frames.slice(next));
        const account = balanced(ledger(socket).sent);
        next += account.accepted - accepted;
        if (next < frames.length) await sleep(1);
      }
      socket.waitDrained(5000);
      const drained = balanced(ledger(socket).sent);
      assert.deepEqual(drained, { accepted: 10_001, sent: 10_000, rejected: 1, dropped: 0, waiting: 0 });
      assert.equal(kernelCount(wire.b).received - before, 10_000);
      lab.ip(`link set ${wire.b} down`);
      await until(() => !carrier(wire.a), 5000, 'the end of the link');
      for (let i = 0; i < 3; i++) assert.equal(socket.send(numbered(i, i + 1)[0]!), true);
      assert.equal(balanced(ledger(socket).sent).waiting, 3);
      socket.close();
      assert.deepEqual(balanced(ledger(socket).sent), { accepted: 10_004, sent: 10_000, rejected: 1, dropped: 3, waiting: 0 });
      assert.equal(kernelCount(wire.b).received - before, 10_000);
    });
  }

  it('takes handles only', () => {
    for (const wrong of [{}, undefined, null, 7, 'eth0']) assert.throws(() => ledger(wrong as Bridge), TypeError);
  });
});
