/** Nodes whose interface is in another network namespace, and captures that deliver at once. */
import assert from 'node:assert/strict';
import type { PacketBatch } from '../../src/batches/batch';
import { carrier, Lab, type Wire } from '../support/lab';
import { output } from '../support/process';
import { until } from '../support/wait';
import { numberedFrame, sendFrames, Witness } from '../support/witness';
import { load, request, useFlows } from './flow';

describe('nodes in another network namespace', () => {
  const lab = new Lab();
  let wire: Wire;
  let name: string;
  beforeEach(async () => {
    wire = await lab.wire({ apart: true });
    name = `netring${process.pid}n${wire.namespace}`;
    output('ip', ['netns', 'attach', name, `${wire.namespace}`]);
    lab.defer(() => output('ip', ['netns', 'del', name]));
  });
  // Before the nodes are unloaded: the flow of a test that failed must not hold up the end.
  afterEach(() => lab.close());
  useFlows();

  const recreate = async (): Promise<void> => {
    lab.ip(`link add ${wire.a} type veth peer name ${wire.b} netns ${wire.namespace}`);
    lab.ip(`link set ${wire.a} addrgenmode none up`);
    lab.ip(`link set ${wire.b} addrgenmode none up`, wire.namespace);
    await until(() => carrier(wire.a) && carrier(wire.b, wire.namespace), 5000, 'carrier');
  };

  for (const latency of ['block', 'immediate'])
    it(`capture-in, latency ${latency}, opens again when the interface is made again there`, async () => {
      const flow = await load('netring-capture-in', { interface: wire.b, netns: name, latency });
      await flow.status(/pps/);
      await sendFrames(lab, wire.a, [numberedFrame(1)]);
      await flow.collected('first', 1);
      lab.ip(`link del ${wire.a}`);
      await flow.status(/gone/);
      await recreate();
      await until(() => flow.statuses.at(-1)?.fill === 'green', 5000, 'green again');
      await sendFrames(lab, wire.a, [numberedFrame(2)]);
      const messages = await flow.collected('first', 2);
      assert.deepEqual(
        messages.map(({ payload }) => (payload as PacketBatch).dataAt(0)),
        [numberedFrame(1), numberedFrame(2)],
      );
    });

  it('inject-out sends there, and again when the interface is made again', async () => {
    const flow = await load('netring-inject-out', { interface: wire.b, netns: `${wire.namespace}` });
    await flow.status(/pps/);
    const witness = await Witness.open(lab, wire.a);
    await flow.accepted({ payload: numberedFrame(1) });
    assert.deepEqual((await witness.expect(1))[0]!.data, numberedFrame(1));
    lab.ip(`link del ${wire.a}`);
    await flow.status(/gone/);
    await recreate();
    await until(() => flow.statuses.at(-1)?.fill === 'green', 5000, 'green again');
    const again = await Witness.open(lab, wire.a);
    await flow.accepted({ payload: numberedFrame(2) });
    assert.deepEqual((await again.expect(1))[0]!.data, numberedFrame(2));
  });

  it('inject-out keeps off the default route there as well', async () => {
    lab.ip(`addr add 10.9.0.2/24 dev ${wire.b}`, wire.namespace);
    lab.ip('route add default via 10.9.0.1', wire.namespace);
    const flow = await load('netring-inject-out', { interface: wire.b, netns: name });
    assert.equal((await flow.status(/default route/)).fill, 'red');
  });

  it('waits for a namespace that is not there yet', async () => {
    const flow = await load('netring-capture-in', { interface: wire.b, netns: `${name}x` });
    assert.deepEqual(await flow.status(/namespace missing/), { fill: 'red', shape: 'ring', text: 'namespace missing' });
    output('ip', ['netns', 'attach', `${name}x`, `${wire.namespace}`]);
    lab.defer(() => output('ip', ['netns', 'del', `${name}x`]));
    await flow.status(/pps/);
  });

  it('the picker is told of the interfaces there', async () => {
    await load('netring-capture-in', { interface: wire.b, netns: name });
    const ask = async (netns: string): Promise<unknown> => (await request().get(`/netring/interfaces?netns=${netns}`)).body;
    assert.deepEqual(((await ask(name)) as { name: string }[]).map((each) => each.name).sort(), [wire.b, 'lo'].sort());
    const { error } = (await ask('nosuchns')) as { error: { code: string; message: string } };
    assert.deepEqual([error.code, error.message], ['ENOENT', 'network namespace not found: nosuchns']);
  });
});
