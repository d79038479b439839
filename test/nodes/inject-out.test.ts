/** The inject-out node in a flow, on virtual cables; sockets that are not ours judge what arrives. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { AsyncCapture } from '../../src/async/async-capture';
import { PacketBatch } from '../../src/batches/batch';
import { Capture } from '../../src/capture/capture';
import { MESSAGE_BYTES } from '../../nodes/runtime/inject/inject-queue';
import { Lab } from '../support/lab';
import { output } from '../support/process';
import { timed, until, withHoldUps, within } from '../support/wait';
import { numberedFrame, pcapFile, tshark, Tcpdump, Witness } from '../support/witness';
import { load, useFlows, type TestFlow } from './flow';

const INJECT = 'netring-inject-out';

/** What a capture of a tun interface sends. */
const RAW_IP = PacketBatch.from([Buffer.alloc(60, 0x45), Buffer.alloc(60, 0x45)], { linkType: 65534 });

describe('inject-out', () => {
  const lab = new Lab();
  after(() => lab.close());
  useFlows();

  interface Bench {
    flow: TestFlow;
    witness: Witness;
    a: string;
    b: string;
  }

  /** An injector on one end of a new cable, and a socket at the other that sees everything. */
  async function injectOn(properties: Record<string, unknown> = {}, mtu = 1500): Promise<Bench> {
    const { a, b } = await lab.wire({ mtu });
    const witness = await Witness.open(lab, b);
    const flow = await load(INJECT, { interface: a, ...properties });
    await flow.status(/pps/);
    return { flow, witness, a, b };
  }

  const seen = async (witness: Witness, count: number): Promise<Buffer[]> => (await witness.expect(count)).map(({ data }) => data);
  const numbered = (count: number, length = 64): Buffer[] => Array.from({ length: count }, (_, i) => numberedFrame(i, length));

  it('sends every form of frames as it is, and reports each message once', async () => {
    const { flow, witness, a } = await injectOn();
    const [f0, f1, f2, f3, f4, f5] = numbered(6) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
    const messages: [unknown, number][] = [
      [f0, 1],
      [new Uint8Array(f1), 1],
      [PacketBatch.from([f2, f3]), 2],
      [[f4, { data: f5 }], 2],
      [[], 0],
      [PacketBatch.from([]), 0],
      [{ data: f0 }, 1],
    ];
    for (const [payload, sent] of messages) {
      const { _msgid } = await flow.accepted({ _msgid: `m${flow.reports.length}`, payload, extra: 'kept', topic: 'mine' });
      const report = flow.messages.at(-1)!;
      assert.deepEqual(report.payload, { sent, rejected: 0, dropped: 0, bytes: sent * 64 });
      assert.deepEqual([report._msgid, report.topic, (report as unknown as { extra: string }).extra], [_msgid, a, 'kept']);
    }
    assert.deepEqual(await seen(witness, 7), [f0, f1, f2, f3, f4, f5, f0]);
    assert.equal(flow.reports.length, messages.length);
  });

  it('sends the longest frame the link takes, and 4 bytes more with a tag', async () => {
    const { flow, witness } = await injectOn({}, 1400);
    const tagged = numberedFrame(1, 1418);
    tagged.writeUInt16BE(0x8100, 12);
    await flow.accepted({ payload: [numberedFrame(0, 14 + 8), numberedFrame(0, 1414), tagged] });
    assert.deepEqual(await seen(witness, 3), [numberedFrame(0, 22), numberedFrame(0, 1414), tagged]);
  });

  it('keeps the order of a million bytes of messages, and lets the loop turn', async () => {
    const { flow, witness } = await injectOn();
    const frames = numbered(20_000);
    let turns = 0;
    let running = true;
    const turn = (): void => {
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    flow.send({ payload: PacketBatch.from(frames.slice(0, 10_000)) });
    flow.send({ payload: frames.slice(10_000) });
    await flow.collected('completed', 2);
    running = false;
    assert.deepEqual(await seen(witness, 20_000), frames);
    assert.ok(turns >= 9, `${turns} turns`);
  });

  describe('bad input: an error that names it, the rest still goes', () => {
    const cases: [string, unknown, RegExp, number, number][] = [
      ['a number', 7, /^payload is 7: a frame is/, 0, 1],
      ['a text', 'abc', /^payload is "abc"/, 0, 1],
      ['nothing', undefined, /^payload is undefined/, 0, 1],
      ['an object without data', { a: 1 }, /^payload is an object whose data is undefined/, 0, 1],
      ['words of 32 bits', new Uint32Array(30), /^payload is bytes \(120\)/, 0, 1],
      [
        'an empty Buffer',
        Buffer.alloc(0),
        /^payload is 0 bytes long: a frame has 14 to 1514 bytes here, 4 more with an 802\.1Q tag$/,
        0,
        1,
      ],
      ['an undersized frame', Buffer.alloc(13), /^payload is 13 bytes long/, 0, 1],
      ['an oversized frame', Buffer.alloc(1515), /^payload is 1515 bytes long/, 0, 1],
      [
        'an oversized frame in a batch',
        PacketBatch.from([numberedFrame(0), Buffer.alloc(3000), numberedFrame(1)]),
        /^packet 1 is 3000 bytes long/,
        2,
        1,
      ],
      [
        'wrong ones in an array',
        [numberedFrame(0), 'x', Buffer.alloc(5), null, numberedFrame(1)],
        /^payload\[1\] is "x".*and 2 more refused/,
        2,
        3,
      ],
      [
        'wrong lengths in an array',
        [numberedFrame(0), Buffer.alloc(5), numberedFrame(1), Buffer.alloc(0)],
        /^payload\[1\] is 5 bytes.*1 more/,
        2,
        2,
      ],
      ['a batch of raw IP', RAW_IP, /payload has link type 65534, which is not Ethernet: it cannot be sent \(and 1 more/, 0, 2],
      ['packet objects of raw IP in an array', [numberedFrame(0), ...RAW_IP.toArray()], /payload\[1\] has link type 65534.*1 more/, 1, 2],
    ];
    for (const [what, payload, text, sent, rejected] of cases) {
      it(what, async () => {
        const { flow, witness } = await injectOn();
        assert.match(await flow.refused({ payload }), text);
        assert.deepEqual(flow.reports, [{ sent, rejected, dropped: 0, bytes: sent * 64 }]);
        await flow.accepted({ payload: numberedFrame(9) });
        assert.deepEqual(await seen(witness, sent + 1), [...numbered(sent), numberedFrame(9)]);
      });
    }

    it('a packet of raw IP, one per message', async () => {
      const { flow } = await injectOn();
      const { data, ...packet } = RAW_IP.toArray()[0]!;
      assert.match(await flow.refused({ payload: data, packet }), /payload has link type 65534/);
      await flow.accepted({ payload: numberedFrame(9), packet: { ...packet, linkType: 1 } });
    });

    it('the message of a Catch node still has its payload', async () => {
      const { flow } = await injectOn();
      await flow.refused({ payload: 'wrong' });
      assert.equal((await flow.collected('caught'))[0]!.payload, 'wrong');
    });
  });

  describe('files', () => {
    it('sends the packets of pcap and pcapng files', async () => {
      const { flow, witness } = await injectOn({ input: 'file' });
      await flow.accepted({ payload: pcapFile(numbered(3000)) });
      await flow.accepted({ payload: PacketBatch.from([numberedFrame(7)]).toPcapng() });
      assert.deepEqual(await seen(witness, 3001), [...numbered(3000), numberedFrame(7)]);
      assert.deepEqual(flow.reports[0], { sent: 3000, rejected: 0, dropped: 0, bytes: 192_000 });
    });

    it('a truncated file: what stands before the cut is sent', async () => {
      const { flow, witness } = await injectOn({ input: 'file' });
      assert.match(await flow.refused({ payload: pcapFile(numbered(5)).subarray(0, -10) }), /truncated/);
      assert.deepEqual(await seen(witness, 4), numbered(4));
      assert.deepEqual(flow.reports, [{ sent: 4, rejected: 0, dropped: 0, bytes: 256 }]);
    });

    it('what is no file is refused, frames and batches too', async () => {
      const { flow } = await injectOn({ input: 'file' });
      assert.match(await flow.refused({ payload: numberedFrame(0) }), /invalid capture file/);
      assert.match(await flow.refused({ payload: PacketBatch.from([numberedFrame(0)]) }), /with input "file"/);
      assert.match(await flow.refused({ payload: Buffer.alloc(0) }), /truncated/);
      assert.match(await flow.refused({ payload: 'path.pcap' }), /with input "file"/);
    });
  });

  describe('pacing', () => {
    const times = async (witness: Witness, count: number): Promise<number[]> => {
      const frames = await witness.expect(count);
      return frames.map(({ timestampNs }) => Number(timestampNs - frames[0]!.timestampNs) / 1e6);
    };

    // A busy machine lets this process wait: frames are late by that, and what was missed is not made up for in a burst.
    it('packets per second', async () => {
      const { flow, witness } = await injectOn({ pacing: 'pps', rate: '2000' });
      const [, heldUp] = await withHoldUps(() => flow.accepted({ payload: numbered(1500) }));
      const arrivals = await times(witness, 1500);
      assert.ok(
        Math.abs(arrivals.at(-1)! - 749.5) < 75 + heldUp,
        `1500 frames at 2000 a second took ${arrivals.at(-1)} ms, ${heldUp} held up`,
      );
      // Ahead of an even stream: never more than a millisecond's worth, and what a timer's start takes. On a busy machine the first frame is late itself.
      const late = arrivals.map((time, i) => time - i * 0.5).sort((a, b) => a - b);
      const usual = late[late.length >> 1]!;
      assert.ok(usual - late[0]! < 2 + heldUp, `${usual - late[0]!} ms ahead, ${heldUp} held up`);
    });

    it('bits per second, over several messages', async () => {
      const { flow, witness } = await injectOn({ pacing: 'bps', rate: 1_000_000 });
      const [, heldUp] = await withHoldUps(() => {
        for (let i = 0; i < 5; i++) flow.send({ payload: numbered(10, 1250) });
        return flow.collected('completed', 5);
      });
      const arrivals = await times(witness, 50);
      const took = arrivals.at(-1)!;
      assert.ok(Math.abs(took - 490) < 50 + heldUp, `50 frames of 10 kbit at 1 Mbit/s took ${took} ms, ${heldUp} held up`);
    });

    it('as recorded', async () => {
      const { flow, witness } = await injectOn({ pacing: 'recorded' });
      const offsets = [0, 50, 60, 200];
      const at = offsets.map((ms, i) => ({ data: numberedFrame(i), timestamp: { sec: 1_700_000_000, nsec: ms * 1e6 } }));
      const [, heldUp] = await withHoldUps(() => flow.accepted({ payload: PacketBatch.from(at) }));
      const arrivals = await times(witness, 4);
      offsets.forEach((due, i) =>
        assert.ok(Math.abs(arrivals[i]! - due) < 15 + heldUp, `frame ${i} at ${arrivals[i]} ms instead of ${due}, ${heldUp} held up`),
      );
    });
  });

  describe('when there is no room', () => {
    it('messages beyond maxQueuedBytes are refused with ENOBUFS, those before it are sent', async () => {
      const { flow, witness } = await injectOn({ pacing: 'pps', rate: 100, maxQueuedBytes: 64 * 20 + MESSAGE_BYTES });
      flow.send({ payload: numbered(10) });
      flow.send({ payload: numbered(10) });
      assert.match(
        await flow.refused({ payload: numbered(1) }),
        /^64 bytes of frames do not fit: 2 messages take 3328 of maxQueuedBytes 2304$/,
      );
      assert.deepEqual(flow.reports[0], { sent: 0, rejected: 0, dropped: 1, bytes: 0 });
      await flow.collected('completed', 2);
      await flow.accepted({ payload: numberedFrame(3) });
      assert.equal((await witness.expect(21)).length, 21);
    });

    it('drop: what the kernel has no room for is counted, without an error', async () => {
      const { flow, witness, a } = await injectOn({ onFull: 'drop' });
      output('tc', ['qdisc', 'add', 'dev', a, 'root', 'tbf', 'rate', '1mbit', 'burst', '3000', 'latency', '20ms']);
      await flow.accepted({ payload: numbered(300, 1000) });
      const [report] = flow.reports;
      assert.equal(report!.sent + report!.dropped, 300);
      assert.ok(report!.dropped > 200 && report!.sent > 0, JSON.stringify(report));
      await flow.status(/^dropping/);
      assert.equal((await witness.expect(report!.sent)).length, report!.sent);
    });

    it('wait: every frame goes, when there is room', async () => {
      const { flow, witness, a } = await injectOn();
      output('tc', ['qdisc', 'add', 'dev', a, 'root', 'tbf', 'rate', '2mbit', 'burst', '3000', 'latency', '20ms']);
      await flow.accepted({ payload: numbered(100, 1000) });
      assert.deepEqual(flow.reports, [{ sent: 100, rejected: 0, dropped: 0, bytes: 100_000 }]);
      assert.deepEqual(await seen(witness, 100), numbered(100, 1000));
    });
  });

  describe('checksums of captured frames', () => {
    let subnet = 0;
    /** A datagram as a capture sees it that a local socket has sent: its checksum is left to hardware that a cable does not have. */
    async function unfinished(): Promise<PacketBatch> {
      const { a, b, namespace } = await lab.wire({ apart: true });
      const net = `10.77.${subnet++}`;
      lab.ip(`addr add ${net}.1/24 dev ${a}`);
      lab.ip(`addr add ${net}.2/24 dev ${b}`, namespace);
      const capture = new AsyncCapture(Capture.builder({ interface: a, profile: 'low-latency' }).build());
      lab.defer(() => capture.close());
      const socket = createSocket('udp4');
      lab.defer(() => socket.close());
      socket.send('a datagram', 4000, `${net}.2`);
      await once(socket, 'listening');
      for (;;) {
        const batch = (await within(capture.recv(), 5000, 'the datagram')).filter(
          ({ status, protocol }) => protocol === 0x800 && status.csumNotReady,
        );
        if (batch.length > 0) return batch;
      }
    }
    const checksums = (frames: readonly Uint8Array[]): string[] =>
      tshark(pcapFile(frames), ['udp.checksum.status'], ['-o', 'udp.check_checksum:TRUE']).map(
        (layers) => layers['udp.checksum.status']![0]!,
      );

    for (const [form, payload] of [
      ['batch', (batch: PacketBatch) => batch],
      ['packet objects', (batch: PacketBatch) => batch.toArray()],
    ] as const) {
      it(`are completed: ${form}`, async () => {
        const batch = await unfinished();
        assert.deepEqual(checksums([batch.dataAt(0)]), ['0']);
        const { flow, witness } = await injectOn();
        await flow.accepted({ payload: payload(batch) });
        assert.deepEqual(checksums(await seen(witness, 1)), ['1']);
      });
    }

    it('are left alone without fixChecksums', async () => {
      const batch = await unfinished();
      const { flow, witness } = await injectOn({ fixChecksums: false });
      await flow.accepted({ payload: batch });
      assert.deepEqual(await seen(witness, 1), [batch.dataAt(0)]);
    });
  });

  describe('the interface', () => {
    it('down: ENETDOWN within a second, for what waits too, and nothing is kept back', async () => {
      const { flow, witness, a } = await injectOn({ pacing: 'pps', rate: 10 });
      flow.send({ payload: numbered(50) });
      flow.send({ payload: numbered(50) });
      await witness.expect(2);
      lab.ip(`link set ${a} down`);
      const [, took] = await timed(() => flow.collected('caught', 2));
      assert.ok(took < 1000, `${took} ms`);
      assert.match((await flow.collected('caught'))[0]!.error.message, /down/);
      const [first, second] = flow.reports as [(typeof flow.reports)[0], (typeof flow.reports)[0]];
      assert.equal(first.sent + first.dropped, 50);
      assert.deepEqual(second, { sent: 0, rejected: 0, dropped: 50, bytes: 0 });
      assert.match(await flow.refusedAtOnce({ payload: numberedFrame(1) }), /down/);
      assert.equal((await flow.status(/down/)).fill, 'yellow');
      lab.ip(`link set ${a} up`);
      await until(() => flow.statuses.at(-1)!.fill === 'green', 4000, 'green again');
      await flow.accepted({ payload: numberedFrame(77) });
      const frames = await seen(witness, first.sent + 1);
      assert.deepEqual(frames, [...numbered(first.sent), numberedFrame(77)]);
    });

    it('without a carrier: the same', async () => {
      const { flow, b } = await injectOn();
      lab.ip(`link set ${b} down`);
      await flow.status(/down/);
      assert.match(await flow.refusedAtOnce({ payload: numberedFrame(1) }), /down/);
    });

    it('missing, made, deleted, made again', async () => {
      const flow = await load(INJECT, { interface: 'late0' });
      assert.deepEqual(await flow.status(/missing/), { fill: 'red', shape: 'ring', text: 'late0 missing' });
      assert.match(await flow.refused({ payload: numberedFrame(1) }), /interface not found: late0/);
      for (let round = 0; round < 2; round++) {
        lab.ip('link add late0 type veth peer name late1');
        for (const name of ['late1', 'late0']) lab.ip(`link set ${name} up addrgenmode none`);
        await until(() => flow.statuses.at(-1)!.fill === 'green', 4000, 'green');
        const witness = await Witness.open(lab, 'late1');
        await flow.accepted({ payload: numberedFrame(round) });
        assert.deepEqual(await seen(witness, 1), [numberedFrame(round)]);
        lab.ip('link del late0');
        await until(() => flow.statuses.at(-1)!.fill === 'red', 4000, 'red');
        assert.match(await flow.refused({ payload: numberedFrame(1) }), /gone|not found/);
      }
      assert.ok(flow.statuses.some(({ text }) => text === 'late0 gone'));
    });

    it('that holds the default route: refused, unless allowed', async () => {
      const { a } = await lab.wire();
      lab.ip(`addr add 10.78.0.1/24 dev ${a}`);
      lab.ip('route add default via 10.78.0.2');
      const refusing = await load(INJECT, { interface: a });
      assert.deepEqual(await refusing.status(/default/), { fill: 'red', shape: 'ring', text: 'holds default route' });
      assert.match(await refusing.refused({ payload: numberedFrame(1) }), /default route/);
      // The route moves away: the node finds out by itself.
      lab.ip('route del default');
      await until(() => refusing.statuses.at(-1)!.fill === 'green', 4000, 'green');
      await refusing.accepted({ payload: numberedFrame(1) });
    });

    it('that comes to hold the default route: closed, the rest of a message refused, until the route has moved away', async () => {
      const { flow, witness, a } = await injectOn({ pacing: 'pps', rate: 10 });
      flow.send({ payload: numbered(200) });
      await witness.expect(1);
      lab.ip(`addr add 10.78.1.1/24 dev ${a}`);
      lab.ip('route add default via 10.78.1.2');
      assert.deepEqual(await flow.status(/default/, 7000), { fill: 'red', shape: 'ring', text: 'holds default route' });
      assert.match((await flow.collected('caught'))[0]!.error.message, /default route/);
      const { sent, dropped } = flow.reports[0]!;
      assert.equal(sent + dropped, 200);
      assert.deepEqual(await seen(witness, sent), numbered(sent));
      lab.ip('route del default');
      await until(() => flow.statuses.at(-1)!.fill === 'green', 4000, 'green');
      await flow.accepted({ payload: numberedFrame(1) });
    });

    it('that holds the default route, allowed', async () => {
      const { a, b } = await lab.wire();
      const tcpdump = await Tcpdump.open(lab, b);
      lab.ip(`addr add 10.78.0.1/24 dev ${a}`);
      lab.ip('route add default via 10.78.0.2');
      const flow = await load(INJECT, { interface: a, allowDefaultRoute: 'true' });
      await flow.accepted({ payload: numberedFrame(1) });
      assert.deepEqual(await tcpdump.frames(1), [numberedFrame(1)]);
    });
  });

  describe('control', () => {
    it('stop sends what was accepted; stopped it refuses; start goes on', async () => {
      // What the pacer makes up for at once, however long this process is held up: the second that stopping waits may be over then.
      const { flow, witness } = await injectOn({ pacing: 'pps', rate: 1000 });
      flow.send({ payload: numbered(20) });
      await flow.accepted({ action: 'stop' });
      await until(() => flow.reports.length === 1, 5000, 'the report');
      assert.equal(flow.reports[0]!.sent, 20);
      assert.deepEqual(await flow.status(/stopped/), { fill: 'grey', shape: 'ring', text: 'stopped' });
      assert.match(await flow.refused({ payload: numberedFrame(1) }), /stopped/);
      await flow.accepted({ action: 'start' });
      await flow.accepted({ payload: numberedFrame(20) });
      await flow.accepted({ action: 'restart' });
      await flow.accepted({ payload: numberedFrame(21) });
      assert.deepEqual(await seen(witness, 22), numbered(22));
    });

    it('what does not go within a second of stopping is refused', async () => {
      const { flow } = await injectOn({ pacing: 'pps', rate: 10 });
      flow.send({ payload: numbered(1000) });
      const start = performance.now();
      const [, heldUp] = await withHoldUps(() => {
        flow.send({ action: 'stop' });
        return flow.collected('completed', 1);
      });
      const took = performance.now() - start;
      assert.ok(took >= 995 && took < 1500 + heldUp, `${took} ms, ${heldUp} held up`);
      assert.match((await flow.collected('caught'))[0]!.error.message, /stopped/);
      const [report] = flow.reports;
      // Ten a second, while this process could run.
      assert.ok(
        report!.sent >= (took - heldUp) / 100 - 2 && report!.sent <= took / 100 + 2,
        `${report!.sent} sent in ${took} ms, ${heldUp} held up`,
      );
      assert.equal(report!.sent + report!.dropped, 1000);
    });

    it('statistics, and nonsense', async () => {
      const { flow, a } = await injectOn();
      await flow.accepted({ payload: numbered(3) });
      await flow.refused({ payload: [Buffer.alloc(2)] });
      await flow.accepted({ action: 'stats' });
      const { uptime, ...statistics } = flow.messages.at(-1)!.payload as Record<string, unknown>;
      assert.deepEqual(statistics, { interface: a, state: 'up', sent: 3, bytes: 192, rejected: 1, dropped: 0, queuedBytes: 0 });
      assert.ok(Number(uptime) > 0);
      assert.match(await flow.refused({ action: 'filter', filter: '' }), /"filter" is none of start, stop, restart, stats/);
      assert.match(await flow.refused({ action: 'fly' }), /"fly"/);
      // Not control, since it is no text: data.
      assert.match(await flow.refused({ action: 5, payload: 'x' }), /^payload is "x"/);
    });
  });

  it('closing sends what was accepted, and answers it', async () => {
    // As with stop: what the pacer makes up for at once. The first frame has gone when the message is taken.
    const { flow, witness } = await injectOn({ pacing: 'pps', rate: 1000 });
    flow.send({ payload: numbered(20) });
    await flow.node.close();
    assert.deepEqual(await seen(witness, 20), numbered(20));
    assert.equal((await flow.collected('first'))[0]!.topic, flow.messages[0]!.topic);
    assert.deepEqual(flow.reports, [{ sent: 20, rejected: 0, dropped: 0, bytes: 1280 }]);
  });

  describe('bad options: a Config error in the status, in the log and for whoever sends', () => {
    const bad: [string, Record<string, unknown>, RegExp][] = [
      ['no interface', {}, /interface is required/],
      ['a pacing without a rate', { interface: 'x', pacing: 'pps' }, /rate is required with pacing/],
      ['a rate', { interface: 'x', pacing: 'bps', rate: -1 }, /rate -1/],
      ['a frame size', { interface: 'x', frameSize: '100' }, /frameSize 100 is not a multiple/],
      ['a policy', { interface: 'x', onFull: 'panic' }, /onFull "panic"/],
      ['an input form', { interface: 'x', input: 'tape' }, /input "tape"/],
      ['a queue of nothing', { interface: 'x', maxQueuedBytes: 0 }, /maxQueuedBytes/],
      ['a word for a switch', { interface: 'x', fixChecksums: 'maybe' }, /fixChecksums "maybe"/],
    ];
    for (const [what, properties, rule] of bad) {
      it(what, async () => {
        const flow = await load(INJECT, properties);
        assert.equal((await flow.status(/bad/)).fill, 'red');
        assert.match(await flow.refused({ payload: numberedFrame(1) }), rule);
      });
    }
  });
});
