/** The bridge node in a flow; what passes is judged at the far ends of its cables, by other programs. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BridgeReport } from '../../nodes/runtime/bridge/bridge-ledger';
import { isPacketBatch, type PacketBatch } from '../../src/batches/batch';
import { BridgeLab, CLIENT, ICMP, SERVER } from '../support/bridge-lab';
import { linkExists, promiscuity } from '../support/lab';
import { until } from '../support/wait';
import { CountingWitness, flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { load, node, useFlows, type Seen, type TestFlow } from './flow';

const BRIDGE = 'netring-bridge';

describe('bridge node', () => {
  const lab = new BridgeLab();
  afterEach(() => lab.close());
  useFlows();

  async function open(properties: Record<string, unknown> = {}): Promise<TestFlow> {
    const flow = await load(BRIDGE, { interfaceA: lab.left.a, interfaceB: lab.right.a, statsInterval: '0.2', ...properties });
    await flow.status(/pps/);
    await flow.collected('third');
    return flow;
  }

  const last = (flow: TestFlow): BridgeReport => {
    const report = flow.bridgeStatistics.at(-1);
    if (report === undefined) throw new Error('no statistics yet');
    return report;
  };
  const packetsOf = (messages: Seen[]): Buffer[] =>
    messages.flatMap(({ payload }) => (payload as PacketBatch).toArray().map(({ data }) => data));

  /** Sends every message of the first two outputs back to the node, as `change` makes it. */
  function loop(flow: TestFlow, change: (message: Seen) => object = (message) => message): void {
    for (const id of ['first', 'second']) node(id).on('input', (message: Seen) => flow.send(change(message)));
  }

  it('BR-01 joins two hosts, and says so in status and statistics', async () => {
    await lab.hosts();
    const flow = await open();
    const pinging = lab.clientPings(20, SERVER);
    const status = await flow.status(/A→B [1-9][\d.]*, B→A [1-9][\d.]* pps/);
    assert.deepEqual([status.fill, status.shape], ['green', 'dot']);
    await pinging;
    await sleep(300);
    const { state, uptime, aToB, bToA } = last(flow);
    assert.equal(state, 'up');
    assert.ok(uptime > 1);
    assert.ok(aToB.forwarded >= 20 && bToA.forwarded >= 20);
    for (const one of [aToB, bToA])
      assert.equal(one.received, one.forwarded + one.filtered + one.tooLarge + one.ringFull + one.kernelDrops + one.errors);
    assert.ok(flow.bridgeStatistics.some((report) => report.aToB.packetsPerSecond > 4 && report.aToB.bitsPerSecond > 1000));
    assert.equal(flow.messages.length + flow.messagesBack.length, 0, 'without a tap no frame reaches the flow');
    await flow.node.close();
    assert.deepEqual([promiscuity(lab.left.a), promiscuity(lab.right.a)], [0, 0]);
  });

  it('taps all frames into batches that say where they came from', async () => {
    await lab.wires();
    const flow = await open({ tap: 'all' });
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const there = [numberedFrame(1), numberedFrame(2, 1514)];
    await sendFrames(lab, lab.left.b, there, lab.left.namespace);
    await sendFrames(lab, lab.right.b, [numberedFrame(3)], lab.right.namespace);
    await until(() => packetsOf(flow.messages).length === 2 && packetsOf(flow.messagesBack).length === 1, 5000, 'the copies');
    assert.deepEqual(packetsOf(flow.messages), there);
    assert.deepEqual(
      (await far.expect(2)).map(({ data }) => data),
      there,
    );
    assert.deepEqual(packetsOf(flow.messagesBack), [numberedFrame(3)]);
    const [first] = flow.messages as [Seen];
    assert.ok(isPacketBatch(first.payload));
    assert.deepEqual(
      [first.topic, first.ring.interface, first.ring.drops, first.bridge],
      [lab.left.a, lab.left.a, 0, { direction: 'a-to-b' }],
    );
    assert.equal(flow.messagesBack[0]!.topic, lab.right.a);
    assert.match(await flow.refused({ payload: [numberedFrame(4)] }), /mode forward: this input takes control messages/);
  });

  it('taps one frame in N', async () => {
    await lab.wires();
    const flow = await open({ tap: 'sample', tapRate: '10', profile: 'default' });
    await flood(lab, lab.left.b, { count: 1000, rate: 10_000, namespace: lab.left.namespace });
    await until(() => packetsOf(flow.messages).length === 100, 5000, 'the copies');
    await until(() => last(flow).aToB.forwarded === 1000, 5000, 'the count');
    assert.equal(last(flow).aToB.tapShed, 0);
  });

  it('inline: batches travel through the flow and come back with a verdict, or changed', async () => {
    await lab.wires();
    const flow = await open({ mode: 'inline', inlineTimeoutMs: '5000' });
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    // What happens to the frames 0 to 3, 4 to 7 and so on, which need not come in one batch.
    const numbersOf = (message: Seen): number[] => packetsOf([message]).map((data) => data.readUInt32BE(18));
    const changes: ((message: Seen) => object)[] = [
      (message) => ({ ...message, verdict: 'drop', payload: 'whatever' }),
      (message) => ({ ...message, verdict: numbersOf(message).map((number) => (number % 2 === 0 ? 'forward' : 'drop')) }),
      (message) => ({ ...message, payload: packetsOf([message]).map((data) => Buffer.concat([data, Buffer.from('!')])) }),
      (message) => {
        const payload = (message.payload as PacketBatch).copy();
        for (let i = 0; i < payload.length; i++) payload.dataAt(i)[30] = 0xee;
        return { ...message, payload };
      },
      (message) => message,
    ];
    loop(flow, (message) => changes[Math.floor(numbersOf(message)[0]! / 4)]!(message));
    const wanted: Buffer[] = [];
    for (let round = 0; round < changes.length; round++) {
      const frames = [0, 1, 2, 3].map((i) => numberedFrame(round * 4 + i));
      await sendFrames(lab, lab.left.b, frames, lab.left.namespace);
      await until(() => last(flow).aToB.forwarded + last(flow).aToB.filtered === 4 * (round + 1), 5000, `round ${round}`);
      if (round === 1) wanted.push(frames[0]!, frames[2]!);
      if (round === 2) wanted.push(...frames.map((each) => Buffer.concat([each, Buffer.from('!')])));
      if (round === 3) for (const each of frames) each[30] = 0xee;
      if (round >= 3) wanted.push(...frames);
    }
    assert.deepEqual(
      (await far.expect(wanted.length)).map(({ data }) => data.toString('hex')),
      wanted.map((each) => each.toString('hex')),
    );
    await until(() => last(flow).aToB.forwarded === wanted.length, 5000, 'the count');
    assert.deepEqual([last(flow).aToB.filtered, last(flow).aToB.timedOut, last(flow).aToB.lateAnswers], [6, 0, 0]);
  });

  it('inline: a flow that does not answer delays the wire and does not cut it; late answers are counted', async () => {
    await lab.wires();
    const flow = await open({ mode: 'inline', inlineTimeoutMs: '50' });
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    await sendFrames(lab, lab.left.b, [numberedFrame(1)], lab.left.namespace);
    assert.equal((await far.expect(1)).length, 1);
    const [held] = await flow.collected('first');
    await flow.accepted({ ...held, verdict: 'drop' });
    await flow.accepted({ ...held });
    await until(() => last(flow).aToB.lateAnswers === 2, 5000, 'the count');
    assert.deepEqual([last(flow).aToB.timedOut, last(flow).aToB.forwarded], [1, 1]);
    await flow.status(/flow late/);
    assert.match(await flow.refused({ payload: held!.payload }), /msg\.bridge\.token is undefined/);
    assert.match(await flow.refused({ bridge: { token: 'no token' }, payload: held!.payload }), /none that a bridge has given out/);
    assert.match(await flow.refused({ ...held, payload: 'text' }), /payload is "text"/);
    assert.match(await flow.refused({ ...held, verdict: 7 }), /msg\.verdict is 7/);
    assert.match(await flow.refused({ ...held, verdict: 'maybe' }), /verdict 'maybe' is not one of forward, drop/);
  });

  it('inline: a wrong answer is refused, and the batch still waits for a right one', async () => {
    await lab.wires();
    const flow = await open({ mode: 'inline', inlineTimeoutMs: '5000', inlineDefault: 'drop' });
    const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    await sendFrames(lab, lab.left.b, [numberedFrame(1)], lab.left.namespace);
    const [held] = await flow.collected('first');
    assert.match(await flow.refused({ ...held, verdict: ['forward', 'drop'] }), /2 verdicts, the batch 1 frames/);
    assert.match(await flow.refused({ ...held, payload: [] }), /0 frames, the batch 1/);
    assert.match(await flow.refused({ ...held, payload: ['text'] }), /frames\[0\] is neither bytes/);
    assert.match(await flow.refused({ ...held, payload: [Buffer.alloc(3)] }), /3 bytes, fewer than the 14/);
    await flow.status(/^wrong answers: [1-4]$/);
    await flow.accepted({ ...held });
    assert.equal((await far.expect(1)).length, 1);
    await until(() => last(flow).aToB.wrongAnswers === 4, 2000, 'the count');
  });

  it('inline without wires: frames get the default at once', async () => {
    await lab.hosts();
    await load(BRIDGE, {
      interfaceA: lab.left.a,
      interfaceB: lab.right.a,
      mode: 'inline',
      inlineTimeoutMs: '10000',
      wires: [[], [], []],
    }).then((flow) => flow.status(/pps/));
    // Far sooner than after inlineTimeoutMs.
    await lab.clientPings(3, SERVER);
  });

  it('BR-09 filters change while it runs, for one direction or both', async () => {
    await lab.hosts();
    const flow = await open({ filterAToB: ICMP, filterAction: 'drop' });
    const ping = (): Promise<string> => lab.client('ping', ['-n', '-c', '2', '-i', '0.1', '-W', '1', SERVER]);
    assert.match(await ping(), /100% packet loss/);
    await flow.accepted({ action: 'filter', filter: '', direction: 'a-to-b' });
    await lab.clientPings(2, SERVER);
    await flow.accepted({ action: 'filter', filter: ICMP });
    assert.match(await ping(), /100% packet loss/);
    await flow.accepted({ action: 'restart' });
    assert.match(await ping(), /100% packet loss/, 'kept for the next bridge');
    assert.match(await flow.refused({ action: 'filter' }), /msg\.filter is missing/);
    assert.match(await flow.refused({ action: 'filter', filter: '', direction: 'up' }), /msg\.direction "up" is none of a-to-b, b-to-a/);
    assert.match(await flow.refused({ action: 'filter', filter: 'nonsense' }), /filter/);
    assert.match(await flow.refused({ action: 'explode' }), /none of start, stop/);
    await flow.accepted({ action: 'stop' });
    assert.deepEqual((await flow.status(/stopped/)).fill, 'grey');
    assert.equal(promiscuity(lab.left.a), 0);
    const before = flow.bridgeStatistics.length;
    await flow.accepted({ action: 'stats' });
    await until(() => flow.bridgeStatistics.length > before && last(flow).state === 'stopped', 2000, 'statistics');
    assert.ok(last(flow).aToB.filtered > 2, 'counted since deploy');
  });

  it('BR-07 a link that goes down, and an interface that is deleted and comes back', async () => {
    await lab.hosts();
    const flow = await open();
    const { a, b } = lab.right;
    lab.ip(`link set ${a} down`);
    assert.deepEqual(await flow.status(/down/), { fill: 'yellow', shape: 'ring', text: `${a} down` });
    lab.ip(`link set ${a} up`);
    await until(() => /pps/.test(flow.statuses.at(-1)!.text), 5000, 'up again');
    lab.ip(`link del ${a}`);
    assert.deepEqual(await flow.status(/gone/), { fill: 'red', shape: 'ring', text: `${a} gone` });
    await flow.status(new RegExp(`${a} missing`));
    lab.ip(`link add ${a} type veth peer name ${b} netns ${lab.right.namespace}`);
    lab.defer(() => linkExists(a) && lab.ip(`link del ${a}`));
    for (const [name, where] of [
      [a, undefined],
      [b, lab.right.namespace],
    ] as const)
      lab.ip(`link set ${name} up addrgenmode none`, where);
    lab.ip(`addr add ${SERVER}/24 dev ${b}`, lab.right.namespace);
    await until(() => /pps/.test(flow.statuses.at(-1)!.text), 8000, 'open again');
    lab.ip('neigh flush all', lab.left.namespace);
    await lab.clientPings(3, SERVER);
    assert.ok(last(flow).aToB.received > 0);
  });

  it('waits for an interface that is missing', async () => {
    await lab.wires();
    const flow = await load(BRIDGE, { interfaceA: lab.left.a, interfaceB: 'late0' });
    assert.deepEqual(await flow.status(/missing/), { fill: 'red', shape: 'ring', text: 'late0 missing' });
    assert.equal(promiscuity(lab.left.a), 0);
    lab.ip('link add late0 type veth peer name late1');
    lab.defer(() => lab.ip('link del late0'));
    for (const name of ['late0', 'late1']) lab.ip(`link set ${name} up addrgenmode none`);
    await flow.status(/pps/, 6000);
  });

  it('stays off the interface of the default route, unless told', async () => {
    await lab.wires();
    lab.ip(`addr add ${CLIENT}/24 dev ${lab.left.a}`);
    lab.ip(`route add default via ${SERVER}`);
    const flow = await load(BRIDGE, { interfaceA: lab.right.a, interfaceB: lab.left.a });
    assert.deepEqual(await flow.status(/default/), { fill: 'red', shape: 'ring', text: 'holds default route' });
    assert.equal(promiscuity(lab.right.a), 0);
    lab.ip('route del default');
    await flow.status(/pps/, 7000);
    lab.ip(`route add default via ${SERVER}`);
    await until(() => /default/.test(flow.statuses.at(-1)!.text), 7000, 'closed again');
    assert.equal(promiscuity(lab.right.a), 0);
    lab.ip('route del default');
  });

  it('says what is wrong with its properties', async () => {
    await lab.wires();
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ interfaceB: lab.left.a }, /bad interfaceB/],
      [{ mode: 'sideways' }, /bad mode/],
      [{ tapRate: '0' }, /bad tapRate/],
      [{ inlineTimeoutMs: '-1' }, /bad inlineTimeoutMs/],
      [{ filterBToA: 'nonsense' }, /bad filterBToA/],
      [{ speed: 'fast' }, /bad speed/],
    ];
    for (const [properties, text] of wrong) {
      const flow = await load(BRIDGE, { interfaceA: lab.left.a, interfaceB: lab.right.a, ...properties });
      assert.equal((await flow.status(text)).fill, 'red');
      await (await import('node-red-node-test-helper')).default.unload();
    }
  });

  it('a redeploy cuts the wire no longer than the reopening takes', async () => {
    await lab.wires();
    const far = await CountingWitness.open(lab, lab.right.b, 40_000, { namespace: lab.right.namespace });
    const flow = await open();
    const sending = flood(lab, lab.left.b, { count: 40_000, rate: 20_000, namespace: lab.left.namespace });
    await sleep(500);
    const begun = performance.now();
    await flow.accepted({ action: 'restart' });
    // A busy machine reopens more slowly.
    const took = performance.now() - begun;
    await sending;
    const reports = flow.bridgeStatistics.length;
    await until(() => flow.bridgeStatistics.slice(reports).some(({ aToB }) => aToB.packetsPerSecond === 0), 5000, 'rest');
    const { received, missing, unordered } = await far.verdict();
    assert.equal(received, 40_000 - missing);
    assert.ok(missing < 1000 + 20 * took, `${missing} of 40000 frames lost at 20 a ms, and the restart took ${took} ms`);
    assert.equal(unordered, 0);
  });
});
