/** The memory of a flow's batches: dropped ones cost nothing for ever, hoarded ones stop the capture at its limit, kept bytes stay. */
import assert from 'node:assert/strict';
import type { StatisticsReport } from '../../nodes/runtime/capture/capture-ledger';
import { Lab, type Wire } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { footprint } from '../support/process';
import { until } from '../support/wait';
import { flood, numberedFrame, sendFrames } from '../support/witness';
import { ask, endpoint, func, node, TAB } from '../support/flows';

const MiB = 1024 * 1024;
const LIMIT = 16 * MiB;

describe('memory of a flow', function () {
  this.timeout(60_000);
  const lab = new Lab();
  let wire: Wire;
  let red: NodeRed;
  before(async () => {
    wire = await lab.wire();
    red = await NodeRed.start(lab);
  });
  after(() => lab.close());

  /** A capture with a small limit, and a function behind it. */
  async function deploy(code: string, limit = '', ring: Record<string, number> = {}): Promise<void> {
    // The global context outlives a deploy.
    await red.deploy([TAB, ...endpoint('clear', `for (const key of global.keys()) global.set(key, undefined); return {}`)]);
    await ask(red, 'clear');
    await red.deploy([
      TAB,
      node('cap', 'netring-capture-in', { interface: wire.b, maxBufferedBytes: limit, statsInterval: 0.2, ...ring }, ['code'], ['last']),
      func('code', code),
      func('last', `global.set('last', msg.payload);`),
      ...endpoint('state', `return { last: global.get('last'), count: global.get('count') || 0, found: global.get('found') }`),
      ...endpoint('letgo', `global.set('free', true); global.set('hoard', undefined); return {}`),
    ]);
    await red.status('cap', ({ fill }) => fill === 'green');
  }
  const state = (): Promise<{ last?: StatisticsReport; count: number; found?: unknown }> => ask(red, 'state');

  it('batches that are dropped: millions of packets, none lost, memory flat', async () => {
    // A ring for five seconds, of which a busy machine may well need two; a capture that waited for memory would lose more.
    await deploy(
      `
      const { payload } = msg;
      let bytes = 0;
      for (let i = 0; i < payload.length; i++) bytes += payload.lengthAt(i);
      global.set('count', (global.get('count') || 0) + payload.length);`,
      '',
      { blockCount: 1024 },
    );
    const blast = (count: number): Promise<unknown> => flood(lab, wire.a, { count, length: 128, rate: 250_000 });
    const arrived = (count: number): Promise<unknown> =>
      until(async () => (await state()).last?.packets === count, 10_000, `${count} packets`).catch(async (error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify(await state())}`);
      });
    await blast(1_000_000);
    await arrived(1_000_000);
    const before = footprint(red.pid).rssBytes;
    await blast(3_000_000);
    await arrived(4_000_000);
    const { last, count } = await state();
    assert.deepEqual([count, last!.drops, last!.shed], [4_000_000, 0, 0]);
    const grown = footprint(red.pid).rssBytes - before;
    // 3 million packets are 384 MB of frames and 132 MB of index.
    assert.ok(grown < 32 * MiB, `grown by ${(grown / MiB).toFixed()} MiB`);
  });

  it('batches that are hoarded: the capture stops at maxBufferedBytes, drops are counted, and it resumes by itself after letting go', async () => {
    await deploy(
      `
      const hoard = global.get('hoard') || [];
      if (!global.get('free')) hoard.push(msg.payload);
      global.set('hoard', hoard);
      global.set('count', (global.get('count') || 0) + msg.payload.length);`,
      `${LIMIT}`,
    );
    const before = footprint(red.pid).rssBytes;
    await flood(lab, wire.a, { count: 400_000, length: 128 });
    const held = await until(
      async () => {
        const now = await state();
        return now.last !== undefined && now.last.drops > 0 && now.last.packetsPerSecond === 0 && now;
      },
      10_000,
      'the stop',
    );
    // What the limit and the ring hold cannot be all of it.
    assert.ok(held.count < 400_000 && held.count > 10_000, `${held.count} packets came through`);
    const grown = footprint(red.pid).rssBytes - before;
    // The limit, the ring of 16 MiB, and what V8 needs besides.
    assert.ok(grown < LIMIT + 16 * MiB + 48 * MiB, `grown by ${(grown / MiB).toFixed()} MiB`);
    assert.match((await red.status('cap')).text!, /dropping|pps/);

    await ask(red, 'letgo');
    // From here on the loop is idle but for the once-a-second things; nothing allocates, so nothing collects by itself: not within half a minute. The
    // capture has it done once a second.
    const start = performance.now();
    await until(async () => (await state()).count > held.count, 5000, 'packets again').catch((error: Error) => {
      throw new Error(`${error.message} (${performance.now() - start} ms)`);
    });
    // The last report may still be one of the time before.
    await until(async () => (await state()).last!.packets > held.count, 5000, 'a report of them');
    await until(async () => (await state()).last!.packetsPerSecond === 0, 5000, 'an empty ring');
    const { count } = await state();
    await sendFrames(lab, wire.a, [numberedFrame(1)]);
    await until(async () => (await state()).count === count + 1, 5000, 'the next frame');
    const adds = async (): Promise<boolean> => {
      const { last } = await state();
      return last!.packets + last!.drops === 400_001;
    };
    await until(adds, 5000, 'statistics that add up');
  });

  it('a view that is kept keeps its bytes, however many batches come after', async () => {
    await deploy(`
      if (!global.get('kept')) global.set('kept', { view: msg.payload.dataAt(0), hex: msg.payload.dataAt(0).toString('hex') });
      const { view, hex } = global.get('kept');
      global.set('found', view.toString('hex') === hex && view.length);
      global.set('count', (global.get('count') || 0) + msg.payload.length);`);
    await flood(lab, wire.a, { count: 500_000, length: 128, rate: 250_000 });
    await until(async () => (await state()).count >= 499_000, 10_000, 'the flood');
    assert.equal((await state()).found, 128);
  });
});
