/** Both nodes in the real Node-RED: deployed over its API, with core nodes around them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { footprint } from '../support/process';
import { needsXdp } from '../support/skip';
import { BridgeLab, SERVER } from '../support/bridge-lab';
import { Lab, promiscuity, xdpProgram } from '../support/lab';
import { NodeRed, type FlowNode } from '../support/node-red';
import { until } from '../support/wait';
import { flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { ask, endpoint, func, node, TAB } from './flows';

/** Inodes of the packet sockets in this namespace. */
function packetSockets(): string[] {
  const [, ...lines] = readFileSync('/proc/net/packet', 'utf8').trim().split('\n');
  return lines.map((line) => line.trim().split(/\s+/).at(-1)!);
}

const MiB = 1024 * 1024;

describe('in the real Node-RED', function () {
  this.timeout(60_000);
  const lab = new Lab();
  let red: NodeRed;
  before(async () => {
    // Flows stay in memory: a thousand deploys would otherwise wait for the disk.
    red = await NodeRed.start(lab, { env: { TEST_INTERFACE: 'env0' }, settings: { readOnly: true } });
  });
  after(() => lab.close());

  const green = (id: string): Promise<unknown> => red.status(id, ({ fill }) => fill === 'green');

  it('a function walks the batches; branches share them, whatever core nodes stand between', async () => {
    const { a, b } = await lab.wire();
    // The function's realm is not ours: everything it does with a batch it does through the batch.
    const walk = `
      let bytes = 0, numbers = [];
      for (let i = 0; i < msg.payload.length; i++) {
        const at = msg.payload.offsetAt(i);
        numbers.push(msg.payload.bytes.readUInt32BE(at + 18));
        bytes += msg.payload.lengthAt(i);
      }
      const kept = global.get(node.id) || { numbers: [], bytes: 0, tags: [] };
      kept.numbers.push(...numbers);
      kept.bytes += bytes;
      kept.tags = [Object.prototype.toString.call(msg.payload), String(msg.payload).slice(0, 11)];
      global.set(node.id, kept);`;
    await red.deploy([
      TAB,
      node('cap', 'netring-capture-in', { interface: b }, ['walk1', 'change', 'debug'], []),
      func('walk1', walk),
      node('change', 'change', { rules: [{ t: 'set', p: 'copy', pt: 'msg', to: 'payload', tot: 'msg' }] }, ['link']),
      node('link', 'delay', { pauseType: 'delay', timeout: '20', timeoutUnits: 'milliseconds' }, ['walk2', 'iterate']),
      func('walk2', `msg.payload = msg.copy; ${walk}`),
      func('iterate', `global.set('sum', (global.get('sum') || 0) + [...msg.payload].filter((p) => p.protocol === 0x88b5).length);`),
      node('debug', 'debug', { complete: 'true', active: true, tosidebar: true, console: false }),
      ...endpoint('seen', `return { one: global.get('walk1'), two: global.get('walk2'), sum: global.get('sum') }`),
    ]);
    await green('cap');
    await flood(lab, a, { count: 5000, length: 100 });
    const all = Array.from({ length: 5000 }, (_, i) => i);
    type Walked = { numbers: number[]; bytes: number; tags: string[] };
    const seen = await until(
      async () => {
        const answer = await ask<{ one?: Walked; two?: Walked; sum?: number }>(red, 'seen');
        return answer.sum === 5000 && answer.one?.numbers.length === 5000 && answer.two?.numbers.length === 5000 && answer;
      },
      10_000,
      'all packets in all branches',
    ).catch(async (error: Error) => {
      throw new Error(
        `${error.message}: ${JSON.stringify(await ask(red, 'seen'), (_, value) => (Array.isArray(value) ? value.length : value) as unknown)}\n${red.log}`,
      );
    });
    for (const { numbers, bytes, tags } of [seen.one!, seen.two!]) {
      assert.deepEqual(numbers, all);
      assert.equal(bytes, 500_000);
      assert.deepEqual(tags, ['[object PacketBatch]', 'PacketBatch']);
    }
    await until(() => red.debug.length > 0, 5000, 'something in the debug sidebar');
  });

  it('frames made in a function go out', async () => {
    const { a, b } = await lab.wire();
    const witness = await Witness.open(lab, b);
    const make = `
      const frame = Buffer.from('${numberedFrame(0).toString('hex')}', 'hex');
      const numbered = (number) => { const copy = Buffer.from(frame); copy[21] = number; for (let i = 22; i < 64; i++) copy[i] = number + i; return copy; };
      const bytes = Uint8Array.from(numbered(3));
      for (const payload of [numbered(1), [numbered(2), bytes, { data: numbered(4) }], []]) node.send({ payload });
      node.send({ payload: [numbered(5), 'no frame', numbered(6)] });`;
    await red.deploy([
      TAB,
      node('go', 'inject', { props: [] }, ['make']),
      func('make', make, ['out']),
      node('out', 'netring-inject-out', { interface: a }, ['report']),
      func('report', `global.set('reports', [...(global.get('reports') || []), msg.payload]);`),
      node('catch', 'catch', { scope: ['out'] }, ['caught']),
      func('caught', `global.set('caught', msg.error.message);`),
      ...endpoint('reports', `return { reports: global.get('reports') || [], caught: global.get('caught') }`),
    ]);
    await green('out');
    await red.inject('go');
    const frames = await witness.expect(6);
    assert.deepEqual(
      frames.map(({ data }) => data),
      [1, 2, 3, 4, 5, 6].map((number) => numberedFrame(number)),
    );
    const { reports, caught } = await ask<{ reports: { sent: number; rejected: number }[]; caught: string }>(red, 'reports');
    assert.deepEqual(
      reports.map(({ sent, rejected }) => [sent, rejected]),
      [
        [1, 0],
        [3, 0],
        [0, 0],
        [2, 1],
      ],
    );
    assert.match(caught, /payload\[1\] is "no frame"/);
  });

  it('captured batches go out on another interface, as they came', async () => {
    const [one, two] = [await lab.wire(), await lab.wire()];
    const witness = await Witness.open(lab, two.b);
    await red.deploy([
      TAB,
      node('cap', 'netring-capture-in', { interface: one.b }, ['out'], []),
      node('out', 'netring-inject-out', { interface: two.a }, []),
    ]);
    await green('cap');
    await green('out');
    const frames = Array.from({ length: 100 }, (_, i) => numberedFrame(i, 60 + 10 * i));
    await sendFrames(lab, one.a, frames);
    assert.deepEqual(
      (await witness.expect(100)).map(({ data }) => data),
      frames,
    );
  });

  it('an environment variable names the interface; one that is not set is the default', async () => {
    lab.ip('link add env0 type veth peer name env1');
    lab.defer(() => lab.ip('link del env0'));
    lab.ip('link set env0 up');
    lab.ip('link set env1 up');
    await red.deploy([TAB, node('cap', 'netring-capture-in', { interface: '${TEST_INTERFACE}', blockCount: '${NOT_SET_HERE}' }, [], [])]);
    await green('cap');
  });

  it('1000 redeploys leave nothing behind: descriptors, mappings, memory, promiscuity', async function () {
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
    // What a redeploy leaves behind is the first runtime's to find; the others only confirm it.
    await rounds(101, process.env['NETRING_TEST_RUNTIME'] === 'node20-nodered4' ? 1001 : 301);
    const after = footprint(red.pid);
    const found = JSON.stringify({ before, after });
    assert.ok(after.descriptors <= before.descriptors + 2, found);
    assert.ok(after.threads <= before.threads, found);
    assert.ok(after.mappings <= before.mappings + 60, found);
    assert.ok(after.rssBytes <= before.rssBytes + 64 * MiB, found);
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
    // Witnesses of earlier tests are still there.
    const others = packetSockets();
    const ours = (): string[] => packetSockets().filter((inode) => !others.includes(inode));
    const rounds = async (from: number, to: number): Promise<void> => {
      for (let round = from; round < to; round++) {
        const old = packetSockets();
        await red.deploy(flow(round), 'nodes');
        const renewed = (): boolean => ours().length === 6 && ours().every((inode) => !old.includes(inode));
        await until(renewed, 5000, `new sockets in round ${round}`);
        if (round % 10 === 0) await until(async () => / 0% packet loss/.test(await ping()), 5000, `a wire in round ${round}`);
      }
    };
    await rounds(0, 10);
    const before = footprint(red.pid);
    await rounds(10, 40);
    const after = footprint(red.pid);
    const found = JSON.stringify({ before, after });
    assert.ok(after.descriptors <= before.descriptors + 2, found);
    assert.ok(after.threads <= before.threads, found);
    assert.ok(after.rssBytes <= before.rssBytes + 64 * MiB, found);
    await red.deploy([TAB]);
    assert.deepEqual([promiscuity(left.a), promiscuity(right.a), ours().length], [0, 0, 0]);
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
    const before = footprint(red.pid);
    await rounds(10, 50);
    await green('xdp');
    const after = footprint(red.pid);
    const found = JSON.stringify({ before, after });
    assert.ok(after.descriptors <= before.descriptors + 2, found);
    assert.ok(after.threads <= before.threads, found);
    assert.ok(after.rssBytes <= before.rssBytes + 64 * MiB, found);
    await red.deploy([TAB]);
    assert.deepEqual([xdpProgram(a), promiscuity(a)], [undefined, 0]);
    lab.ip(`link del ${a}`);
    await sender;
  });

  it('ends cleanly with open nodes', async () => {
    const { a, b } = await lab.wire();
    const own = await lab.wire();
    await red.deploy([
      TAB,
      node('cap', 'netring-capture-in', { interface: b, promiscuous: true }, [], []),
      node('out', 'netring-inject-out', { interface: a }, []),
      node('xdp', 'netring-xdp', { interface: own.a }, [], []),
    ]);
    for (const id of ['cap', 'out', 'xdp']) await green(id);
    assert.equal(promiscuity(b), 1);
    assert.notEqual(xdpProgram(own.a), undefined);
    assert.equal(await red.stop(), 0);
    assert.equal(promiscuity(b), 0);
    assert.equal(xdpProgram(own.a), undefined);
  });
});

describe('a Node-RED', function () {
  this.timeout(60_000);
  const lab = new Lab();
  after(() => lab.close());

  it('that is killed leaves promiscuity 0 and no program', async () => {
    const { a, b } = await lab.wire();
    const red = await NodeRed.start(lab, {
      flow: [
        TAB,
        node('cap', 'netring-capture-in', { interface: b, promiscuous: true }, [], []),
        node('xdp', 'netring-xdp', { interface: a }, [], []),
      ],
    });
    await until(() => promiscuity(b) === 1 && xdpProgram(a) !== undefined, 10_000, 'a promiscuous interface, and one with a program');
    await red.child.stop('SIGKILL');
    await until(() => promiscuity(b) === 0 && xdpProgram(a) === undefined, 5000, 'the kernel to tidy up');
  });

  it('without CAP_BPF and CAP_NET_ADMIN says so under an xdp node', async () => {
    const { a } = await lab.wire();
    const dropped = '-bpf,-net_admin,-sys_admin';
    const red = await NodeRed.start(lab, {
      prefix: ['setpriv', `--bounding-set=${dropped}`, `--inh-caps=${dropped}`, '--'],
      flow: [TAB, node('xdp', 'netring-xdp', { interface: a }, [], [])],
    });
    const { fill, text } = await red.status('xdp');
    assert.deepEqual([fill, text], ['red', 'needs CAP_BPF and CAP_NET_ADMIN']);
  });

  it('without CAP_NET_RAW says so, with the remedy, and runs on', async () => {
    const { a, b } = await lab.wire();
    const red = await NodeRed.start(lab, {
      prefix: ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw', '--'],
      flow: [
        TAB,
        node('cap', 'netring-capture-in', { interface: b }, [], []),
        node('out', 'netring-inject-out', { interface: a }, []),
        node('go', 'inject', { props: [{ p: 'payload' }], payload: '[]', payloadType: 'json' }, ['out']),
        node('catch', 'catch', { scope: ['out'] }, ['caught']),
        func('caught', `global.set('caught', msg.error.message);`),
        ...endpoint('caught', `return { caught: global.get('caught') || '' }`),
      ],
    });
    for (const id of ['cap', 'out']) {
      const { fill, shape, text } = await red.status(id);
      assert.deepEqual([fill, shape, text], ['red', 'ring', 'needs CAP_NET_RAW']);
    }
    await red.logs('insufficient privileges (need CAP_NET_RAW). ');
    await red.inject('go');
    const { caught } = await until(
      async () => {
        const answer = await ask<{ caught: string }>(red, 'caught');
        return answer.caught !== '' && answer;
      },
      5000,
      'the error',
    );
    assert.match(caught, /need CAP_NET_RAW/);
    assert.equal(red.log.match(/insufficient privileges/g)!.length, 2, 'said once a node, not once a second');
  });
});
