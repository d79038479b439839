/** The xdp node in a flow, on virtual cables; frames come from, and are judged by, processes that are not ours. */
import assert from 'node:assert/strict';
import type { Context } from 'mocha';
import type { XdpReport } from '../../nodes/runtime/xdp/xdp-ledger';
import { isPacketBatch, PacketBatch } from '../../src/batches/batch';
import type { DecodedPacketObject } from '../../src/decode/decode';
import type { OwnedPacket } from '../../src/batches/packet';
import { XdpSocket } from '../../src/xdp/xdp-socket';
import { ICMP } from '../support/bridge-lab';
import { Lab, linkExists, promiscuity, xdpProgram, type WireOptions } from '../support/lab';
import { footprint, output } from '../support/process';
import { needsXdp, skip } from '../support/skip';
import { timed, until } from '../support/wait';
import { flood, numberedFrame, pcapFile, sendFrames, tshark, Witness } from '../support/witness';
import { load, useFlows, type Seen, type TestFlow } from './flow';

const XDP = 'netring-xdp';

/** A filter that picks numbered frames: `tcpdump -ddd ether proto 0x88b5`; and one that picks none. */
const NUMBERED = `4\n40 0 0 12\n21 0 1 ${0x88b5}\n6 0 0 262144\n6 0 0 0`;
const NOTHING = '1\n6 0 0 0';

/** What bpftool tells, as JSON; without it the test is skipped. */
function bpftool<T>(context: Context, what: 'link' | 'prog'): T[] {
  try {
    return JSON.parse(output('bpftool', ['-j', what, 'list'])) as T[];
  } catch (error) {
    if (/ENOENT/.test(String(error))) skip(context, 'no bpftool here');
    throw error;
  }
}

describe('xdp node', () => {
  before(function () {
    needsXdp(this);
  });
  const lab = new Lab();
  after(() => lab.close());
  useFlows();

  interface Bench {
    flow: TestFlow;
    /** The node's interface, and the other end. */
    a: string;
    b: string;
  }

  async function openOn(properties: Record<string, unknown> = {}, options: WireOptions = {}): Promise<Bench> {
    const { a, b } = await lab.wire(options);
    const flow = await load(XDP, { interface: a, statsInterval: '0.2', ...properties });
    await flow.status(/pps/);
    return { flow, a, b };
  }

  const numbered = (count: number, length = 64): Buffer[] => Array.from({ length: count }, (_, i) => numberedFrame(i, length));
  const count = (messages: Seen[]): number => messages.reduce((sum, { ring }) => sum + ring.packets, 0);
  const bytesOf = (messages: Seen[]): Buffer[] =>
    messages.flatMap(({ payload }) => (payload as PacketBatch).toArray().map(({ data }) => data));
  const last = async (flow: TestFlow): Promise<XdpReport> => {
    await flow.accepted({ action: 'stats' });
    return flow.statistics.at(-1) as XdpReport;
  };

  describe('receives', () => {
    it('batches, with what the ring says of them', async () => {
      const { flow, a, b } = await openOn();
      const frames = [60, 100, 1514].map((length, i) => numberedFrame(i, length));
      await sendFrames(lab, b, frames);
      await until(() => count(flow.messages) >= 3, 5000, 'three packets');
      assert.deepEqual(bytesOf(flow.messages), frames);
      const [first] = flow.messages as [Seen];
      assert.ok(isPacketBatch(first.payload));
      assert.deepEqual([first.topic, first.ring.interface, first.ring.drops, first.ring.freezes], [a, a, 0, 0]);
      assert.equal(
        flow.messages.reduce((sum, { ring }) => sum + ring.bytes, 0),
        60 + 100 + 1514,
      );
      assert.ok(Math.abs(first.ring.tsFirst.sec - Date.now() / 1000) < 10);
      const report = await last(flow);
      assert.deepEqual(
        [report.interface, report.state, report.packets, report.bytes, report.drops, report.shed, report.freezes, report.sent],
        [a, 'up', 3, 60 + 100 + 1514, 0, 0, 0, 0],
      );
      assert.deepEqual(
        Object.keys(report.xdp),
        'rx_dropped rx_invalid_descs tx_invalid_descs rx_ring_full rx_fill_ring_empty_descs tx_ring_empty_descs'.split(' '),
      );
      assert.ok(report.uptime > 0 && report.uptime < 60);
    });

    it('arrays, single packets and files', async () => {
      const arrays = await openOn({ output: 'packets' });
      await sendFrames(lab, arrays.b, [numberedFrame(7)]);
      const [{ payload }] = (await arrays.flow.collected('first')) as [Seen];
      assert.deepEqual((payload as OwnedPacket[])[0]!.data, numberedFrame(7));
      assert.equal((payload as OwnedPacket[])[0]!.protocol, 0x88b5);
    });

    it('one message per packet, in order', async () => {
      const { flow, b } = await openOn({ output: 'packet' });
      await flood(lab, b, { count: 700, rate: 20_000 });
      const messages = await flow.collected('first', 700);
      assert.deepEqual(
        messages.map(({ payload }) => (payload as Buffer).readUInt32BE(18)),
        Array.from({ length: 700 }, (_, i) => i),
      );
      assert.deepEqual([messages[0]!.ring.packets, messages[0]!.packet.protocol], [1, 0x88b5]);
    });

    it('whole pcapng files', async () => {
      const { flow, b } = await openOn({ output: 'pcapng' });
      await sendFrames(lab, b, numbered(5));
      await until(() => count(flow.messages) >= 5, 5000, 'five packets');
      const read = flow.messages.flatMap(({ payload }) => tshark(payload as Buffer, ['frame.len']));
      assert.deepEqual(read, Array(5).fill({ 'frame.len': ['64'] }));
    });

    it('packet objects with their layers', async () => {
      const { flow, b } = await openOn({ output: 'decoded' });
      await sendFrames(lab, b, [numberedFrame(7)]);
      const [{ payload }] = (await flow.collected('first')) as [Seen];
      const [packet] = payload as [DecodedPacketObject];
      assert.deepEqual([packet.data, packet.etherType], [numberedFrame(7), 0x88b5]);
      assert.deepEqual([packet.ethernet?.source, packet.payload], ['02:00:00:00:00:01', numberedFrame(7).subarray(14)]);
    });

    it('from all queues of an interface', async () => {
      // Room for all of them in each queue: on a busy machine this process may not run for a while.
      const { flow, b } = await openOn({ queueId: 'all', frameCount: '8192' }, { link: ['numrxqueues', '4', 'numtxqueues', '4'] });
      await flood(lab, b, { count: 4000, rate: 20_000 });
      await until(() => count(flow.messages) === 4000, 5000, 'all packets').catch(() => assert.equal(count(flow.messages), 4000));
    });

    it('only what the filter wants; the rest stays with the kernel; a filter is swapped live', async () => {
      const { flow, a, b } = await openOn({ filter: NUMBERED });
      const kernel = await Witness.open(lab, a);
      const foreign = numberedFrame(1);
      foreign.writeUInt16BE(0x88b6, 12);
      await sendFrames(lab, b, [numberedFrame(0), foreign, numberedFrame(2)]);
      await until(() => count(flow.messages) >= 2, 5000, 'two packets');
      assert.deepEqual(bytesOf(flow.messages), [numberedFrame(0), numberedFrame(2)]);
      assert.deepEqual(
        (await kernel.expect(1)).map(({ data }) => data),
        [foreign],
      );
      const program = xdpProgram(a);
      await flow.accepted({ action: 'filter', filter: NOTHING });
      await sendFrames(lab, b, [numberedFrame(3)]);
      assert.equal((await kernel.expect(2)).length, 2);
      assert.notEqual(xdpProgram(a), undefined);
      assert.notEqual(xdpProgram(a), program, 'replaced in place');
      await flow.accepted({ action: 'filter', filter: '' });
      await sendFrames(lab, b, [foreign]);
      await until(() => count(flow.messages) === 3, 5000, 'the third packet');
      assert.match(await flow.refused({ action: 'filter', filter: '1\n21 9 9 9' }), /filter/);
      assert.match(await flow.refused({ action: 'filter' }), /msg\.filter is missing/);
      await flow.accepted({ action: 'filter', filter: ICMP });
      await flow.accepted({ action: 'restart' });
      await flow.status(/pps/);
      await sendFrames(lab, b, [numberedFrame(4)]);
      assert.equal((await kernel.expect(3)).length, 3, 'the filter is kept');
      assert.equal(count(flow.messages), 3);
    });

    it('drops of the messages add up to those of the statistics', async function () {
      this.timeout(30_000);
      const { flow, b } = await openOn({ frameCount: '64', mode: 'rx' });
      await flood(lab, b, { count: 50_000 });
      const status = await flow.status(/dropping/);
      assert.equal(status.fill, 'yellow');
      // A message that ends with a frame sent after all others has told all drops. That frame is dropped as well while the rings are still full.
      let total = 50_000;
      const lastNumber = (): number | undefined => {
        const batch = flow.messages.at(-1)?.payload as PacketBatch | undefined;
        return batch?.dataAt(batch.length - 1).readUInt32BE(18);
      };
      await until(
        async () => {
          await sendFrames(lab, b, [numberedFrame(total)]);
          const number = total++;
          return until(() => lastNumber() === number, 500, 'the last frame').catch(() => false);
        },
        15_000,
        'a frame after all others',
      );
      const { drops, packets, xdp, dropRate } = await last(flow);
      assert.ok(drops > 0 && dropRate >= 0);
      assert.equal(drops, xdp.rx_dropped + xdp.rx_ring_full);
      assert.equal(packets, count(flow.messages));
      assert.ok(packets + drops <= total, `${packets} + ${drops}`);
      assert.equal(
        flow.messages.reduce((sum, { ring }) => sum + ring.drops, 0),
        drops,
      );
    });

    it('nothing without a wire, and counts it', async () => {
      const { flow, b } = await openOn();
      flow.node.wires = [[], ['second']];
      await sendFrames(lab, b, numbered(5));
      await until(() => flow.statistics.at(-1)?.packets === 5, 5000, 'the count');
      assert.equal(flow.messages.length, 0);
    });
  });

  describe('sends', () => {
    it('every form of frames as it is, beside receiving', async () => {
      const { flow, b } = await openOn();
      const witness = await Witness.open(lab, b);
      const [f0, f1, f2, f3, f4, f5] = numbered(6) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
      for (const payload of [
        f0,
        new Uint8Array(f1),
        PacketBatch.from([f2, f3]),
        [f4, { data: f5 }],
        [],
        PacketBatch.from([]),
        { data: f0 },
      ])
        await flow.accepted({ payload });
      assert.deepEqual(
        (await witness.expect(7)).map(({ data }) => data),
        [f0, f1, f2, f3, f4, f5, f0],
      );
      await sendFrames(lab, b, [f1]);
      await until(() => count(flow.messages) === 1, 5000, 'a packet');
      const { sent, sentBytes, packets } = await last(flow);
      assert.deepEqual([sent, sentBytes, packets], [7, 7 * 64, 1]);
    });

    it('files', async () => {
      const { flow, b } = await openOn({ input: 'file' });
      const witness = await Witness.open(lab, b);
      await flow.accepted({ payload: pcapFile(numbered(3000)) });
      assert.deepEqual(
        (await witness.expect(3000)).map(({ data }) => data),
        numbered(3000),
      );
      assert.match(await flow.refused({ payload: 'no file' }), /must be a Buffer that holds a pcap/);
    });

    it('many more than the ring holds, in order, while the loop turns', async () => {
      const { flow, b } = await openOn({ frameCount: '256' });
      const witness = await Witness.open(lab, b);
      let turns = 0;
      let running = true;
      const turn = (): void => {
        turns++;
        if (running) setImmediate(turn);
      };
      setImmediate(turn);
      flow.send({ payload: PacketBatch.from(numbered(10_000)) });
      flow.send({ payload: numbered(10_000) });
      await flow.collected('completed', 2);
      running = false;
      assert.deepEqual(
        (await witness.expect(20_000)).map(({ data }) => data),
        [...numbered(10_000), ...numbered(10_000)],
      );
      assert.ok(turns >= 9, `${turns} turns`);
    });

    it('the rest of a message, when some of it is wrong', async () => {
      const { flow, b } = await openOn();
      const witness = await Witness.open(lab, b);
      assert.match(
        await flow.refused({ payload: [numberedFrame(0), 'x', Buffer.alloc(5), Buffer.alloc(1515), numberedFrame(1)] }),
        /^payload\[1\] is "x".*and 2 more refused/,
      );
      assert.match(await flow.refused({ payload: Buffer.alloc(1515) }), /^payload is 1515 bytes long: a frame has 14 to 1514 bytes/);
      assert.match(await flow.refused({ payload: 7 }), /^payload is 7: a frame is/);
      assert.deepEqual(
        (await witness.expect(2)).map(({ data }) => data),
        [numberedFrame(0), numberedFrame(1)],
      );
    });

    it('nothing in mode rx; and in mode tx it emits nothing', async () => {
      const { flow } = await openOn({ mode: 'rx' });
      assert.match(await flow.refused({ payload: numberedFrame(0) }), /only receives/);
    });

    it('in mode tx, and the kernel keeps what comes', async () => {
      const { flow, a, b } = await openOn({ mode: 'tx' });
      const [witness, kernel] = [await Witness.open(lab, b), await Witness.open(lab, a)];
      await flow.accepted({ payload: numbered(3) });
      assert.equal((await witness.expect(3)).length, 3);
      await sendFrames(lab, b, [numberedFrame(0)]);
      assert.equal((await kernel.expect(1)).length, 1);
      assert.equal(flow.messages.length, 0);
    });
  });

  describe('control', () => {
    it('stop takes the program away and refuses frames; start and restart go on', async () => {
      const { flow, a, b } = await openOn();
      assert.notEqual(xdpProgram(a), undefined);
      await flow.accepted({ action: 'stop' });
      assert.equal(xdpProgram(a), undefined);
      assert.equal((await flow.status(/stopped/)).fill, 'grey');
      assert.match(await flow.refused({ payload: numberedFrame(0) }), /is stopped/);
      assert.equal((await last(flow)).state, 'stopped');
      for (const action of ['start', 'restart', 'start']) await flow.accepted({ action });
      await sendFrames(lab, b, [numberedFrame(1)]);
      await until(() => count(flow.messages) === 1, 5000, 'a packet');
      assert.match(await flow.refused({ action: 'fly' }), /"fly" is none of start, stop, restart, stats, filter/);
    });
  });

  describe('says how it is', () => {
    it('how the frames travel', async () => {
      const driver = await openOn();
      assert.deepEqual(driver.flow.statuses.at(-1), { fill: 'green', shape: 'dot', text: 'driver, copy: 0 pps' });
    });

    it('after the driver', async () => {
      const { flow, b } = await openOn({ attach: 'skb' });
      await flood(lab, b, { count: 3000, rate: 1000 });
      assert.equal((await flow.status(/[1-9].* pps/)).text.startsWith('skb, copy: '), true);
    });

    it('the link: ENETDOWN within a second, and up again', async () => {
      const { flow, a, b } = await openOn();
      lab.ip(`link set ${b} down`);
      assert.equal((await flow.status(/down/)).fill, 'yellow');
      assert.match(await flow.refusedAtOnce({ payload: numberedFrame(0) }), /down/);
      lab.ip(`link set ${b} up`);
      const witness = await Witness.open(lab, b);
      await until(
        async () =>
          flow.accepted({ payload: numberedFrame(1) }, 500).then(
            () => true,
            () => false,
          ),
        5000,
        'a frame sent',
      );
      await witness.expect(1);
      await sendFrames(lab, b, [numberedFrame(2)]);
      await until(() => count(flow.messages) >= 1, 5000, 'a packet');
      assert.ok(linkExists(a));
    });

    it('missing, made, deleted, made again', async () => {
      const flow = await load(XDP, { interface: 'nxdp0', statsInterval: '0.2' });
      assert.equal((await flow.status(/nxdp0 missing/)).fill, 'red');
      const make = (): void => {
        lab.ip('link add nxdp0 type veth peer name nxdp1');
        for (const end of ['nxdp0', 'nxdp1']) {
          lab.ip(`link set ${end} addrgenmode none`);
          lab.ip(`link set ${end} up`);
        }
      };
      make();
      await flow.status(/pps/);
      await until(() => flow.statistics.at(-1)?.state === 'up', 5000, 'up');
      lab.ip('link del nxdp0');
      assert.equal((await flow.status(/nxdp0 gone/)).fill, 'red');
      assert.match(await flow.refused({ payload: numberedFrame(0) }), /nxdp0/);
      await until(() => flow.statistics.at(-1)?.state !== 'up', 5000, 'gone');
      make();
      await until(() => flow.statistics.at(-1)?.state === 'up', 5000, 'up again');
      await sendFrames(lab, 'nxdp1', [numberedFrame(0)]);
      await until(() => count(flow.messages) === 1, 5000, 'a packet');
      lab.ip('link del nxdp0');
    });

    it('a program that somebody detaches: an error within a second, and attached again', async function () {
      const { a, b } = await lab.wire();
      const first = await load(XDP, { interface: a });
      await first.status(/pps/);
      const link = (): { id: number; prog_id: number } | undefined =>
        bpftool<{ id: number; type: string; prog_id: number }>(this, 'link').find(
          ({ type, prog_id }) => type === 'xdp' && prog_id === xdpProgram(a),
        );
      const found = link();
      assert.ok(found);
      output('bpftool', ['link', 'detach', 'id', String(found.id)]);
      const status = await first.status(/program detached/);
      assert.equal(status.fill, 'red');
      await until(() => xdpProgram(a) !== undefined, 5000, 'a program again');
      await sendFrames(lab, b, [numberedFrame(0)]);
      await until(() => count(first.messages) === 1, 5000, 'a packet');
    });

    it('a queue that another socket has, until it is free', async () => {
      const { a, b } = await lab.wire();
      const other = XdpSocket.builder({ interface: a, attach: 'none' }).build();
      try {
        const flow = await load(XDP, { interface: a });
        assert.deepEqual(await flow.status(/another socket/), {
          fill: 'red',
          shape: 'ring',
          text: 'another socket is bound to this queue',
        });
        assert.equal(xdpProgram(a), undefined);
        assert.match(await flow.refused({ payload: numberedFrame(0) }), /EBUSY/);
        other.close();
        await flow.status(/pps/);
        await sendFrames(lab, b, [numberedFrame(0)]);
        await until(() => count(flow.messages) === 1, 5000, 'a packet');
      } finally {
        other.close();
      }
    });

    it('a program of somebody else: left alone, until it is gone', async () => {
      const { a } = await lab.wire({ link: ['numrxqueues', '2', 'numtxqueues', '2'] });
      const script = `const { XdpSocket } = require('@netring/node-red');
        globalThis.socket = XdpSocket.builder({ interface: process.argv[1], queueId: 1, frameCount: 64 }).build();
        setInterval(() => {}, 1000);`;
      const other = lab.start(process.execPath, ['-e', script, a]);
      const program = await until(() => xdpProgram(a), 5000, 'a program of another process');
      const flow = await load(XDP, { interface: a });
      assert.equal((await flow.status(/^another XDP program is attached$/)).fill, 'red');
      assert.equal(xdpProgram(a), program);
      await other.stop();
      await flow.status(/pps/);
      assert.notEqual(xdpProgram(a), undefined);
    });

    it('holds the default route: refused without a filter, and as long as it holds it', async () => {
      const { a } = await lab.wire();
      lab.ip(`addr add 10.78.0.1/24 dev ${a}`);
      lab.ip(`route add default via 10.78.0.2 dev ${a}`);
      const flow = await load(XDP, { interface: a, statsInterval: '0.2' });
      assert.equal((await flow.status(/holds default route/)).fill, 'red');
      assert.equal(xdpProgram(a), undefined);
      assert.match(await flow.refused({ payload: numberedFrame(0) }), /holds the default route/);
      await flow.accepted({ action: 'filter', filter: NUMBERED });
      await until(() => flow.statistics.at(-1)?.state === 'up', 5000, 'up');
      assert.match(await flow.refused({ action: 'filter', filter: '' }), /holds the default route/);
      lab.ip(`route del default via 10.78.0.2 dev ${a}`);
      await flow.accepted({ action: 'filter', filter: '' });
      lab.ip(`route add default via 10.78.0.2 dev ${a}`);
      await until(() => flow.statistics.at(-1)?.state === 'error', 7000, 'closed');
      assert.equal(xdpProgram(a), undefined);
      lab.ip(`route del default via 10.78.0.2 dev ${a}`);
      await until(() => flow.statistics.at(-1)?.state === 'up', 7000, 'open again');
    });

    it('frames that are longer than a chunk holds, until the MTU is lower', async () => {
      const { a, b } = await lab.wire({ mtu: 3000 });
      const flow = await load(XDP, { interface: a });
      assert.equal((await flow.status(/bad frameSize/)).fill, 'red');
      for (const end of [a, b]) lab.ip(`link set ${end} mtu 1500`);
      await flow.status(/pps/);
    });

    for (const [what, properties, text] of [
      ['a queue that there is not', { queueId: '7' }, /bad queueId/],
      ['a wrong queue', { queueId: 'some' }, /bad queueId/],
      ['a frame size that does not exist', { frameSize: '1024' }, /bad frameSize/],
      ['a map without a program from outside', { mapPin: '/sys/fs/bpf/x' }, /bad mapPin/],
    ] as const)
      it(what, async () => {
        const { a } = await lab.wire();
        const flow = await load(XDP, { interface: a, ...properties });
        assert.equal((await flow.status(text)).fill, 'red');
        await flow.refused({ payload: numberedFrame(0) });
      });
  });

  it('leaves nothing behind: program, link, promiscuity, descriptors', async function () {
    const { a, b } = await lab.wire({ link: ['numrxqueues', '2', 'numtxqueues', '2'] });
    // The list is that of the whole machine.
    const loaded = (): number[] => bpftool<{ id: number }>(this, 'prog').map(({ id }) => id);
    const flow = await load(XDP, { interface: a, queueId: 'all', promiscuous: true });
    await flow.status(/pps/);
    assert.equal(promiscuity(a), 1);
    const { descriptors, threads } = footprint();
    const programs: number[] = [];
    for (let round = 0; round < 20; round++) {
      programs.push(xdpProgram(a)!);
      await sendFrames(lab, b, numbered(10));
      flow.send({ payload: numbered(10) });
      await flow.accepted({ action: 'restart' });
    }
    assert.deepEqual([footprint().descriptors, footprint().threads], [descriptors, threads]);
    assert.ok(loaded().includes(xdpProgram(a)!));
    programs.push(xdpProgram(a)!);
    const [, took] = await timed(() => flow.node.close());
    assert.ok(took < 1500, `${took} ms`);
    assert.deepEqual([xdpProgram(a), promiscuity(a)], [undefined, 0]);
    await until(() => !loaded().some((id) => programs.includes(id)), 5000, 'the programs are freed');
  });
});
