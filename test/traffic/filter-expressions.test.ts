/** Expressions as filters of everything that takes one, judged by tcpdump on the same frames. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Bridge,
  captureGroup,
  ChannelCapture,
  decode,
  PacketBatch,
  PcapWriter,
  type AsyncCapture,
  type FilterError,
} from '@netring/node-red';
import { BridgeLab } from '../support/bridge-lab';
import { Lab } from '../support/lab';
import { output } from '../support/process';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { pcapFrames, probe, sendFrames, Tcpdump, tshark, Witness } from '../support/witness';
import { EXPRESSIONS, FRAMES, orSentinel, pickedByTcpdump, SENTINEL, shown } from './filter-frames';
import { asyncCapture, capture, collectPackets, frame, SMALL } from './rx';
import { injector } from './tx';
import { asyncXdp, MODES } from './xdp';

/** Reads until the sentinel is there, and returns all that came before it. */
async function untilSentinel(rx: Pick<AsyncCapture, 'recv'>, ms = 5000): Promise<Buffer[]> {
  const signal = AbortSignal.timeout(ms);
  const seen: Buffer[] = [];
  for (;;) {
    const batch: PacketBatch = await rx.recv({ signal });
    for (const { data } of batch) {
      if (data.equals(SENTINEL)) return seen;
      seen.push(Buffer.from(data));
    }
  }
}

/** What a capture has got once all frames have arrived: as many as the kernel has counted for it. */
async function arrived(rx: AsyncCapture): Promise<Buffer[]> {
  const { received, drops } = rx.cumulativeStats();
  assert.equal(drops, 0);
  return (await collectPackets(rx, received)).map(({ data }) => Buffer.from(data));
}

/** What tcpdump has written, given time for `count` frames and for those that would be too many. */
async function writtenBy(tcpdump: Tcpdump, count: number): Promise<Buffer[]> {
  await until(() => pcapFrames(tcpdump.file).length >= count, 3000, '').catch(() => undefined);
  await sleep(50);
  return tcpdump.frames(0);
}

/** Holds the tun device, and sends when it is told to. */
const TUN_SENDER = `
import fcntl, socket, struct, sys
tun = open('/dev/net/tun', 'r+b', buffering=0)
fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH', b'filtun0', 0x1001))
print('open', file=sys.stderr, flush=True)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while sys.stdin.readline():
    for port in (4000, 4789, 4001, 4789): s.sendto(b'x' * 40, ('10.99.0.2', port))
`;

const GROUPS = Array.from({ length: Math.ceil(EXPRESSIONS.length / 10) }, (_, i) => EXPRESSIONS.slice(i * 10, i * 10 + 10));

describe('filter expressions', () => {
  const lab = new BridgeLab();
  afterEach(() => lab.close());

  for (const group of GROUPS) {
    it(`a live capture sees what tcpdump -i sees: ${group.join('; ')}`, async () => {
      const wire = await lab.wire();
      const pairs = await Promise.all(
        group.map(async (expression) => ({
          expression,
          theirs: await Tcpdump.open(lab, wire.a, [expression]),
          ours: asyncCapture(lab, { interface: wire.a, filter: expression, promiscuous: true }),
        })),
      );
      const witness = await Witness.open(lab, wire.a);
      await sendFrames(lab, wire.b, FRAMES);
      await witness.expect(FRAMES.length);
      const seen = await Promise.all(pairs.map(async ({ ours }) => shown(await arrived(ours))));
      for (const [i, { expression, theirs }] of pairs.entries()) {
        const frames = seen[i] as string[];
        assert.deepEqual(frames, shown(await writtenBy(theirs, frames.length)), expression);
        assert.ok(frames.length > 0 && frames.length < FRAMES.length, `${expression} tells frames apart`);
      }
    });
  }

  it('tags that the kernel takes out are found wherever vlan stands in an expression', async () => {
    const wire = await lab.wire();
    for (const expression of ['vlan 7 and udp port 53', 'arp or (vlan 7 and udp port 53)', 'arp or vlan 5', 'not arp and not vlan 7']) {
      const rx = asyncCapture(lab, { interface: wire.a, filter: orSentinel(expression), promiscuous: true });
      await sendFrames(lab, wire.b, [...FRAMES, SENTINEL]);
      // In a file the tags stand in the frames, where tcpdump finds them.
      assert.deepEqual(shown(await untilSentinel(rx)), shown(pickedByTcpdump(FRAMES, expression)), expression);
      rx.close();
    }
  });

  it('a link without an Ethernet header: expressions are compiled for what is there', async () => {
    lab.ip('tuntap add dev filtun0 mode tun');
    lab.defer(() => lab.ip('link del filtun0'));
    // The link has a carrier while somebody holds the device open.
    const sender = lab.start('python3', ['-c', TUN_SENDER]);
    await sender.says('open');
    lab.ip('link set filtun0 up');
    lab.ip('addr add 10.99.0.1/24 dev filtun0');
    const theirs = await Tcpdump.open(lab, 'filtun0', ['udp port 4789']);
    const rx = asyncCapture(lab, { interface: 'filtun0', filter: 'udp port 4789' });
    const all = asyncCapture(lab, { interface: 'filtun0', filter: 'icmp' });
    await all.setFilter('udp');
    using channel = ChannelCapture.spawn({ ...SMALL, interface: 'filtun0', filter: 'udp port 4789' }, 100);
    await using group = await captureGroup(1, { ...SMALL, interface: 'filtun0', filter: 'icmp' });
    await group.setFilter('udp port 4789');
    sender.process.stdin.write('\n');
    const packets = await collectPackets(rx, 2);
    assert.deepEqual(shown(packets.map(({ data }) => data)), shown(await theirs.frames(2)));
    assert.equal((await collectPackets(all, 4)).length, 4);
    const own = [await channel.recv(), await channel.recv()];
    assert.deepEqual(shown(own.map(({ data }) => data)), shown(packets.map(({ data }) => data)));
    // What has left its batch still says what it begins with, wherever it goes.
    for (const packet of [...own, ...packets, ...(await collectPackets(group, 2))]) {
      assert.equal(packet.linkType, 65534);
      assert.equal(decode(packet).udp?.destinationPort, 4789);
    }
    const writer = new PcapWriter();
    writer.end(own);
    const seen = tshark(Buffer.concat((await writer.toArray()) as Buffer[]), ['udp.dstport']);
    assert.deepEqual(
      seen.map((layers) => layers['udp.dstport']),
      [['4789'], ['4789']],
    );
    const wire = await lab.wire();
    const raw = PacketBatch.from(own);
    for (const frames of [raw, own, [...raw]])
      assert.throws(() => injector(lab, { interface: wire.a }).sendBatch(frames), {
        kind: 'Config',
        message: /link type 65534, which is not Ethernet/,
      });
    assert.throws(() => capture(lab, { interface: 'filtun0', filter: 'ether host 02:00:00:00:00:01' }), {
      kind: 'Config',
      option: 'filter',
    });
  });

  it('RX-18 an expression is swapped for another under load: no packet of the old one, none of the new one lost', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, filter: 'ether proto 0x88b5', blockTimeoutMs: 5 });
    const noise = lab.start(probe(), ['flood', wire.b, '100000', '64', '20000']);
    await collectPackets(rx, 100);
    for (let round = 0; round < 5; round++) {
      await rx.setFilter('ether proto 0x88b5');
      await sleep(12);
      await rx.setFilter('ether proto 0x88b6 and len >= 60');
      const wanted = Array.from({ length: 20 }, (_, i) => frame(`${round}.${i}`));
      await sendFrames(lab, wire.b, wanted);
      assert.deepEqual(shown((await collectPackets(rx, 20)).map(({ data }) => data)), shown(wanted));
    }
    assert.ok(rx.cumulativeStats().refiltered > 0, 'frames of the old kind were in the ring');
    await noise.stop();
  });

  it('a bad expression is refused with its column and leaves the old one', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, filter: 'ether proto 0x88b6' });
    await assert.rejects(rx.setFilter('tcp and prot 80'), (error: FilterError) => {
      assert.deepEqual([error.name, error.kind, error.option, error.column], ['NetringError', 'Config', 'filter', 9]);
      return true;
    });
    await sendFrames(lab, wire.b, [FRAMES[2] as Buffer, frame('kept')]);
    assert.deepEqual(shown((await collectPackets(rx, 1)).map(({ data }) => data)), shown([frame('kept')]));
    assert.throws(() => capture(lab, { interface: wire.a, filter: 'host 10.0.0.300' }), { kind: 'Config', option: 'filter', column: 6 });
    assert.throws(() => Bridge.builder({ interfaceA: wire.a, interfaceB: wire.b, filterBToA: 'host 10.0.0.300' }).build(), {
      kind: 'Config',
      option: 'filterBToA',
      message: /filterBToA column 6: /,
    });
  });

  for (const filterAction of ['forward', 'drop'] as const) {
    it(`a bridge ${filterAction}s what tcpdump -i picks, as its peers see it`, async () => {
      await lab.wires();
      const wire = lab.bridge({ filterAction });
      const far = await Witness.open(lab, lab.right.b, { namespace: lab.right.namespace });
      for (const expression of ['vlan 7 and udp port 53', 'tcp[tcpflags] & tcp-syn != 0', 'ip6', 'portrange 1000-5100 and not vlan']) {
        await wire.setFilter('a-to-b', expression);
        const theirs = await Tcpdump.open(lab, lab.left.a, [expression]);
        far.frames.length = 0;
        const before = wire.cumulativeStats().aToB;
        await sendFrames(lab, lab.left.b, FRAMES, lab.left.namespace);
        const since = (name: 'forwarded' | 'filtered'): number => wire.cumulativeStats().aToB[name] - before[name];
        await until(() => since('forwarded') + since('filtered') === FRAMES.length, 5000, `all frames judged (${expression})`);
        const matched = filterAction === 'forward' ? since('forwarded') : since('filtered');
        const picked = shown(await writtenBy(theirs, matched));
        assert.ok(picked.length > 0 && picked.length < FRAMES.length, `${expression} tells frames apart: ${picked.length}, ${matched}`);
        const passed = filterAction === 'forward' ? picked : shown(FRAMES).filter((bytes) => !picked.includes(bytes));
        assert.deepEqual(shown((await far.expect(passed.length)).map(({ data }) => data)), passed, expression);
      }
    });
  }

  for (const attach of MODES) {
    describe(`XDP (${attach})`, () => {
      before(function () {
        needsXdp(this);
      });
      const own = new Lab();
      afterEach(() => own.close());

      it('takes what tcpdump picks, tags in the frame and all; the kernel keeps the rest', async () => {
        const wire = await own.wire();
        // A tag that the sender leaves to its hardware is no part of the frame that XDP sees.
        output('ethtool', ['-K', wire.b, 'txvlan', 'off']);
        const rx = asyncXdp(own, { interface: wire.a, attach, frameCount: 512, filter: orSentinel('arp') });
        const kernel = await Witness.open(own, wire.a);
        for (const expression of ['vlan 7 and udp port 53', 'udp port 53', 'tcp[tcpflags] & tcp-syn != 0', 'ip6 or vlan 5', 'len > 80']) {
          await rx.setFilter(orSentinel(expression));
          kernel.frames.length = 0;
          await sendFrames(own, wire.b, [...FRAMES, SENTINEL]);
          const taken = shown(await untilSentinel(rx));
          const picked = shown(pickedByTcpdump(FRAMES, expression));
          assert.deepEqual(taken, picked, expression);
          assert.ok(picked.length > 0 && picked.length < FRAMES.length);
          const rest = shown(FRAMES).filter((bytes) => !picked.includes(bytes));
          await until(() => kernel.frames.length >= rest.length, 5000, `the rest at the kernel (${expression})`);
          assert.deepEqual(shown(kernel.frames.map(({ data }) => data)), rest, expression);
        }
        await assert.rejects(rx.setFilter('udp prot 53'), { kind: 'Config', option: 'filter', column: 5 });
      });
    });
  }
});
