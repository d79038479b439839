import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AsyncCapture, Capture, type CaptureOptions, type FanoutFlag, type FanoutMode } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { Child, output } from '../support/process';
import { probe, sendFrames, Tcpdump } from '../support/witness';
import { asyncCapture, collect, SMALL } from './rx';

let group = 4200;

/** An IPv4 UDP frame of one flow. */
function udp(sourcePort: number): Buffer {
  const bytes = Buffer.alloc(60);
  bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0]);
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  bytes.writeUInt16BE(sourcePort, 34);
  bytes.writeUInt16BE(9, 36);
  bytes.writeUInt16BE(26, 38);
  return bytes;
}

describe('fanout', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => {
    wire = await lab.wire();
    group++;
  });
  afterEach(() => lab.close());

  const join = (options: Partial<CaptureOptions>): AsyncCapture =>
    asyncCapture(lab, { interface: wire.a, ignoreOutgoing: true, fanoutGroup: group, ...options });
  const refused = (options: Partial<CaptureOptions>, expected: object): void => {
    assert.throws(() => Capture.builder({ ...SMALL, interface: wire.a, fanoutGroup: group, ...options }).build(), expected);
  };
  const received = async (...members: AsyncCapture[]): Promise<number[]> => {
    await sleep(50);
    return members.map((member) => member.cumulativeStats().received);
  };

  it('FO-01 rollover with its own flag is refused before the kernel is asked', () => {
    refused({ fanoutMode: 'rollover', fanoutFlags: ['rollover'] }, { kind: 'Config', option: 'fanoutFlags' });
  });

  it('FO-02 members of another mode or with other flags are refused, the same are accepted', () => {
    join({ fanoutMode: 'hash' });
    const sockopt = { name: 'NetringError', kind: 'SockOpt', option: 'PACKET_FANOUT', code: 'EINVAL' };
    refused({ fanoutMode: 'hash', fanoutFlags: ['defrag'] }, sockopt);
    refused({ fanoutMode: 'hash', fanoutFlags: ['rollover'] }, sockopt);
    refused({ fanoutMode: 'cpu' }, sockopt);
    assert.equal(join({ fanoutMode: 'hash' }).geometry.fanoutGroup, group);
  });

  it('FO-02 the same id on another interface is refused', async () => {
    const other = await lab.wire();
    join({ fanoutMode: 'hash' });
    refused({ fanoutMode: 'hash', interface: other.a }, { kind: 'SockOpt', option: 'PACKET_FANOUT' });
  });

  it('FO-03 a group ends with its last member, and its id is free for another mode', () => {
    const first = join({ fanoutMode: 'hash' });
    const second = join({ fanoutMode: 'hash' });
    first.close();
    refused({ fanoutMode: 'cpu' }, { kind: 'SockOpt' });
    second.close();
    join({ fanoutMode: 'cpu' });
  });

  it('FO-04 hash: a flow stays with one member, flows spread', async () => {
    const members = [join({ fanoutMode: 'hash' }), join({ fanoutMode: 'hash' })];
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 20 }, () => udp(1000)),
    );
    assert.deepEqual((await received(...members)).sort(), [0, 20]);
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 200 }, (_, i) => udp(2000 + i)),
    );
    const spread = await received(...members);
    assert.equal(
      spread.reduce((a, b) => a + b),
      220,
    );
    assert.ok(
      spread.every((count) => count > 40),
      String(spread),
    );
  });

  it('FO-05 load-balance: one each in turn', async () => {
    const members = [join({ fanoutMode: 'load-balance' }), join({ fanoutMode: 'load-balance' })];
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 20 }, () => udp(1)),
    );
    assert.deepEqual(await received(...members), [10, 10]);
  });

  it('FO-06 cpu: what one CPU delivers goes to one member', async () => {
    const members = [join({ fanoutMode: 'cpu' }), join({ fanoutMode: 'cpu' })];
    const child = new Child('taskset', ['-c', '0', probe(), 'flood', wire.b, '20', '64', '0']);
    assert.equal(await child.exitCode(), 0);
    assert.deepEqual((await received(...members)).sort(), [0, 20]);
  });

  it('FO-07 rollover: the next member takes over when the first one is full', async () => {
    const tiny = { fanoutMode: 'rollover' as const, blockSize: 4096, frameSize: 2048, blockCount: 2, blockTimeoutMs: 1000 };
    const first = join(tiny);
    const second = join(tiny);
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 10 }, () => udp(1)),
    );
    const before = await received(first, second);
    assert.deepEqual([...before].sort(), [0, 10]);
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 60 }, () => udp(1)),
    );
    const [a = 0, b = 0] = await received(first, second);
    assert.ok(a > 0 && b > 0, `${a} and ${b}`);
  });

  it('FO-08 unique-id: the kernel chooses an id, which is read back and can be joined', async () => {
    const first = join({ fanoutMode: 'load-balance', fanoutFlags: ['unique-id'], fanoutGroup: 0 });
    const id = first.geometry.fanoutGroup;
    assert.ok(id >= 0 && id <= 0xffff);
    const other = join({ fanoutMode: 'load-balance', fanoutFlags: ['unique-id'], fanoutGroup: 0 });
    assert.notEqual(other.geometry.fanoutGroup, id);
    other.close();
    const sibling = join({ fanoutMode: 'load-balance', fanoutGroup: id });
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 20 }, () => udp(1)),
    );
    assert.deepEqual(await received(first, sibling), [10, 10]);
  });

  for (const fanoutMode of ['hash', 'load-balance', 'random'] satisfies FanoutMode[])
    it(`FO-04 FO-05 members in two processes get disjoint parts that add up to what tcpdump saw (${fanoutMode})`, async () => {
      const script = `const { AsyncCapture, Capture } = require('@netring/node-red');
        const rx = new AsyncCapture(Capture.builder({ interface: '${wire.a}', profile: 'balanced', fanoutMode: '${fanoutMode}', fanoutGroup: ${group} }).build());
        console.error('joined ' + rx.geometry.fanoutGroup);
        process.stdin.on('data', () => rx.close());
        (async () => { for await (const batch of rx) for (const packet of batch) console.log(packet.data.toString('hex')); process.exit(); })();`;
      const witness = await Tcpdump.open(lab, wire.a);
      const members = [0, 1].map(() => {
        const child = lab.start(process.execPath, ['-e', script]);
        const member = { child, text: '' };
        child.process.stdout.setEncoding('utf8').on('data', (part: string) => (member.text += part));
        return member;
      });
      for (const { child } of members) await child.says(`joined ${group}`);
      const sent = Array.from({ length: 400 }, (_, i) => udp(1000 + i));
      await sendFrames(lab, wire.b, sent);
      const seen = (await witness.frames(sent.length)).map((bytes) => bytes.toString('hex'));
      await sleep(100);
      const parts: string[][] = [];
      for (const member of members) {
        const { child } = member;
        child.process.stdin.end('close\n');
        assert.equal(await child.exitCode(), 0, child.errors);
        parts.push(member.text.trim().split('\n'));
      }
      const [first = [], second = []] = parts;
      assert.ok(first.length > 100 && second.length > 100, `${first.length} and ${second.length}`);
      assert.deepEqual([...first, ...second].sort(), [...seen].sort());
      assert.equal(new Set([...first, ...second]).size, sent.length);
    });

  for (const fanoutMode of ['random', 'queue-mapping'] satisfies FanoutMode[]) {
    it(`${fanoutMode}: every frame goes to exactly one member`, async () => {
      const members = [join({ fanoutMode }), join({ fanoutMode })];
      await sendFrames(
        lab,
        wire.b,
        Array.from({ length: 40 }, (_, i) => udp(i)),
      );
      assert.equal(
        (await received(...members)).reduce((a, b) => a + b),
        40,
      );
    });
  }

  for (const fanoutFlags of [['rollover'], ['ignore-outgoing'], ['defrag']] satisfies FanoutFlag[][]) {
    it(`flag ${fanoutFlags[0]} is accepted and frames flow`, async () => {
      const member = join({ fanoutMode: 'hash', fanoutFlags, ignoreOutgoing: false });
      await sendFrames(lab, wire.a, [udp(1)]);
      await sendFrames(lab, wire.b, [udp(1)]);
      const batches = await collect(member, fanoutFlags[0] === 'ignore-outgoing' ? 1 : 2);
      const directions = batches.flatMap((batch) => batch.toArray().map((packet) => packet.direction));
      assert.equal(directions.includes('outgoing'), fanoutFlags[0] !== 'ignore-outgoing');
    });
  }

  it('ignoreOutgoing, and the single view of loopback, hold inside a group', async () => {
    const member = join({ fanoutMode: 'hash', ignoreOutgoing: true });
    await sendFrames(
      lab,
      wire.a,
      Array.from({ length: 10 }, () => udp(1)),
    );
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 3 }, () => udp(1)),
    );
    assert.deepEqual(await received(member), [3]);
    const loopback = join({ interface: 'lo', fanoutMode: 'hash', ignoreOutgoing: false, fanoutGroup: group + 1000 });
    output('ping', ['-c', '3', '-i', '0.05', '127.0.0.1']);
    assert.deepEqual(await received(loopback), [6]);
  });

  it('members read all that was sent, and stay members through down and up', async () => {
    const members = [join({ fanoutMode: 'load-balance' }), join({ fanoutMode: 'load-balance' })];
    lab.ip(`link set ${wire.a} down`);
    lab.ip(`link set ${wire.a} up`);
    await sleep(50);
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 20 }, () => udp(1)),
    );
    const counts = await Promise.all(
      members.map(async (member) => (await collect(member, 10)).reduce((sum, batch) => sum + batch.length, 0)),
    );
    assert.deepEqual(counts, [10, 10]);
  });

  it('members that joined while the interface was down share what comes once it is up', async () => {
    const down = await lab.wire({ up: false });
    const options = { fanoutMode: 'load-balance', interface: down.a } as const;
    const members = [join(options), join(options)];
    lab.ip(`link set ${down.a} up`);
    lab.ip(`link set ${down.b} up`);
    await sendFrames(
      lab,
      down.b,
      Array.from({ length: 20 }, () => udp(1)),
    );
    assert.deepEqual(await received(...members), [10, 10]);
  });
});
