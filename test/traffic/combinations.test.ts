/** Latency immediate and other network namespaces, with what has threads of its own: channels and capture groups; and with eBPF programs. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  captureGroup,
  ChannelCapture,
  ledger,
  type CaptureGroup,
  type CaptureOptions,
  type OwnedPacket,
  type PacketBatch,
} from '@netring/node-red';
import { balanced } from '../support/accounts';
import { BpfPins, onlyEtherType } from '../support/ebpf';
import { kernelCount, Lab, links, type Wire } from '../support/lab';
import { footprint, idleCpu, output } from '../support/process';
import { needsEbpf } from '../support/skip';
import { until, within } from '../support/wait';
import { CountingWitness, flood, numberedFrame, sendFrames, Witness } from '../support/witness';
import { asyncCapture, collect, collectPackets, frame, ONLY_88B5, ONLY_88B6, SMALL } from './rx';

const IMMEDIATE: Partial<CaptureOptions> = { ...SMALL, latency: 'immediate', ignoreOutgoing: true };

/** Milliseconds from the kernel's time stamp until now, to within the one that Date.now() leaves out. */
const age = ({ sec, nsec }: { sec: number; nsec: number }): number => Date.now() - sec * 1000 - nsec / 1e6;
const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;
const countOf = (batches: readonly PacketBatch[]): number => batches.reduce((sum, { length }) => sum + length, 0);
const numbersOf = (batches: readonly PacketBatch[]): number[] =>
  batches.flatMap((batch) => [...batch].map(({ data }) => data.readUInt32BE(18))).sort((a, b) => a - b);
const lengthsOf = (packets: readonly Pick<OwnedPacket, 'length' | 'originalLength'>[]): number[][] =>
  packets.map(({ length, originalLength }) => [length, originalLength]);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('combinations', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  function spawn(options: CaptureOptions, capacity = 10_000): ChannelCapture {
    const channel = ChannelCapture.spawn({ ...SMALL, ...options }, capacity);
    lab.defer(() => channel.close());
    return channel;
  }
  async function open(members: number, options: CaptureOptions): Promise<CaptureGroup> {
    const group = await captureGroup(members, { ...SMALL, ...options });
    lab.defer(() => group.close());
    return group;
  }
  async function receive(channel: ChannelCapture, count: number): Promise<OwnedPacket[]> {
    const signal = AbortSignal.timeout(5000);
    const packets: OwnedPacket[] = [];
    while (packets.length < count) packets.push(await channel.recv({ signal }));
    return packets;
  }

  describe('latency immediate, a channel', () => {
    it('RX-04 a single packet arrives at once, and idle it costs no CPU', async () => {
      const wire = await lab.wire();
      const channel = spawn({ latency: 'immediate', profile: 'default', interface: wire.a });
      const ages: number[] = [];
      for (let i = 0; i < 9; i++) {
        const waiting = channel.recv({ signal: AbortSignal.timeout(5000) }).then(({ timestamp }) => ages.push(age(timestamp)));
        await sendFrames(lab, wire.b, [frame(`${i}`)]);
        await waiting;
      }
      assert.ok(median(ages) <= 10, `${median(ages)} ms`);
      const used = await idleCpu(1000, (ms) => assert.rejects(channel.recv({ signal: AbortSignal.timeout(ms) })));
      assert.ok(used <= 3, `${used} % of a CPU`);
    });

    it('frames of any length come whole and in their order, as a witness sees them', async () => {
      const wire = await lab.wire({ mtu: 65_535 });
      const channel = spawn({ ...IMMEDIATE, interface: wire.a, frameSize: 256 });
      const witness = await Witness.open(lab, wire.a);
      const sent = Array.from({ length: 60 }, (_, i) => numberedFrame(i, 60 + ((i * 9973) % 60_000)));
      await sendFrames(lab, wire.b, sent);
      const packets = await receive(channel, sent.length);
      assert.deepEqual(
        packets.map(({ data }) => data),
        (await witness.expect(sent.length)).map(({ data }) => data),
      );
      assert.deepEqual(balanced(ledger(channel).received), { wire: 60, delivered: 60, drops: 0, shed: 0, waiting: 0 });
    });

    it('a flood through few slots and a small queue: everything is counted, nothing comes twice', async () => {
      const wire = await lab.wire();
      const channel = spawn({ ...IMMEDIATE, interface: wire.a, blockSize: 4096, blockCount: 8, rcvbuf: 1 << 20 }, 300);
      const witness = await CountingWitness.open(lab, wire.a, 100_000);
      let last = -1;
      const flooded = flood(lab, wire.b, { count: 100_000 });
      const reading = (async () => {
        for await (const { data } of channel) {
          assert.ok(data.readUInt32BE(18) > last);
          last = data.readUInt32BE(18);
          balanced(ledger(channel).received);
          // Most of the flood finds no room.
          await flooded;
        }
      })();
      await flooded;
      await until(() => ledger(channel).received.waiting === 0, 5000, 'the end');
      const account = balanced(ledger(channel).received);
      assert.equal(account.wire, (await witness.verdict()).received);
      assert.equal(account.wire, kernelCount(wire.b).sent);
      assert.ok(account.delivered > 100 && account.drops + account.shed > 0, JSON.stringify(account));
      assert.deepEqual(await channel.stopAndDrain(), []);
      await reading;
    });

    it('stopAndDrain gives all that came before it', async () => {
      const wire = await lab.wire();
      const channel = spawn({ ...IMMEDIATE, interface: wire.a });
      await flood(lab, wire.b, { count: 3000, length: 500 });
      const draining = channel.stopAndDrain();
      await flood(lab, wire.b, { count: 100 });
      assert.deepEqual(
        (await draining).map(({ data }) => data.readUInt32BE(18)),
        upTo(3000),
      );
      assert.deepEqual(ledger(channel).received, { wire: 3000, delivered: 3000, drops: 0, shed: 0, waiting: 0 });
    });
  });

  describe('latency immediate, a group', () => {
    it('RX-04 a single packet arrives at once, whichever member reads it', async () => {
      const wire = await lab.wire();
      const group = await open(3, { ...IMMEDIATE, interface: wire.a, fanoutMode: 'load-balance', profile: 'default' });
      const ages: number[] = [];
      const members = new Set<number>();
      for (let i = 0; i < 9; i++) {
        const waiting = group.recv({ signal: AbortSignal.timeout(5000) }).then((batch) => {
          ages.push(age(batch.timestampAt(0)));
          members.add(batch.member);
        });
        await sendFrames(lab, wire.b, [frame(`${i}`)]);
        await waiting;
      }
      assert.ok(median(ages) <= 10, `${median(ages)} ms`);
      assert.deepEqual([...members].sort(), [0, 1, 2]);
      const used = await idleCpu(1000, (ms) => assert.rejects(group.recv({ signal: AbortSignal.timeout(ms) })));
      assert.ok(used <= 3, `${used} % of a CPU`);
    });

    it('long frames come whole, each once, and the books balance', async () => {
      const wire = await lab.wire({ mtu: 9000 });
      const group = await open(2, { ...IMMEDIATE, interface: wire.a, fanoutMode: 'load-balance', frameSize: 256 });
      const sent = Array.from({ length: 400 }, (_, i) => numberedFrame(i, 60 + ((i * 997) % 8900)));
      await sendFrames(lab, wire.b, sent);
      const batches = await collect(group, sent.length);
      assert.deepEqual(numbersOf(batches), upTo(400));
      for (const { data } of batches.flatMap((batch) => [...batch])) assert.deepEqual(data, sent[data.readUInt32BE(18)]);
      assert.deepEqual(balanced(ledger(group).received), { wire: 400, delivered: 400, drops: 0, shed: 0, waiting: 0 });
    });

    it('batches that are kept stop the members at maxBufferedBytes, and they resume when these are let go of', async function () {
      this.timeout(30_000);
      const wire = await lab.wire();
      const limit = 1 << 20;
      // Blocks are much smaller here than batches.
      const options = { blockSize: 4096, blockCount: 4096, fanoutMode: 'load-balance', maxBufferedBytes: limit } as const;
      const group = await open(2, { ...IMMEDIATE, ...options, interface: wire.a });
      let hoard: PacketBatch[] | null = [];
      let packets = 0;
      const reading = (async () => {
        for await (const batch of group) {
          hoard?.push(batch);
          packets += batch.length;
        }
      })();
      await flood(lab, wire.b, { count: 40_000, length: 200 });
      await until(async () => (await group.cumulativeStats()).stalls >= 2, 3000, 'both members have stalled');
      await sleep(100);
      assert.ok((await group.cumulativeStats()).bufferedBytes <= 2 * limit);
      const { drops, waiting } = balanced(ledger(group).received);
      assert.ok(waiting > 0);
      hoard = null;
      await until(() => packets === 40_000 - drops, 6000, 'all is read');
      await group.close();
      await reading;
    });

    it('a filter that is set later', async () => {
      const wire = await lab.wire();
      const group = await open(2, { ...IMMEDIATE, interface: wire.a, fanoutMode: 'load-balance', filter: ONLY_88B5 });
      await group.setFilter(ONLY_88B6);
      await sendFrames(lab, wire.b, [frame('refused', 60, 0x88b5), ...upTo(10).map((i) => frame(`${i}`, 900))]);
      assert.equal(countOf(await collect(group, 10)), 10);
      assert.deepEqual(balanced(ledger(group).received), { wire: 10, delivered: 10, drops: 0, shed: 0, waiting: 0 });
    });
  });

  describe('latency immediate, an eBPF program', () => {
    before(function () {
      needsEbpf(this);
    });

    it('says how much of a frame is kept that fits into its slot; a longer one, which waits in the queue, comes whole', async () => {
      const wire = await lab.wire();
      const pins = new BpfPins(lab);
      const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a });
      const lengthsWith = async (kept: number): Promise<number[][]> => {
        await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6, kept)));
        await sendFrames(lab, wire.b, [frame('refused', 1000, 0x88b5), ...[60, 150, 400, 1500].map((length) => frame('x', length))]);
        return lengthsOf(await collectPackets(rx, 4));
      };
      const slot = rx.geometry.frameSize;
      assert.equal(slot, 256);
      for (const kept of [40, 100]) {
        const expected = [60, 150, 400, 1500].map((length) => [Math.min(length, kept), length]);
        assert.deepEqual(await lengthsWith(kept), expected, `${kept} bytes`);
      }
      // What the program says of a frame that waits in the queue the kernel does not pass on.
      const whole = [60, 150, 400, 1500].map((length) => [length, length]);
      for (const kept of [300, 0xffff]) assert.deepEqual(await lengthsWith(kept), whole, `${kept} bytes`);
      assert.equal(rx.cumulativeStats().drops, 0);
      assert.equal(rx.cumulativeStats().received, 16);
      await rx.detachFilter();
    });

    it('snapLen limits what the program does not', async () => {
      const wire = await lab.wire();
      const pins = new BpfPins(lab);
      const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, snapLen: 500 });
      await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6, 300)));
      await sendFrames(lab, wire.b, [frame('x', 1500), frame('x', 60)]);
      assert.deepEqual(lengthsOf(await collectPackets(rx, 2)), [
        [500, 1500],
        [60, 60],
      ]);
    });

    it('with slots as long as the frames the program is always right', async () => {
      const wire = await lab.wire();
      const pins = new BpfPins(lab);
      const rx = asyncCapture(lab, { ...IMMEDIATE, interface: wire.a, frameSize: 2048, rcvbuf: 1 << 20 });
      await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6, 300)));
      await sendFrames(lab, wire.b, [frame('x', 1500), frame('x', 60)]);
      assert.deepEqual(lengthsOf(await collectPackets(rx, 2)), [
        [300, 1500],
        [60, 60],
      ]);
    });

    it('reaches the members of a group', async () => {
      const wire = await lab.wire();
      const pins = new BpfPins(lab);
      const group = await open(2, { ...IMMEDIATE, interface: wire.a, fanoutMode: 'load-balance' });
      await group.attachEbpfFilter(pins.load(onlyEtherType(0x88b6, 50)));
      await sendFrames(
        lab,
        wire.b,
        upTo(20).map((i) => frame(`${i}`, 700, i < 10 ? 0x88b5 : 0x88b6)),
      );
      const packets = (await collect(group, 10)).flatMap((batch) => [...batch]);
      assert.ok(packets.every(({ length, originalLength }) => length === 50 && originalLength === 700));
      assert.deepEqual(balanced(ledger(group).received), { wire: 10, delivered: 10, drops: 0, shed: 0, waiting: 0 });
    });
  });

  for (const latency of ['block', 'immediate'] as const)
    describe(`another network namespace, latency ${latency}`, () => {
      let wire: Wire;
      let pid: number;
      let name: string;
      const namespaces = (): string[] => [
        ...new Set(readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`))),
      ];
      beforeEach(async () => {
        wire = await lab.wire({ apart: true });
        pid = wire.namespace!;
        name = `netring${process.pid}x${pid}`;
        output('ip', ['netns', 'attach', name, `${pid}`]);
        lab.defer(() => output('ip', ['netns', 'del', name]));
      });
      const frames = upTo(200).map((i) => numberedFrame(i, 60 + i * 7));

      it('a channel captures there, by name, path and pid, and hears of the link', async () => {
        const own = namespaces();
        const channels = [name, `/run/netns/${name}`, pid].map((netns) =>
          spawn({ interface: wire.b, netns, latency, promiscuous: true, ignoreOutgoing: true }),
        );
        assert.deepEqual(namespaces(), own, 'no thread has stayed there');
        assert.equal(links(pid).find(({ ifname }) => ifname === wire.b)?.promiscuity, channels.length);
        await sendFrames(lab, wire.a, frames);
        for (const channel of channels) {
          assert.deepEqual(
            (await receive(channel, frames.length)).map(({ data }) => data),
            frames,
          );
          assert.deepEqual(balanced(ledger(channel).received), { wire: 200, delivered: 200, drops: 0, shed: 0, waiting: 0 });
        }
        const [channel] = channels;
        const heard = (event: 'down' | 'up' | 'gone'): Promise<unknown> => within(once(channel!, event), 3000, event);
        const down = heard('down');
        lab.ip(`link set ${wire.b} down`, pid);
        await down;
        const up = heard('up');
        lab.ip(`link set ${wire.b} up`, pid);
        await up;
        await sendFrames(lab, wire.a, frames.slice(0, 3));
        const gone = heard('gone');
        lab.ip(`link del ${wire.b}`, pid);
        await gone;
        assert.equal((await receive(channel!, 3)).length, 3);
        await assert.rejects(channel!.recv(), { code: 'ENODEV' });
      });

      it('a group captures there, and hears of the link', async () => {
        const own = namespaces();
        const group = await open(3, {
          interface: wire.b,
          netns: name,
          latency,
          fanoutMode: 'load-balance',
          promiscuous: true,
          ignoreOutgoing: true,
        });
        assert.deepEqual(namespaces(), own, 'no thread has stayed there');
        assert.equal(links(pid).find(({ ifname }) => ifname === wire.b)?.promiscuity, 3);
        await sendFrames(lab, wire.a, frames);
        assert.deepEqual(numbersOf(await collect(group, frames.length)), upTo(frames.length));
        assert.deepEqual(balanced(ledger(group).received), { wire: 200, delivered: 200, drops: 0, shed: 0, waiting: 0 });
        // Ids of groups count per namespace: this one is joined there.
        const other = asyncCapture(lab, {
          ...{ interface: wire.b, netns: pid, latency, ignoreOutgoing: true },
          ...{ fanoutMode: 'load-balance', fanoutGroup: group.fanoutGroup },
        });
        await sendFrames(lab, wire.a, frames.slice(0, 40));
        await Promise.all([collect(group, 30), collect(other, 10)]);
        other.close();
        const gone = within(once(group, 'gone'), 3000, 'gone');
        lab.ip(`link del ${wire.b}`, pid);
        await gone;
        await assert.rejects(group.recv({ signal: AbortSignal.timeout(3000) }), { code: 'ENODEV' });
      });

      it('failures say what is missing, and leave nothing', async () => {
        const before = footprint();
        const wrong = [
          [{ interface: 'nosuchif0', netns: name }, /^interface not found: nosuchif0 in the network namespace /],
          [{ interface: wire.b, netns: 'nosuchns' }, /^network namespace not found: nosuchns$/],
        ] as const;
        for (const [options, message] of wrong) {
          assert.throws(() => spawn({ ...options, latency }), { kind: 'InterfaceNotFound', message });
          await assert.rejects(open(2, { ...options, latency }), { kind: 'InterfaceNotFound', message });
        }
        await until(() => footprint().descriptors === before.descriptors, 3000, 'no descriptor is left');
      });
    });
});
