/** What redeploys leave behind in the real Node-RED. */
import assert from 'node:assert/strict';
import { BridgeLab, SERVER } from '../support/bridge-lab';
import { func, node, TAB } from '../support/flows';
import { Lab, packetSockets, promiscuity, xdpProgram } from '../support/lab';
import { NodeRed, type FlowNode } from '../support/node-red';
import { isFirstRuntime } from '../support/paths';
import { footprint, threadNames, type Footprint } from '../support/process';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { flood } from '../support/witness';

function assertFlat(before: Footprint, after: Footprint): void {
  const found = JSON.stringify({ before, after });
  assert.ok(after.descriptors <= before.descriptors + 2, found);
  assert.ok(after.threads <= before.threads, found);
  assert.ok(after.rssBytes <= before.rssBytes + (64 << 20), found);
}

/** What is left behind is the first runtime's to find; the others only confirm it. */
const count = isFirstRuntime ? 1000 : 300;

describe('redeploys', function () {
  this.timeout(60_000);
  const lab = new Lab();
  let red: NodeRed;
  before(async () => {
    // Flows stay in memory: a thousand deploys would otherwise wait for the disk.
    red = await NodeRed.start(lab, { settings: { readOnly: true } });
  });
  after(() => lab.close());

  const green = (id: string): Promise<unknown> => red.status(id, ({ fill }) => fill === 'green');

  it(`${count} redeploys leave nothing behind: descriptors, mappings, memory, promiscuity`, async function () {
    this.timeout(180_000);
    const { a, b } = await lab.wire();
    // Each deploy changes one node, so that it alone is made anew: closing a ring waits for the kernel's grace periods, tens of milliseconds.
    const flow = (round: number): FlowNode[] => [
      TAB,
      node(
        'cap',
        'netring-capture-in',
        { interface: b, promiscuous: true, blockCount: 8 + (Math.ceil(round / 2) % 2) },
        ['count'],
        ['count'],
      ),
      func('count', ''),
      node('out', 'netring-inject-out', { interface: a, frameCount: 64 + 2 * (Math.floor(round / 2) % 2) }, ['count']),
    ];
    const rounds = async (from: number, to: number): Promise<void> => {
      for (let round = from; round < to; round++) {
        const old = packetSockets();
        await red.deploy(flow(round), 'nodes');
        // Open before the next deploy closes it. The kernel tells sooner than the editor's websocket, which collects for 50 ms.
        const renewed = (): boolean => packetSockets().length === old.length && packetSockets().some((inode) => !old.includes(inode));
        await until(renewed, 5000, `new sockets in round ${round}`);
      }
    };
    await red.deploy(flow(0));
    await Promise.all([green('cap'), green('out')]);
    await rounds(1, 101);
    const before = footprint(red.pid);
    await rounds(101, count + 1);
    const after = footprint(red.pid);
    assertFlat(before, after);
    // V8 maps its heap in pieces, more of them on a busy machine: one for every fourth redeploy is no ring's.
    assert.ok(after.mappings <= before.mappings + Math.max(150, count / 4), `${before.mappings} -> ${after.mappings} mappings`);
    await red.deploy([TAB]);
    assert.deepEqual([promiscuity(a), promiscuity(b)], [0, 0]);
  });

  it('redeploys of a bridge under traffic leave nothing behind, and the wire is there after each', async function () {
    this.timeout(120_000);
    const ends = new BridgeLab();
    lab.defer(() => ends.close());
    await ends.hosts();
    const { left, right } = ends;
    const ping = (): Promise<string> => ends.client('ping', ['-n', '-c', '1', '-W', '1', SERVER]);
    const flow = (round: number): FlowNode[] => [
      TAB,
      node(
        'bridge',
        'netring-bridge',
        {
          interfaceA: left.a,
          interfaceB: right.a,
          mode: round % 2 === 0 ? 'forward' : 'inline',
          tap: 'all',
          aBlockCount: 16 + (round % 4),
        },
        ['judge'],
        ['judge'],
        [],
      ),
      func('judge', `if (msg.bridge.token) return msg;`, ['bridge']),
    ];
    await red.deploy([TAB]);
    const rounds = async (from: number, to: number): Promise<void> => {
      for (let round = from; round < to; round++) {
        const old = packetSockets();
        await red.deploy(flow(round), 'nodes');
        const renewed = (): boolean => packetSockets().length === 6 && packetSockets().every((inode) => !old.includes(inode));
        await until(renewed, 5000, `new sockets in round ${round}`);
        if (round % 10 === 0) await until(async () => / 0% packet loss/.test(await ping()), 5000, `a wire in round ${round}`);
      }
    };
    // The sockets are there before the engine and its descriptor are; a green status may be that of the bridge before.
    const forwards = (): Promise<unknown> => until(() => threadNames(red.pid).includes('netring-bridge'), 5000, 'the engine');
    await rounds(0, 10);
    await forwards();
    const before = footprint(red.pid);
    await rounds(10, 40);
    await forwards();
    const after = footprint(red.pid);
    assertFlat(before, after);
    await red.deploy([TAB]);
    assert.deepEqual([promiscuity(left.a), promiscuity(right.a), packetSockets().length], [0, 0, 0]);
  });

  it('redeploys of an xdp node under traffic leave no program behind', async function () {
    needsXdp(this);
    this.timeout(120_000);
    const { a, b } = await lab.wire({ link: ['numrxqueues', '2', 'numtxqueues', '2'] });
    // What comes goes back where it came from.
    const flow = (round: number): FlowNode[] => [
      TAB,
      node('xdp', 'netring-xdp', { interface: a, queueId: 'all', promiscuous: true, frameCount: 256 + 2 * (round % 2) }, ['xdp'], []),
    ];
    const sender = flood(lab, b, { count: 100_000_000, rate: 5000 }).catch(() => undefined);
    const rounds = async (from: number, to: number): Promise<void> => {
      for (let round = from; round < to; round++) {
        const old = xdpProgram(a);
        await red.deploy(flow(round), 'nodes');
        await until(() => xdpProgram(a) !== undefined && xdpProgram(a) !== old, 5000, `a new program in round ${round}`);
      }
    };
    await rounds(0, 10);
    await green('xdp');
    const before = footprint(red.pid);
    await rounds(10, 50);
    await green('xdp');
    const after = footprint(red.pid);
    assertFlat(before, after);
    await red.deploy([TAB]);
    assert.deepEqual([xdpProgram(a), promiscuity(a)], [undefined, 0]);
    lab.ip(`link del ${a}`);
    await sender;
  });
});
