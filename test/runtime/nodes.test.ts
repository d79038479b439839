/** Both nodes in the real Node-RED: deployed over its API, with core nodes around them. */
import assert from 'node:assert/strict';
import { Lab, promiscuity, xdpProgram } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { until } from '../support/wait';
import { flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { ask, endpoint, func, node, TAB } from '../support/flows';

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
    // A message is told of after its frames have gone.
    const { reports, caught } = await until(
      async () => {
        const told = await ask<{ reports: { sent: number; rejected: number }[]; caught?: string }>(red, 'reports');
        return told.reports.length >= 4 && told.caught !== undefined && { ...told, caught: told.caught };
      },
      5000,
      'four reports and an error',
    );
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
