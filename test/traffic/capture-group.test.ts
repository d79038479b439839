import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  captureGroup,
  type CaptureGroup,
  type CaptureOptions,
  type FanoutMode,
  type NetringError,
  type PacketBatch,
} from '@netring/node-red';
import { BpfPins, byteAt, onlyEtherType } from '../support/ebpf';
import { Lab, packetSockets, promiscuity, type Wire } from '../support/lab';
import { collectGarbage, footprint } from '../support/process';
import { needsEbpf } from '../support/skip';
import { until } from '../support/wait';
import { CountingWitness, flood, sendFrames } from '../support/witness';
import { asyncCapture, collect, frame, ONLY_88B6, SMALL } from './rx';

/** A frame of an IPv4 UDP flow, with a number in its payload. */
function udp(sourcePort: number, number = 0): Buffer {
  const bytes = Buffer.alloc(60);
  bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0]);
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  bytes.writeUInt16BE(sourcePort, 34);
  bytes.writeUInt16BE(9, 36);
  bytes.writeUInt16BE(26, 38);
  bytes.writeUInt32BE(number, 42);
  return bytes;
}

describe('captureGroup', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(async () => {
    await lab.close();
    assert.equal(packetSockets().length, 0, 'nothing is left open');
  });

  const open = async (members: number, options: Partial<CaptureOptions> = {}): Promise<CaptureGroup> => {
    const group = await captureGroup(members, { ...SMALL, interface: wire.a, ...options });
    lab.defer(() => group.close());
    return group;
  };
  const hexOf = (batches: readonly PacketBatch[]): string[] =>
    batches.flatMap((batch) => [...batch].map(({ data }) => data.toString('hex')));
  const membersOf = (batches: readonly PacketBatch[]): number[] => [...new Set(batches.map(({ member }) => member))].sort();

  it('FO-04 FO-08 a group of 4 shares flows out, each packet comes once, and a flow stays in order with its member', async () => {
    const group = await open(4);
    assert.deepEqual([group.size, group.interface, group.linkUp], [4, wire.a, true]);
    assert.equal(packetSockets().length, 4);
    const sent = Array.from({ length: 3000 }, (_, i) => udp(1000 + (i % 60), i));
    const batches = (async () => collect(group, sent.length))();
    await sendFrames(lab, wire.b, sent);
    const received = await batches;
    assert.deepEqual(hexOf(received).sort(), sent.map((bytes) => bytes.toString('hex')).sort());
    assert.deepEqual(membersOf(received), [0, 1, 2, 3]);
    const flows = new Map<number, { member: number; last: number }>();
    for (const batch of received)
      for (const { data } of batch) {
        const flow = flows.get(data.readUInt16BE(34)) ?? { member: batch.member, last: -1 };
        assert.equal(batch.member, flow.member);
        assert.ok(data.readUInt32BE(42) > flow.last);
        flows.set(data.readUInt16BE(34), { ...flow, last: data.readUInt32BE(42) });
      }
    for (let member = 0; member < 4; member++) {
      const numbers = received.filter((batch) => batch.member === member).map((batch) => batch.seqNum);
      assert.deepEqual(
        numbers,
        numbers.map((_, i) => i + 1),
      );
    }
    const [first] = received;
    assert.equal(first?.filter(() => true).member, first?.member);
    assert.equal(first?.copy().member, first?.member);
  });

  for (const fanoutMode of ['hash', 'load-balance', 'cpu', 'rollover', 'random', 'queue-mapping'] satisfies FanoutMode[])
    it(`loses nothing at a moderate rate, and its statistics are the exact sums (${fanoutMode})`, async () => {
      const group = await open(4, { fanoutMode, ignoreOutgoing: true });
      const count = 40_000;
      const witness = await CountingWitness.open(lab, wire.a, count);
      const seen = new Uint8Array(count);
      let bytes = 0;
      const perMember = [0, 0, 0, 0];
      const reading = (async () => {
        for (let packets = 0; packets < count;) {
          const batch = await group.recv({ signal: AbortSignal.timeout(8000) });
          for (let i = 0; i < batch.length; i++) seen[batch.bytes.readUInt32BE(batch.offsetAt(i) + 18)]!++;
          packets += batch.length;
          bytes += batch.originalByteLength;
          perMember[batch.member]! += batch.length;
        }
      })();
      await flood(lab, wire.b, { count, length: 200, rate: 40_000 });
      await reading;
      assert.ok(seen.every((times) => times === 1));
      const { received, missing, dropped } = await witness.verdict();
      assert.deepEqual([received, missing, dropped], [count, 0, 0]);
      const total = await group.cumulativeStats();
      assert.deepEqual([total.packets, total.received, total.drops, total.bytes], [count, count, 0, bytes]);
      const each = await group.memberStats();
      assert.deepEqual(
        each.map(({ packets, received: arrived }) => [packets, arrived]),
        perMember.map((packets) => [packets, packets]),
      );
      assert.deepEqual({ ...(await group.stats()), bufferedBytes: 0 }, { ...total, bufferedBytes: 0 });
      assert.equal((await group.stats()).packets, 0);
      await group.close();
      assert.equal((await group.cumulativeStats()).packets, count);
    });

  it('a capture of this or another process joins by the id of the group', async () => {
    const group = await open(2, { fanoutMode: 'load-balance', ignoreOutgoing: true });
    const other = asyncCapture(lab, {
      interface: wire.a,
      fanoutMode: 'load-balance',
      fanoutGroup: group.fanoutGroup,
      ignoreOutgoing: true,
    });
    const joined = await open(1, { fanoutMode: 'load-balance', fanoutGroup: group.fanoutGroup, ignoreOutgoing: true });
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 40 }, (_, i) => udp(1, i)),
    );
    await Promise.all([collect(group, 20), collect(other, 10), collect(joined, 10)]);
    const apart = await open(1, { fanoutMode: 'load-balance' });
    assert.notEqual(apart.fanoutGroup, group.fanoutGroup);
  });

  it('for await with a signal; leaving the loop keeps the group open, close ends it and rejects waits', async () => {
    const group = await open(2);
    await sendFrames(lab, wire.b, [udp(1), udp(2), udp(3)]);
    let packets = 0;
    for await (const batch of group) {
      packets += batch.length;
      if (packets === 3) break;
    }
    assert.equal(group.tryRecv(), null);
    const stop = new AbortController();
    const reading = (async () => {
      for await (const batch of group.batches({ signal: stop.signal })) packets += batch.length;
    })();
    await sendFrames(lab, wire.b, [udp(4)]);
    await until(() => packets === 4, 3000, 'the fourth packet');
    const reason = new Error('enough');
    stop.abort(reason);
    await assert.rejects(reading, reason);
    // An aborted wait loses nothing.
    await sendFrames(lab, wire.b, [udp(5)]);
    assert.equal((await group.recv({ signal: AbortSignal.timeout(3000) })).length, 1);
    const iterating = (async () => {
      for await (const batch of group) packets += batch.length;
    })();
    const waiting = assert.rejects(group.recv(), { kind: 'Io', code: 'ECANCELED' });
    const closing = group.close();
    await Promise.all([waiting, iterating, closing, group.close()]);
    assert.equal(packetSockets().length, 0);
    await assert.rejects(group.recv(), { code: 'ECANCELED' });
    await assert.rejects(group.setFilter(null), { code: 'ECANCELED' });
    assert.throws(() => group.tryRecv(), { code: 'ECANCELED' });
  });

  it('await using closes; batches stay valid, and nothing is left of threads and descriptors', async () => {
    const before = footprint();
    let kept: PacketBatch | undefined;
    {
      await using group = await captureGroup(3, { ...SMALL, interface: wire.a, promiscuous: true });
      assert.equal(promiscuity(wire.a), 3);
      await sendFrames(lab, wire.b, [udp(7, 7)]);
      [kept] = await collect(group, 1);
    }
    assert.equal(promiscuity(wire.a), 0);
    collectGarbage();
    assert.deepEqual(kept?.dataAt(0), udp(7, 7));
    await until(
      () => footprint().descriptors === before.descriptors && footprint().threads === before.threads,
      3000,
      'the threads are gone',
    );
  });

  it('a slow reader holds the members up, not the memory, and loses only what the kernel counts', async function () {
    this.timeout(30_000);
    const group = await open(2, { fanoutMode: 'load-balance', blockSize: 65536, blockCount: 8, ignoreOutgoing: true });
    const count = 60_000;
    await flood(lab, wire.b, { count, length: 200 });
    await sleep(200);
    const held = await group.cumulativeStats();
    assert.deepEqual([held.received, held.packets], [count, 0]);
    assert.ok(held.drops > 0, 'the rings are full');
    // 16 batches of a block each for both.
    assert.ok(held.bufferedBytes > 0 && held.bufferedBytes <= 2 * 16 * 65536, `${held.bufferedBytes} bytes`);
    let packets = 0;
    while (packets < count - held.drops) packets += (await group.recv({ signal: AbortSignal.timeout(5000) })).length;
    const after = await group.cumulativeStats();
    assert.equal(after.packets, count - after.drops);
    await flood(lab, wire.b, { count: 100 });
    await collect(group, 100);
  });

  it('batches that are kept stop the members at maxBufferedBytes, and they resume when these are let go of', async function () {
    this.timeout(30_000);
    const limit = 1 << 20;
    const group = await open(2, { fanoutMode: 'load-balance', blockSize: 65536, blockCount: 8, maxBufferedBytes: limit });
    let hoard: PacketBatch[] | null = [];
    let packets = 0;
    const reading = (async () => {
      for await (const batch of group) {
        hoard?.push(batch);
        packets += batch.length;
      }
    })();
    await flood(lab, wire.b, { count: 60_000, length: 200 });
    await until(async () => (await group.cumulativeStats()).stalls >= 2, 3000, 'both members have stalled');
    await sleep(100);
    const held = await group.cumulativeStats();
    assert.ok(held.bufferedBytes <= 2 * limit, `${held.bufferedBytes} bytes`);
    assert.ok(held.drops > 0);
    const before = packets;
    hoard = null;
    await until(() => packets > before, 4000, 'reading resumes');
    await until(async () => (await group.cumulativeStats()).packets === held.received - held.drops, 4000, 'all is read');
    assert.ok((await group.cumulativeStats()).collections > 0);
    await group.close();
    await reading;
  });

  it('filters reach every member, classic and eBPF', async function () {
    needsEbpf(this);
    const pins = new BpfPins(lab);
    const group = await open(3, { fanoutMode: 'load-balance', filter: ONLY_88B6, ignoreOutgoing: true });
    const mixture = Array.from({ length: 30 }, (_, i) => frame(`${i}`, 60, i < 15 ? 0x88b6 : 0x88b5));
    const expectOnly = async (first: number, end: number): Promise<void> => {
      await sendFrames(lab, wire.b, mixture);
      const seen = hexOf(await collect(group, end - first)).sort();
      assert.deepEqual(
        seen,
        mixture
          .slice(first, end)
          .map((bytes) => bytes.toString('hex'))
          .sort(),
      );
    };
    await expectOnly(0, 15);
    await group.attachEbpfFilter(pins.load(onlyEtherType(0x88b5)));
    await expectOnly(15, 30);
    await group.detachFilter();
    await expectOnly(0, 30);
    await assert.rejects(group.setFilter('bad'), { kind: 'Config', option: 'filter' });
    await assert.rejects(group.attachEbpfFilter(`${pins.folder}/none`), (error: NetringError) => {
      assert.deepEqual([error.name, error.kind, error.code], ['NetringError', 'Io', 'ENOENT']);
      return error.message.includes(pins.folder) && /nothing is pinned/.test(error.hint);
    });
    await assert.rejects(group.attachFanoutEbpf(pins.load(byteAt(0))), { kind: 'Config', option: 'fanoutMode' });
  });

  it('an eBPF program picks the member', async function () {
    needsEbpf(this);
    const pins = new BpfPins(lab);
    const group = await open(3, { fanoutMode: 'ebpf', ignoreOutgoing: true });
    await group.attachFanoutEbpf(pins.load(byteAt(0)));
    await sendFrames(
      lab,
      wire.b,
      [2, 0, 1, 1, 2, 2].map((member) => frame(String.fromCharCode(member))),
    );
    const batches = await collect(group, 6);
    const counts = [0, 0, 0];
    for (const batch of batches)
      for (const { data } of batch) {
        assert.equal(data[14], batch.member);
        counts[batch.member]!++;
      }
    assert.deepEqual(counts, [1, 2, 3]);
  });

  it('down, up and gone are told once; what was captured is read before the end', async () => {
    const group = await open(3);
    const heard: string[] = [];
    group
      .on('down', () => heard.push('down'))
      .on('up', () => heard.push('up'))
      .on('gone', () => heard.push('gone'));
    const down = once(group, 'down');
    lab.ip(`link set ${wire.a} down`);
    await down;
    assert.equal(group.linkUp, false);
    const up = once(group, 'up');
    lab.ip(`link set ${wire.a} up`);
    await up;
    await sendFrames(
      lab,
      wire.b,
      Array.from({ length: 12 }, (_, i) => udp(i)),
    );
    lab.ip(`link del ${wire.a}`);
    let packets = 0;
    await assert.rejects(
      (async () => {
        for await (const batch of group) packets += batch.length;
      })(),
      { kind: 'Io', code: 'ENODEV' },
    );
    assert.equal(packets, 12);
    // A link that is deleted may go down first.
    assert.deepEqual(
      heard.filter((event, i) => i < 2 || event !== 'down'),
      ['down', 'up', 'gone'],
    );
  });

  it('a full ring is read to its last packet although the interface is gone and the reader comes late', async () => {
    const group = await open(2, { fanoutMode: 'load-balance', blockSize: 65536, blockCount: 64, blockTimeoutMs: 10 });
    const { sent } = await flood(lab, wire.b, { count: 8000, length: 400 });
    const gone = once(group, 'gone');
    lab.ip(`link del ${wire.a}`);
    await gone;
    await sleep(400);
    let packets = 0;
    await assert.rejects(
      (async () => {
        for await (const batch of group) packets += batch.length;
      })(),
      { kind: 'Io', code: 'ENODEV' },
    );
    assert.equal(group.tryRecv(), null);
    const { received, drops } = await group.cumulativeStats();
    assert.equal(received, sent);
    assert.equal(packets, sent - drops);
    assert.ok(drops < sent / 2, `${drops} of ${sent} dropped`);
  });

  it('kept batches near maxBufferedBytes ask for no collection while there is room and nothing comes', async () => {
    const group = await open(1, { maxBufferedBytes: 2 << 20, blockSize: 65536, blockCount: 64 });
    const kept: PacketBatch[] = [];
    const reading = (async () => {
      for await (const batch of group) kept.push(batch);
    })();
    const bufferedBytes = async (): Promise<number> => (await group.cumulativeStats()).bufferedBytes;
    while ((await bufferedBytes()) + 65536 <= 2 << 20) {
      await flood(lab, wire.b, { count: 40, length: 1000 });
      await sleep(30);
    }
    const before = await group.cumulativeStats();
    await sleep(1500);
    const after = await group.cumulativeStats();
    assert.equal(after.stalls, 0);
    assert.equal(after.collections, before.collections);
    lab.ip(`link del ${wire.a}`);
    await assert.rejects(reading, { code: 'ENODEV' });
    assert.ok(kept.length > 0);
  });

  it('latency immediate gathers what comes fast, as one capture does', async () => {
    const count = 20_000;
    const perBatch = async (source: AsyncIterable<PacketBatch>): Promise<number> => {
      let batches = 0;
      let packets = 0;
      for await (const batch of source) {
        batches++;
        if ((packets += batch.length) >= count) break;
      }
      return packets / batches;
    };
    const options = { latency: 'immediate', blockSize: 1 << 20, blockCount: 32 } as const;
    const group = await open(1, options);
    const one = asyncCapture(lab, { ...SMALL, ...options, interface: wire.a });
    const both = Promise.all([perBatch(group), perBatch(one)]);
    await flood(lab, wire.b, { count, rate: 60_000 });
    const [ofGroup, ofOne] = await both;
    assert.ok(ofGroup > ofOne / 3, `${ofGroup} and ${ofOne} packets a batch`);
  });

  it('without descriptors for all members it leaves no thread behind', async () => {
    const script = `const { captureGroup } = require('@netring/node-red'); const fs = require('fs');
      (async () => {
        await (await captureGroup(1, { interface: '${wire.a}', profile: 'low-memory' })).close();
        const hogs = []; try { for (;;) hogs.push(fs.openSync('/dev/null')); } catch { /* none left */ }
        for (let i = 0; i < 70; i++) fs.closeSync(hogs.pop());
        await captureGroup(60, { interface: '${wire.a}', profile: 'low-memory' }).catch((error) => console.error('refused ' + error.code));
        for (const hog of hogs) fs.closeSync(hog);
      })();`;
    const child = lab.start('sh', ['-c', 'ulimit -n 200; exec "$@"', 'sh', process.execPath, '-e', script]);
    assert.equal(await child.exitCode(), 0, child.errors);
    assert.match(child.errors, /refused EMFILE/);
  });

  it('what keeps a member from opening is told as by Capture, and nothing stays open', async () => {
    const member = await open(1, { fanoutMode: 'hash', fanoutGroup: 4711 });
    const rejects = (members: number, options: object, expected: object): Promise<void> =>
      assert.rejects(captureGroup(members, { ...SMALL, interface: wire.a, ...options }), expected);
    await rejects(2, { interface: 'nosuchif0' }, { name: 'NetringError', kind: 'InterfaceNotFound', code: 'ENODEV' });
    await rejects(2, { blockSize: 100 }, { kind: 'Config', option: 'blockSize' });
    await rejects(
      2,
      { fanoutMode: 'cpu', fanoutGroup: 4711 },
      { kind: 'SockOpt', option: 'PACKET_FANOUT', code: 'EINVAL', hint: /another fanoutGroup/ },
    );
    for (const members of [0, -1, 1.5, 257, NaN]) await rejects(members, {}, RangeError);
    assert.equal(packetSockets().length, 1);
    await member.close();
  });

  it('a process ends with an open group when it is unreferenced, and without a trace when it is killed', async () => {
    const script = `const { captureGroup } = require('@netring/node-red');
      captureGroup(3, { interface: '${wire.a}', profile: 'balanced', promiscuous: true }).then((group) => { console.error('open'); process.env.STAY || group.unref(); });`;
    const child = lab.start(process.execPath, ['-e', script]);
    assert.equal(await child.exitCode(), 0, child.errors);
    const killed = lab.start(process.execPath, ['-e', script], { env: { ...process.env, STAY: '1' } });
    await killed.says('open');
    assert.equal(promiscuity(wire.a), 3);
    await killed.stop('SIGKILL');
    await until(() => packetSockets().length === 0 && promiscuity(wire.a) === 0, 3000, 'the sockets are closed');
  });

  it('a thread that dies is an error event and the end of reading, never silence', async () => {
    // Its way to the reader is cut behind its back.
    const script = `const { captureGroup } = require('@netring/node-red'); const fs = require('fs');
      const unix = () => { const known = fs.readFileSync('/proc/net/unix', 'utf8');
        return fs.readdirSync('/proc/self/fd').filter((fd) => { try { const inode = /socket:\\[(\\d+)\\]/.exec(fs.readlinkSync('/proc/self/fd/' + fd))?.[1];
          return inode !== undefined && known.includes(' ' + inode); } catch { return false; } }); };
      (async () => {
        const before = unix();
        const group = await captureGroup(1, { interface: '${wire.a}', profile: 'balanced' });
        if (process.env.LISTEN) group.on('error', (error) => console.error('event ' + error.code));
        for (const fd of unix()) if (!before.includes(fd)) fs.closeSync(Number(fd));
        console.error('cut');
        for (let i = 0; i < 2; i++) await group.recv().catch((error) => console.error(error.kind + ' ' + error.code + ' ' + error.message));
        await group.close();
        console.error('packets ' + (await group.cumulativeStats()).packets);
      })();`;
    for (const listen of ['', 'yes']) {
      const child = lab.start(process.execPath, ['-e', script], { env: { ...process.env, LISTEN: listen } });
      await child.says('cut');
      await sendFrames(lab, wire.b, [udp(1)]);
      assert.equal(await child.exitCode(), 0, child.errors);
      assert.equal(child.errors.match(/^Io ECANCELED a thread of the capture group on .* has ended: .*EBADF/gm)?.length, 2, child.errors);
      assert.equal(child.errors.includes('event ECANCELED'), listen !== '');
      assert.match(child.errors, /^packets 0$/m);
    }
  });

  it('its threads may be ended under traffic: by exit, by an exception, by whoever holds them', async function () {
    this.timeout(60_000);
    const script = `const threads = require('worker_threads'); const held = [];
      threads.Worker = class extends threads.Worker { constructor(...all) { super(...all); held.push(this); } };
      const { captureGroup } = require('@netring/node-red');
      (async () => {
        for (let round = 0; round < 15; round++) {
          held.length = 0;
          const group = await captureGroup(2, { interface: '${wire.a}', profile: 'low-memory', fanoutMode: 'load-balance' });
          group.on('error', () => undefined);
          (async () => { for await (const batch of group) batch.length; })().catch(() => undefined);
          if (round === 0) console.error('open');
          await new Promise((resolve) => setTimeout(resolve, 20 + 7 * round));
          await Promise.all(held.map((worker) => worker.terminate()));
          await group.close();
        }
        const group = await captureGroup(2, { interface: '${wire.a}', profile: 'low-memory', fanoutMode: 'load-balance' });
        (async () => { for await (const batch of group) batch.length; })();
        setTimeout(() => process.exit(7), 300);
      })();`;
    const child = lab.start(process.execPath, ['-e', script]);
    await child.says('open');
    const traffic = flood(lab, wire.b, { count: 2_000_000, rate: 100_000 });
    traffic.catch(() => undefined);
    assert.equal(await child.exitCode(), 7, child.errors);
  });

  it('works in a worker thread, and ends with it', async () => {
    const script = `const { Worker } = require('worker_threads');
      const inner = \`const { captureGroup } = require('@netring/node-red'); const { parentPort } = require('worker_threads');
        captureGroup(2, { interface: '${wire.a}', profile: 'balanced' }).then(async (group) => { parentPort.postMessage('open'); parentPort.postMessage((await group.recv()).length); });\`;
      const worker = new Worker(inner, { eval: true });
      worker.on('message', (message) => { console.error('heard ' + message); if (message !== 'open') worker.terminate(); });
      worker.on('exit', () => { console.log(require('fs').readFileSync('/proc/net/packet', 'utf8').trim().split('\\\\n').length - 1); });`;
    const child = lab.start(process.execPath, ['-e', script]);
    let text = '';
    child.process.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    await child.says('heard open');
    await sendFrames(lab, wire.b, [udp(1)]);
    assert.equal(await child.exitCode(), 0, child.errors);
    assert.equal(text.trim(), '0');
  });
});
