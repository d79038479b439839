/** The capture-in node in a flow, on virtual cables; frames come from a process that is not ours. */
import assert from 'node:assert/strict';
import { isPacketBatch, type PacketBatch } from '../../src/batches/batch';
import type { DecodedPacketObject } from '../../src/decode/decode';
import type { OwnedPacket } from '../../src/batches/packet';
import { footprint, output } from '../support/process';
import { Lab, linkExists, promiscuity } from '../support/lab';
import { until } from '../support/wait';
import { flood, numberedFrame, pcapFile, probe, sendFrames, tshark } from '../support/witness';
import { load, useFlows, type Seen, type TestFlow } from './flow';

const CAPTURE = 'netring-capture-in';

describe('capture-in', () => {
  const lab = new Lab();
  after(() => lab.close());
  useFlows();

  /** A capture on one end of a new cable, open; frames go in at the other. */
  async function captureOn(properties: Record<string, unknown> = {}): Promise<{ flow: TestFlow; a: string; b: string }> {
    const { a, b } = await lab.wire();
    const flow = await load(CAPTURE, { interface: b, ...properties });
    await flow.status(/pps/);
    return { flow, a, b };
  }

  /** Every packet that came out of output 1 as batches. */
  const packetsOf = (messages: Seen[]): OwnedPacket[] => messages.flatMap(({ payload }) => (payload as PacketBatch).toArray());
  const count = (messages: Seen[]): number => messages.reduce((sum, { ring }) => sum + ring.packets, 0);

  it('sends batches with what the ring says of them', async () => {
    const { flow, a, b } = await captureOn();
    const frames = [60, 100, 1514].map((length, i) => numberedFrame(i, length));
    await sendFrames(lab, a, frames);
    await until(() => count(flow.messages) >= 3, 5000, 'three packets');
    const messages = flow.messages;
    assert.deepEqual(
      packetsOf(messages).map(({ data }) => data),
      frames,
    );
    const [first] = messages;
    assert.ok(isPacketBatch(first!.payload));
    assert.equal(first!.topic, b);
    assert.equal(first!.ring.interface, b);
    assert.equal(
      messages.reduce((sum, { ring }) => sum + ring.bytes, 0),
      60 + 100 + 1514,
    );
    assert.ok(first!.ring.tsFirst.sec > 1.6e9 && first!.ring.tsLast.sec >= first!.ring.tsFirst.sec);
    assert.deepEqual([first!.ring.drops, first!.ring.freezes], [0, 0]);
    assert.ok(Number.isInteger(first!.ring.seqNum));
  });

  it('sends arrays of plain packet objects that JSON takes', async () => {
    const { flow, a } = await captureOn({ output: 'packets' });
    await sendFrames(lab, a, [numberedFrame(7)]);
    const [{ payload }] = (await flow.collected('first')) as [Seen];
    assert.ok(Array.isArray(payload));
    const [packet] = payload as [OwnedPacket];
    assert.deepEqual(packet.data, numberedFrame(7));
    assert.equal(packet.direction, 'broadcast');
    assert.equal(packet.protocol, 0x88b5);
    assert.deepEqual(Object.keys(packet.timestamp), ['sec', 'nsec']);
    assert.equal((JSON.parse(JSON.stringify(payload)) as OwnedPacket[])[0]!.length, 64);
  });

  it('sends one message per packet, in order, as a sequence that core nodes can join', async () => {
    const { flow, a, b } = await captureOn({ output: 'packet', blockTimeoutMs: '50' });
    await flood(lab, a, { count: 1700 });
    const messages = await flow.collected('first', 1700);
    assert.deepEqual(
      messages.map(({ payload }) => (payload as Buffer).readUInt32BE(18)),
      Array.from({ length: 1700 }, (_, i) => i),
    );
    const [first] = messages as [Seen];
    assert.equal(first.topic, b);
    assert.equal(first.packet.protocol, 0x88b5);
    assert.ok(!('data' in first.packet));
    assert.deepEqual([first.ring.packets, first.ring.bytes], [1, 64]);
    const sequences = new Map<string, Seen[]>();
    for (const message of messages) sequences.set(message.parts.id, [...(sequences.get(message.parts.id) ?? []), message]);
    for (const sequence of sequences.values()) {
      assert.deepEqual(
        sequence.map(({ parts }) => parts.index),
        sequence.map((_, i) => i),
      );
      assert.ok(sequence.every(({ parts }) => parts.count === sequence.length && parts.type === 'array'));
    }
  });

  it('sends whole pcapng files', async () => {
    const { flow, a, b } = await captureOn({ output: 'pcapng' });
    await sendFrames(lab, a, [numberedFrame(1), numberedFrame(2, 200)]);
    await until(() => count(flow.messages) >= 2, 5000, 'two packets');
    const read = flow.messages.flatMap(({ payload }) => tshark(payload as Buffer, ['frame.len', 'frame.interface_name']));
    assert.deepEqual(read, [
      { 'frame.len': ['64'], 'frame.interface_name': [b] },
      { 'frame.len': ['200'], 'frame.interface_name': [b] },
    ]);
  });

  it('sends packet objects with their layers', async () => {
    const { flow, a } = await captureOn({ output: 'decoded' });
    // Node-RED clones for the second wire.
    flow.node.wires = [['first', 'second'], []];
    const udp = Buffer.from(
      '020000000002 020000000001 81002005 0800 4500002100014000 4011b6c8 c0000201 c0000202 0fa00035000d0000 68656c6c6f'.replaceAll(' ', ''),
      'hex',
    );
    await sendFrames(lab, a, [udp, numberedFrame(7)]);
    await until(() => count(flow.messages) >= 2, 5000, 'two packets');
    const packets = flow.messages.flatMap(({ payload }) => payload as DecodedPacketObject[]);
    const [first, second] = packets as [DecodedPacketObject, DecodedPacketObject];
    const [seen] = tshark(pcapFile([udp]), ['vlan.id', 'ip.src', 'ip.dst', 'ip.ttl', 'udp.srcport', 'udp.dstport', 'udp.payload']);
    assert.deepEqual(
      {
        'vlan.id': [String(first.vlans[0]!.id)],
        'ip.src': [first.ipv4!.source],
        'ip.dst': [first.ipv4!.destination],
        'ip.ttl': [String(first.ipv4!.ttl)],
        'udp.srcport': [String(first.udp!.sourcePort)],
        'udp.dstport': [String(first.udp!.destinationPort)],
        'udp.payload': [first.payload.toString('hex')],
      },
      seen,
    );
    assert.deepEqual([first.data, first.length, first.direction], [udp, udp.length, 'other-host']);
    assert.deepEqual([second.etherType, second.ipv4, second.payloadOffset, second.payloadLength], [0x88b5, undefined, 14, 50]);
    const cloned = await flow.collected('second', flow.messages.length);
    assert.deepEqual(
      cloned.flatMap(({ payload }) => payload as DecodedPacketObject[]),
      packets,
    );
    assert.equal((JSON.parse(JSON.stringify(packets)) as DecodedPacketObject[])[0]!.udp!.destinationPort, 53);
  });

  it('lets the flow run between turns: at most 500 messages of one packet each', async () => {
    const { flow, a } = await captureOn({ output: 'packet', blockTimeoutMs: 200 });
    const perTurn: number[] = [];
    let before = 0;
    let running = true;
    const look = (): void => {
      const now = flow.messages.length;
      if (now > before) perTurn.push(now - before);
      before = now;
      if (running) setImmediate(look);
    };
    setImmediate(look);
    await flood(lab, a, { count: 5000 });
    await flow.collected('first', 5000);
    running = false;
    look();
    assert.ok(perTurn.length >= 10, `${perTurn.length} turns`);
    assert.ok(Math.max(...perTurn) <= 500, `${Math.max(...perTurn)} in one turn`);
  });

  it('counts what it delivers, with output 1 wired or not', async () => {
    const { flow, a, b } = await captureOn({ statsInterval: '0.2' });
    flow.node.wires = [[], ['second']];
    await flood(lab, a, { count: 1000, length: 100, rate: 2000 });
    const last = await until(() => flow.statistics.findLast(({ packets }) => packets === 1000), 3000, 'all counted');
    assert.equal((await flow.collected('second'))[0]!.topic, b);
    assert.deepEqual(
      { ...last, packetsPerSecond: 0, bitsPerSecond: 0, uptime: 0 },
      {
        interface: b,
        state: 'up',
        packets: 1000,
        bytes: 100_000,
        drops: 0,
        shed: 0,
        freezes: 0,
        dropRate: 0,
        packetsPerSecond: 0,
        bitsPerSecond: 0,
        uptime: 0,
      },
    );
    // The rates are those of the time between two messages, which is longer or shorter where the machine is busy.
    flow.statistics.slice(1).forEach(({ packets, packetsPerSecond, bitsPerSecond, uptime }, i) => {
      const before = flow.statistics[i]!;
      const rate = (packets - before.packets) / (uptime - before.uptime);
      assert.ok(Math.abs(packetsPerSecond - rate) <= 0.01 * rate, `${packetsPerSecond} packets per second, and there were ${rate}`);
      assert.ok(Math.abs(bitsPerSecond - packetsPerSecond * 800) <= 1e-9 * bitsPerSecond, `${bitsPerSecond} bits per second`);
    });
    assert.ok(last.uptime > 0.4 && last.uptime < 20);
    assert.equal(flow.messages.length, 0);
  });

  it('shows the rate in its status, at most once a second and only when it changes', async function () {
    this.timeout(20_000);
    const { flow, a } = await captureOn();
    // On a busy machine some seconds show more, and others less.
    const sender = lab.start(probe(), ['flood', a, '1000000', '64', '1500']);
    await flow.status(/^1\.\dk pps$/, 10_000);
    await sender.stop();
    await until(() => flow.statuses.at(-1)?.text === '0 pps', 4000, 'rest');
    const times = flow.statusTimes;
    times.slice(1).forEach((time, i) => assert.ok(time - times[i]! > 990, `${time - times[i]!} ms between two statuses`));
    flow.statuses.slice(1).forEach((status, i) => assert.notDeepEqual(status, flow.statuses[i]));
    assert.deepEqual(flow.statuses.at(-1), { fill: 'green', shape: 'dot', text: '0 pps' });
  });

  it('counts and shows what the kernel drops', async () => {
    const { flow, a } = await captureOn({ blockSize: 4096, blockCount: 2, blockTimeoutMs: 1000, frameSize: 2048, statsInterval: '0.2' });
    await flood(lab, a, { count: 20_000, length: 1000 });
    await flow.status(/^dropping .*\/s$/);
    await flow.accepted({ action: 'stop' });
    const last = await until(
      () => flow.statistics.findLast(({ packets, drops, shed }) => packets + drops + shed === 20_000),
      3000,
      'a ledger that adds up',
    );
    assert.ok(last.drops > 0 && last.freezes > 0);
    const dropRate = Math.max(...flow.statistics.map(({ dropRate }) => dropRate));
    assert.ok(dropRate > 0 && dropRate <= 1);
  });

  it('drops of the messages add up to those of the statistics', async () => {
    const { flow, a } = await captureOn({ blockSize: 4096, blockCount: 2, blockTimeoutMs: 5 });
    await flood(lab, a, { count: 20_000, length: 1000 });
    await sendFrames(lab, a, [numberedFrame(0)]);
    await flow.accepted({ action: 'stop' });
    await flow.accepted({ action: 'stats' });
    const last = flow.statistics.at(-1)!;
    assert.ok(last.drops > 0);
    assert.equal(
      flow.messages.reduce((sum, { ring }) => sum + ring.drops, 0),
      last.drops,
    );
    assert.equal(count(flow.messages), last.packets);
  });

  describe('control', () => {
    it('stops, starts and restarts', async () => {
      const { flow, a } = await captureOn({ control: true, promiscuous: true });
      await flow.accepted({ action: 'stop' });
      assert.deepEqual(await flow.status(/stopped/), { fill: 'grey', shape: 'ring', text: 'stopped' });
      await sendFrames(lab, a, [numberedFrame(1)]);
      await flow.accepted({ action: 'start' });
      await sendFrames(lab, a, [numberedFrame(2)]);
      await flow.collected('first');
      await flow.accepted({ action: 'restart' });
      await sendFrames(lab, a, [numberedFrame(3)]);
      const messages = await flow.collected('first', 2);
      assert.deepEqual(
        packetsOf(messages).map(({ data }) => data),
        [numberedFrame(2), numberedFrame(3)],
      );
      await flow.accepted({ action: 'stats' });
      await flow.collected('second');
      const last = flow.statistics.at(-1)!;
      assert.deepEqual([last.state, last.packets], ['up', 2]);
    });

    it('sends statistics when asked, without an interval too', async () => {
      const { flow } = await captureOn({ control: true, statsInterval: 60 });
      await flow.accepted({ action: 'stats' });
      assert.equal((await flow.collected('second')).length, 1);
    });

    it('swaps the filter live; a bad one is refused and changes nothing', async () => {
      const { flow, a, b } = await captureOn({ control: true });
      const program = output('tcpdump', ['-ddd', '-i', b, 'ether proto 0x88b6']);
      await flow.accepted({ action: 'filter', filter: program });
      const other = numberedFrame(1);
      other.writeUInt16BE(0x88b6, 12);
      await sendFrames(lab, a, [numberedFrame(0), other]);
      assert.deepEqual(
        packetsOf(await flow.collected('first')).map(({ data }) => data),
        [other],
      );

      for (const filter of ['nonsense', '1\n6 0 0 banana', [{ code: 999 }], 42, undefined]) {
        const error = await flow.refused({ action: 'filter', filter });
        assert.match(error, /filter/);
      }
      await sendFrames(lab, a, [numberedFrame(2), other]);
      assert.deepEqual(
        packetsOf(await flow.collected('first', 2)).map(({ data }) => data),
        [other, other],
      );
      // It outlives a restart, and an empty one takes it away.
      await flow.accepted({ action: 'restart' });
      await sendFrames(lab, a, [numberedFrame(3), other]);
      await flow.collected('first', 3);
      await flow.accepted({ action: 'filter', filter: '' });
      await sendFrames(lab, a, [numberedFrame(4)]);
      const last = (await flow.collected('first', 4)).slice(2);
      assert.deepEqual(
        packetsOf(last).map(({ data }) => data),
        [other, numberedFrame(4)],
      );
      await flow.accepted({ action: 'restart' });
      await sendFrames(lab, a, [numberedFrame(5)]);
      assert.deepEqual(packetsOf(await flow.collected('first', 5)).at(-1)?.data, numberedFrame(5), 'no filter outlives a restart, too');
    });

    it('refuses nonsense with an error that names what it takes', async () => {
      const { flow } = await captureOn({ control: true });
      assert.match(await flow.refused({ action: 'explode' }), /"explode" is none of start, stop, restart, stats, filter/);
      for (const message of [{ payload: 'stop' }, { action: 7 }, { action: null }, { action: {} }, {}])
        assert.match(await flow.refused(message), /takes control messages, msg.action = start/);
      assert.equal(flow.statuses.at(-1)?.fill, 'green');
    });
  });

  describe('the interface', () => {
    it('missing: says so, and captures once it is there', async () => {
      const { a, b } = await lab.wire();
      lab.ip(`link set ${b} down`);
      lab.ip(`link set ${b} name later0`);
      const flow = await load(CAPTURE, { interface: b, statsInterval: 0.1 });
      assert.deepEqual(await flow.status(/missing/), { fill: 'red', shape: 'ring', text: `${b} missing` });
      assert.equal((await until(() => flow.statistics.at(-1), 3000, 'statistics')).state, 'missing');
      lab.ip(`link set later0 name ${b}`);
      lab.ip(`link set ${b} up`);
      await flow.status(/pps/);
      await sendFrames(lab, a, [numberedFrame(1)]);
      await flow.collected('first');
    });

    it('down and up again: yellow, and no restart', async () => {
      const { flow, a, b } = await captureOn();
      lab.ip(`link set ${b} down`);
      assert.deepEqual(await flow.status(/down/), { fill: 'yellow', shape: 'ring', text: `${b} down` });
      lab.ip(`link set ${b} up`);
      await until(() => flow.statuses.at(-1)?.fill === 'green', 3000, 'green again');
      await sendFrames(lab, a, [numberedFrame(1)]);
      await flow.collected('first');
    });

    it('deleted: what the kernel had not handed over yet is delivered, nothing is shed', async () => {
      const { flow, a, b } = await captureOn({ blockTimeoutMs: 1800 });
      const frames = Array.from({ length: 20 }, (_, i) => numberedFrame(i));
      await sendFrames(lab, a, frames);
      const before = count(flow.messages);
      lab.ip(`link del ${b}`);
      await flow.status(/gone/);
      assert.ok(before < 20, `${before} packets had come before the interface was deleted`);
      // A cable that goes down may carry frames of the kernel's own.
      const numbers = packetsOf(flow.messages).filter(({ data }) => frames.some((frame) => frame.equals(data)));
      assert.deepEqual(
        numbers.map(({ data }) => data),
        frames,
      );
      await flow.accepted({ action: 'stats' });
      const { packets, shed } = flow.statistics.at(-1)!;
      assert.deepEqual([packets, shed], [count(flow.messages), 0]);
    });

    it('deleted and made again: gone, then up, the totals kept', async () => {
      const { flow, a, b } = await captureOn({ promiscuous: true });
      await sendFrames(lab, a, [numberedFrame(1)]);
      await flow.collected('first');
      lab.ip(`link del ${b}`);
      assert.deepEqual(await flow.status(/gone/), { fill: 'red', shape: 'ring', text: `${b} gone` });
      lab.ip(`link add ${a} type veth peer name ${b}`);
      // Neighbour discovery would keep the rate above 0 for seconds.
      for (const end of [a, b]) lab.ip(`link set ${end} addrgenmode none up`);
      await until(() => flow.statuses.at(-1)?.text === '0 pps', 4000, 'up again');
      assert.equal(promiscuity(b), 1);
      await sendFrames(lab, a, [numberedFrame(2)]);
      await until(() => packetsOf(flow.messages).some(({ data }) => data.equals(numberedFrame(2))), 3000, 'the second frame');
      await flow.accepted({ action: 'stats' });
      assert.ok(flow.statistics.at(-1)!.packets >= 2);
    });
  });

  describe('bad options: a Config error in the status, in the log and for whoever sends', () => {
    const bad: [string, Record<string, unknown>, RegExp][] = [
      ['no interface', { interface: '' }, /interface is required/],
      ['a name that is none', { interface: 'a/b' }, /interface "a\/b"/],
      ['a block size', { interface: 'x', blockSize: '5000' }, /blockSize 5000 is not a power of 2/],
      ['a block timeout of 0', { interface: 'x', blockTimeoutMs: 0 }, /blockTimeoutMs 0/],
      ['a word for a number', { interface: 'x', blockCount: 'many' }, /blockCount "many"/],
      ['a profile', { interface: 'x', profile: 'gigantic' }, /profile "gigantic"/],
      ['an output form', { interface: 'x', output: 'smoke' }, /output "smoke"/],
      ['a filter', { interface: 'x', filter: 'certainly no filter' }, /filter/],
      ['a combination', { interface: 'x', fanoutGroup: 5 }, /fanoutGroup 5 needs a fanoutMode/],
      ['an unknown option', { interface: 'x', blokSize: 4096 }, /blokSize/],
    ];
    for (const [what, properties, rule] of bad) {
      it(what, async () => {
        const flow = await load(CAPTURE, properties);
        assert.match((await flow.status(/bad/)).fill, /red/);
        assert.match(await flow.refused({ action: 'start' }), rule);
      });
    }
  });

  it('leaves nothing behind', async () => {
    const { a, b } = await lab.wire();
    const before = footprint();
    const flow = await load(CAPTURE, { interface: b, promiscuous: true, profile: 'low-memory' });
    await flow.status(/pps/);
    assert.equal(promiscuity(b), 1);
    await (flow.node as unknown as { close(): Promise<void> }).close();
    assert.equal(promiscuity(b), 0);
    assert.ok(footprint().descriptors <= before.descriptors + 1, 'descriptors');
    assert.ok(linkExists(a));
  });
});
