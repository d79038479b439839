/** Every wait takes { signal }: one test a method. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  AsyncCapture,
  AsyncXdpSocket,
  Capture,
  ChannelCapture,
  XdpSocket,
  type PacketBatch,
  type PacketStream,
  type WaitOptions,
} from '@netring/node-red';
import { BridgeLab } from '../support/bridge-lab';
import type { Wire } from '../support/lab';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { CountingWitness, flood } from '../support/witness';
import { asyncCapture, SMALL } from './rx';
import { asyncInjector, numbered, slowQueue } from './tx';
import { asyncXdp } from './xdp';

type Wait = (options: WaitOptions) => Promise<unknown>;

const REASON = new Error('enough');

/** Listeners that our waits have left on a signal. */
const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

async function assertAborts(wait: Wait): Promise<void> {
  await assert.rejects(wait({ signal: AbortSignal.abort(REASON) }), REASON, 'aborted already');
  for (const turns of [0, 1, 3]) {
    const ending = new AbortController();
    const waiting = wait({ signal: ending.signal });
    const settled = assert.rejects(waiting, REASON, `aborted after ${turns} turns`);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    ending.abort(REASON);
    await settled;
    assert.equal(listeners(ending.signal), 0);
  }
  // A reason of any kind is handed on as it is.
  const ending = new AbortController();
  const waiting = wait({ signal: ending.signal });
  ending.abort('a word');
  await assert.rejects(waiting, (reason) => reason === 'a word');
}

/** A wait that ends leaves nothing on a signal that lives on, however often. */
async function assertLeavesNothing(wait: Wait, ends: () => Promise<unknown>, rounds = 3): Promise<void> {
  const { signal } = new AbortController();
  for (let round = 0; round < rounds; round++) {
    const waiting = wait({ signal });
    await ends();
    await waiting;
    assert.equal(listeners(signal), 0);
  }
}

describe('{ signal }', function () {
  this.timeout(20_000);
  const lab = new BridgeLab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  const one = (): Promise<unknown> => flood(lab, wire.b, { count: 1 });

  for (const method of ['recv', 'readable', 'tryRecvBatch'] as const)
    it(`AsyncCapture.${method}`, async () => {
      const rx = asyncCapture(lab, { interface: wire.a, blockTimeoutMs: 1 });
      const read = async (options: WaitOptions): Promise<void> => {
        const got = await rx[method](options);
        const batch = 'nextBatch' in got ? got.nextBatch() : got;
        // A borrowed batch that is out counts as readable.
        batch?.release();
      };
      await assertAborts(read);
      await assertLeavesNothing(read, one);
      assert.equal(rx.cumulativeStats().packets, 3);
    });

  it('AsyncCapture.recv while live batches fill maxBufferedBytes', async () => {
    const rx = asyncCapture(lab, { interface: wire.a, blockSize: 65_536, blockCount: 32, maxBufferedBytes: 1 << 18 });
    const hoard: PacketBatch[] = [];
    await flood(lab, wire.b, { count: 20_000, length: 200 });
    while (rx.cumulativeStats().stalls === 0) {
      const batch = rx.tryRecv();
      if (batch === null) await nextTurn();
      else hoard.push(batch);
    }
    await assertAborts((options) => rx.recv(options));
    const { packets } = rx.cumulativeStats();
    assert.equal(
      packets,
      hoard.reduce((sum, batch) => sum + batch.length, 0),
    );
    const { signal } = new AbortController();
    const waiting = rx.recv({ signal });
    hoard.length = 0;
    const batch = await waiting;
    assert.equal(rx.cumulativeStats().packets, packets + batch.length);
    assert.equal(listeners(signal), 0);
  });

  it('AsyncCapture.intoStream', async () => {
    const open = (options: WaitOptions): PacketStream => {
      const capture = new AsyncCapture(Capture.builder({ ...SMALL, interface: wire.a }).build());
      try {
        return capture.intoStream(options);
      } catch (error) {
        capture.close();
        throw error;
      }
    };
    await assertAborts(async (options) => {
      for await (const batch of open(options) as AsyncIterable<PacketBatch>) return batch;
      return;
    });
    const { signal } = new AbortController();
    const stream = open({ signal });
    await one();
    for await (const batch of stream as AsyncIterable<PacketBatch>) {
      assert.equal(batch.length, 1);
      break;
    }
    assert.equal(listeners(signal), 0);
  });

  for (const method of ['recv', 'stopAndDrain'] as const)
    it(`ChannelCapture.${method}`, async () => {
      const spawn = (): ChannelCapture => {
        const channel = ChannelCapture.spawn({ ...SMALL, interface: wire.a }, 1000);
        lab.defer(() => channel.close());
        return channel;
      };
      if (method === 'recv') {
        const channel = spawn();
        await assertAborts((options) => channel.recv(options));
        await assertLeavesNothing((options) => channel.recv(options), one);
        return;
      }
      // A ring in which something waits is not drained at once.
      await assertAborts(async (options) => {
        const channel = spawn();
        await one();
        return channel.stopAndDrain(options);
      });
      await assertLeavesNothing((options) => spawn().stopAndDrain(options), nextTurn);
    });

  for (const method of ['send', 'sendBatch', 'flush', 'waitDrained'] as const)
    it(`AsyncInjector.${method}`, async () => {
      slowQueue(wire.a, '64kbit', 3000);
      const tx = asyncInjector(lab, { interface: wire.a, frameCount: 64 });
      const [frame] = numbered(0, 1, 500);
      // The queue takes these for a minute.
      const behind = tx.sendBatch(numbered(0, 1000, 500));
      void behind.catch(() => undefined);
      const wait: Wait = (options) => {
        if (method === 'send') return tx.send(frame!, options);
        if (method === 'sendBatch') return tx.sendBatch([frame!], options);
        return method === 'flush' ? tx.flush(options) : tx.waitDrained(60_000, options);
      };
      await assertAborts(wait);
      tx.close();
      const free = await lab.wire();
      const quick = asyncInjector(lab, { interface: free.a });
      const other: Wait = (options) => {
        if (method === 'send') return quick.send(frame!, options);
        if (method === 'sendBatch') return quick.sendBatch([frame!], options);
        return method === 'flush' ? quick.flush(options) : quick.waitDrained(5000, options);
      };
      await assertLeavesNothing(other, nextTurn);
    });

  it('AsyncInjector.waitDrained ends at once while it looks for the end of a queue', async () => {
    slowQueue(wire.a, '64kbit', 200_000);
    const tx = asyncInjector(lab, { interface: wire.a });
    await tx.sendBatch(numbered(0, 100, 500));
    const ending = new AbortController();
    const waiting = tx.waitDrained(60_000, { signal: ending.signal });
    let settled = false;
    waiting.catch(() => (settled = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    ending.abort(REASON);
    // Before the loop comes to any timer: by now it looks every 20 ms.
    await nextTurn();
    assert.ok(settled, 'at once');
    await assert.rejects(waiting, REASON);
    assert.equal(listeners(ending.signal), 0);
  });

  for (const method of ['recv', 'readable', 'tryRecvBatch'] as const)
    it(`AsyncXdpSocket.${method}`, async function () {
      needsXdp(this);
      const rx = asyncXdp(lab, { interface: wire.a, mode: 'rx' });
      const read = async (options: WaitOptions): Promise<void> => {
        const got = await rx[method](options);
        const batch = 'nextBatch' in got ? got.nextBatch() : got;
        // A borrowed batch that is out counts as readable.
        batch?.release();
      };
      await assertAborts(read);
      await assertLeavesNothing(read, one);
      assert.equal(rx.cumulativeStats().packets, 3);
    });

  it('AsyncXdpSocket.intoStream', async function () {
    needsXdp(this);
    await assertAborts(async (options) => {
      const socket = new AsyncXdpSocket(XdpSocket.builder({ interface: wire.a, mode: 'rx' }).build());
      try {
        for await (const batch of socket.intoStream(options) as AsyncIterable<PacketBatch>) return batch;
      } finally {
        if (options.signal?.aborted && socket.fd >= 0) socket.close();
      }
      return;
    });
  });

  for (const method of ['send', 'sendBatch', 'flush', 'waitDrained'] as const)
    it(`AsyncXdpSocket.${method}`, async function () {
      needsXdp(this);
      const tx = asyncXdp(lab, { interface: wire.a, mode: 'tx' });
      const [frame] = numbered(0, 1, 500);
      const wait: Wait = (options) => {
        if (method === 'send') return tx.send(frame!, options);
        if (method === 'sendBatch') return tx.sendBatch([frame!], options);
        return method === 'flush' ? tx.flush(options) : tx.waitDrained(5000, options);
      };
      await assert.rejects(wait({ signal: AbortSignal.abort(REASON) }), REASON);
      await assertLeavesNothing(wait, nextTurn);
      // Enough to be still at it when the abort comes; what is behind it goes on.
      const witness = await CountingWitness.open(lab, wire.b, 30_000);
      const many = tx.sendBatch(numbered(0, 30_000, 64));
      const ending = new AbortController();
      const queued = wait({ signal: ending.signal });
      ending.abort(REASON);
      await assert.rejects(queued, REASON);
      assert.equal(listeners(ending.signal), 0);
      assert.equal((await many).sent, 30_000);
      await tx.waitDrained(5000);
      assert.equal((await witness.verdict()).missing, 0);
    });

  for (const method of ['run', 'runAsync', 'runIterations'] as const)
    it(`Bridge.${method}`, async () => {
      await lab.wires();
      const bridge = lab.open();
      const wait: Wait = (options) =>
        method === 'runIterations' ? bridge.runIterations(1000, () => 'forward', options) : bridge[method](() => 'forward', options);
      await assertAborts(wait);
      await assertLeavesNothing(wait, async () => {
        await until(() => bridge.running, 1000, 'it runs');
        bridge.stop();
      });
    });

  it('Bridge.setFilter', async () => {
    await lab.wires();
    const bridge = lab.bridge();
    const wait: Wait = (options) => bridge.setFilter('a-to-b', null, 'drop', options);
    await assert.rejects(wait({ signal: AbortSignal.abort(REASON) }), REASON);
    await assertLeavesNothing(wait, nextTurn);
  });
});
