/** Expressions as filters of the nodes: in their properties, and in msg.action = 'filter'. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PacketBatch } from '../../src/batches/batch';
import { BridgeLab } from '../support/bridge-lab';
import { packetSockets, xdpProgram } from '../support/lab';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { numberedFrame, probe, sendFrames, Witness } from '../support/witness';
import { load, request, useFlows, type Seen, type TestFlow } from './flow';

const bytesOf = (messages: readonly Seen[]): Buffer[] =>
  messages.flatMap(({ payload }) => (payload as PacketBatch).toArray().map(({ data }) => data));
const typesOf = (messages: readonly Seen[]): number[] => [...new Set(bytesOf(messages).map((data) => data.readUInt16BE(12)))];

function framesOf(etherType: number, count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const frame = numberedFrame(i);
    frame.writeUInt16BE(etherType, 12);
    return frame;
  });
}

describe('filter expressions of the nodes', () => {
  const lab = new BridgeLab();
  afterEach(() => lab.close());
  useFlows();

  it('capture-in takes one, and swaps it under load: the ring stays, no packet of the old one follows, none of the new one is lost', async () => {
    const { a, b } = await lab.wire();
    const flow = await load('netring-capture-in', { interface: b, control: true, blockTimeoutMs: '5', filter: ' ether proto 0x88b5 ' });
    await flow.status(/pps/);
    const noise = lab.start(probe(), ['flood', a, '200000', '64', '20000']);
    await until(() => bytesOf(flow.messages).length > 100, 5000, 'packets of the flood');
    const sockets = packetSockets();
    for (let round = 0; round < 5; round++) {
      await flow.accepted({ action: 'filter', filter: 'ether proto 0x88b5 and len < 100' });
      await sleep(12);
      await flow.accepted({ action: 'filter', filter: 'ether proto 0x88b6 or ether proto 0x88b7' });
      const before = flow.messages.length;
      const wanted = framesOf(0x88b6 + (round % 2), 10);
      await sendFrames(lab, a, wanted);
      const fresh = (): Buffer[] => bytesOf(flow.messages.slice(before));
      await until(() => fresh().length >= 10, 5000, `ten packets in round ${round}`);
      assert.deepEqual(fresh(), wanted);
    }
    const now = packetSockets();
    assert.ok(
      sockets.every((inode) => now.includes(inode)),
      'the ring stayed',
    );
    await noise.stop();
    const numbers = flow.messages.map(({ ring }) => ring.seqNum);
    assert.deepEqual(
      numbers,
      [...numbers].sort((x, y) => x - y),
      'and its blocks went on',
    );
  });

  it('capture-in refuses a bad one with its column and keeps the old one, over a restart', async () => {
    const { a, b } = await lab.wire();
    const flow = await load('netring-capture-in', { interface: b, control: true });
    await flow.status(/pps/);
    await flow.accepted({ action: 'filter', filter: 'ether proto 0x88b6' });
    for (const [filter, column] of [
      ['tcp prot 80', 5],
      ['port 80 or', 11],
      ['host 10.0.0.300', 6],
      ['ether proto 0x88b6 and (udp', 28],
    ] as const)
      assert.match(await flow.refused({ action: 'filter', filter }), new RegExp(`filter column ${column}: `));
    await sendFrames(lab, a, [...framesOf(0x88b5, 1), ...framesOf(0x88b6, 1)]);
    await flow.collected('first');
    await flow.accepted({ action: 'restart' });
    await sendFrames(lab, a, [...framesOf(0x88b5, 1), ...framesOf(0x88b6, 1)]);
    await flow.collected('first', 2);
    assert.deepEqual(typesOf(flow.messages), [0x88b6]);
  });

  it('a bad one in the properties makes a red node that says where', async () => {
    const flow = await load('netring-bridge', { interfaceA: 'x', interfaceB: 'y', filterBToA: 'icmp or udp prot 5' });
    assert.equal((await flow.status(/bad filterBToA/)).fill, 'red');
    assert.match(await flow.refused({ action: 'start' }), /filterBToA column 13: /);
  });

  it('a bridge judges by expressions in both directions, and swaps them without cutting the wire', async () => {
    await lab.wires();
    const flow: TestFlow = await load('netring-bridge', {
      interfaceA: lab.left.a,
      interfaceB: lab.right.a,
      statsInterval: '0.2',
      filterAToB: 'ether proto 0x88b5',
      filterBToA: 'not ether proto 0x88b5',
      filterAction: 'drop',
    });
    await flow.status(/pps/);
    const right = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
    const left = await Witness.open(lab, lab.left.b, { namespace: lab.left.namespace });
    const [old, other] = [framesOf(0x88b5, 20), framesOf(0x88b6, 20)];
    const both = old.flatMap((frame, i) => [frame, other[i] as Buffer]);
    const seen = (witness: Witness): Buffer[] => witness.frames.map(({ data }) => data);
    await sendFrames(lab, lab.left.b, both, lab.left.namespace);
    await sendFrames(lab, lab.right.b, both, lab.right.namespace);
    await Promise.all([right.expect(20), left.expect(20)]);
    assert.deepEqual([seen(right), seen(left)], [other, old]);
    const sockets = packetSockets();
    await flow.accepted({ action: 'filter', filter: 'ether proto 0x88b6', direction: 'a-to-b' });
    assert.match(await flow.refused({ action: 'filter', filter: 'ether prot 0x88b6' }), /filter column 7: /);
    right.frames.length = left.frames.length = 0;
    await sendFrames(lab, lab.left.b, both, lab.left.namespace);
    await sendFrames(lab, lab.right.b, both, lab.right.namespace);
    await Promise.all([right.expect(20), left.expect(20)]);
    assert.deepEqual([seen(right), seen(left)], [old, old]);
    assert.deepEqual(packetSockets(), sockets);
  });

  it('xdp takes one, swaps it in place, and leaves the rest to the kernel', async function () {
    needsXdp(this);
    const { a, b } = await lab.wire();
    const flow = await load('netring-xdp', { interface: a, statsInterval: '0.2', filter: 'ether proto 0x88b5' });
    await flow.status(/pps/);
    const kernel = await Witness.open(lab, a);
    const both = framesOf(0x88b5, 10).flatMap((frame, i) => [frame, framesOf(0x88b6, 10)[i] as Buffer]);
    await sendFrames(lab, b, both);
    await until(() => bytesOf(flow.messages).length >= 10, 5000, 'ten packets');
    assert.deepEqual(
      (await kernel.expect(10)).map(({ data }) => data),
      framesOf(0x88b6, 10),
    );
    assert.deepEqual(bytesOf(flow.messages), framesOf(0x88b5, 10));
    const program = xdpProgram(a);
    assert.ok(program !== undefined);
    await flow.accepted({ action: 'filter', filter: 'ether proto 0x88b6' });
    assert.match(await flow.refused({ action: 'filter', filter: 'ether proto' }), /filter column 12: /);
    const before = flow.messages.length;
    await sendFrames(lab, b, both);
    await until(() => bytesOf(flow.messages.slice(before)).length >= 10, 5000, 'ten packets of the new kind');
    assert.deepEqual(bytesOf(flow.messages.slice(before)), framesOf(0x88b6, 10));
    assert.equal(kernel.frames.length, 20);
  });

  it('xdp refuses directions when it is deployed, with the words of the panel', async () => {
    const expression = 'arp or outbound';
    const flow = await load('netring-xdp', { interface: 'x', filter: expression });
    assert.match((await flow.status(/bad/)).fill, /red/);
    const { body } = await request().post('/netring/filter').send({ expression, for: 'xdp' });
    const { message, column } = (body as { error: { message: string; column: number } }).error;
    assert.equal(column, 8);
    const refused = await flow.refused({ action: 'start' });
    assert.ok(refused.includes(message.slice(0, message.indexOf(' ('))), `${refused} is not ${message}`);
  });

  it('the route of the panels judges expressions, for a socket or for whole frames, and says at which column they are wrong', async () => {
    await load('netring-inject-out', { interface: 'x' });
    const ask = async (body: object): Promise<{ ok: boolean; instructions: unknown[]; error: { message: string; column: number } }> =>
      (await request().post('/netring/filter').send(body)).body as never;
    const [socket, file] = [await ask({ expression: 'vlan 7' }), await ask({ expression: 'vlan 7', for: 'file' })];
    assert.ok(socket.ok && file.ok && socket.instructions.length > file.instructions.length, 'only a socket has tags beside its frames');
    const direction = 'ether proto 0x88b5 and not inbound';
    const [onSocket, onXdp] = [await ask({ expression: direction }), await ask({ expression: direction, for: 'xdp' })];
    assert.deepEqual([onSocket.ok, onXdp.ok, onXdp.error.column], [true, false, 28]);
    assert.match(onXdp.error.message, /^filter column 28: "inbound" stands there, and an XDP program does not know the direction/);
    const bad = await ask({ expression: 'tcp prot 80' });
    assert.deepEqual([bad.ok, bad.error.column], [false, 5]);
    assert.match(bad.error.message, /^filter column 5: /);
    assert.equal((await ask({ expression: '1\n6 0 0' })).error.column, 0);
    assert.match((await ask({ expression: 'ip', for: 'fun' })).error.message, /for must be socket, file, xdp or bridge, not "fun"/);
    const long = await ask({ expression: `ip${' '.repeat(1 << 17)}` });
    assert.deepEqual([long.ok, long.error.column], [false, 0]);
    assert.match(long.error.message, /at most 131072 characters/);
    const begun = performance.now();
    const wide = await ask({ expression: Array.from({ length: 6000 }, (_, i) => `port ${i}`).join(' or ') });
    assert.equal(wide.ok, false);
    assert.ok(performance.now() - begun < 2000, 'the runtime does not stand still for long');
  });
});
