/** RotatingWriter and PreTrigger: what is in the files is judged by tshark and capinfos. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  PacketBatch,
  PcapngWriter,
  PreTrigger,
  readPcap,
  RotatingWriter,
  type PreTriggerOptions,
  type RecordedFile,
  type RotatingOptions,
} from '@netring/node-red';
import { root } from '../support/paths';
import { output } from '../support/process';
import { until } from '../support/wait';
import { arpRequest, needTools } from './pcap-files';
import { borrowed, requests } from './pcap-requests';

/** Of one ARP request in a pcapng file: 60 bytes and 48 around them. */
const BLOCK = 108;

/** Numbers of the requests in a file, as tshark reads them; it complains when the file is cut short. */
function numbersIn(path: string): number[] {
  const text = output('tshark', ['-r', path, '-T', 'fields', '-e', 'arp.dst.proto_ipv4']);
  return text.split('\n').flatMap((line) => {
    const [, , high, low] = line.split('.');
    return low === undefined ? [] : [Number(high) * 256 + Number(low)];
  });
}

const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i);

describe('RotatingWriter', function () {
  this.timeout(30_000);
  let folder: string;
  before(function () {
    needTools(this, 'tshark', 'capinfos');
  });
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'netring-rotating-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const names = (): string[] => readdirSync(folder).sort();
  const paths = (): string[] => names().map((name) => join(folder, name));

  /** Writes batches and returns what was told of the files. */
  async function record(
    options: Omit<RotatingOptions, 'path'> & { path?: string },
    batches: readonly PacketBatch[],
  ): Promise<RecordedFile[]> {
    const told: RecordedFile[] = [];
    const writer = new RotatingWriter({ path: join(folder, 'eth0-{number}.pcapng'), onFile: (file) => told.push(file), ...options });
    await pipeline(Readable.from(batches, { objectMode: true }), writer);
    return told;
  }

  /** All files together hold the requests, in order and each once; what was told of them is what capinfos finds. */
  function assertHolds(told: readonly RecordedFile[], first: number, end: number): void {
    assert.deepEqual(
      told.map(({ path }) => path),
      paths(),
    );
    assert.deepEqual(
      told.flatMap(({ path }) => numbersIn(path)),
      range(first, end),
    );
    for (const { path, packets, bytes } of told) {
      assert.equal(statSync(path).size, bytes);
      assert.match(output('capinfos', ['-M', '-c', path]), new RegExp(`Number of packets: +${packets}\n`));
    }
  }

  it('by size: no file is larger, none could have held one more packet, batches are divided between packets', async () => {
    for (const format of ['pcapng', 'pcap'] as const) {
      const path = join(folder, `size-{number}.${format}`);
      const told = await record({ path, format, maxBytes: 12_000 }, [
        requests(0, 7),
        requests(7, 300),
        requests(300, 301),
        requests(301, 400),
      ]);
      assertHolds(told, 0, 400);
      const one = format === 'pcap' ? 76 : BLOCK;
      for (const { bytes } of told.slice(0, -1)) assert.ok(bytes <= 12_000 && bytes + one > 12_000, `${bytes}`);
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
    }
  });

  it('by size: the counters at the end of each file are within it', async () => {
    const statistics = (): { received: number; drops: number } => ({ received: 500, drops: 3 });
    const told = await record({ maxBytes: 12_000, statistics }, [requests(0, 300), requests(0, 20, { name: 'eth1' }), requests(300, 400)]);
    assert.equal(told.length, 4);
    for (const { path, bytes } of told) {
      assert.ok(bytes <= 12_000, `${bytes}`);
      assert.match(output('capinfos', ['-M', path]), /Number of stat entries = 1/);
    }
    assert.equal(
      told.reduce((sum, { packets }) => sum + packets, 0),
      420,
    );
  });

  it('what was lost between two files is told by the first packet of the second', async () => {
    const counters = { received: 10, drops: 2 };
    const told: RecordedFile[] = [];
    const path = join(folder, 'lost-{number}.pcapng');
    const writer = new RotatingWriter({ path, statistics: () => counters, onFile: (file) => told.push(file) });
    writer.write(requests(0, 5));
    await writer.rotate();
    counters.drops = 11;
    writer.end(requests(5, 8));
    await once(writer, 'close');
    const lost = told.map((file) => output('tshark', ['-r', file.path, '-T', 'fields', '-e', 'frame.drop_count']).trim());
    assert.deepEqual(lost, ['', '9']);
  });

  it('by size: a packet larger than a file gets one of its own', async () => {
    const large = PacketBatch.from([arpRequest(0), Buffer.alloc(9000), arpRequest(1)].map((data) => ({ data })));
    const told = await record({ maxBytes: 1000 }, [large]);
    assert.deepEqual(
      told.map(({ packets }) => packets),
      [1, 1, 1],
    );
    assert.deepEqual(
      told.map(({ path }) => numbersIn(path)),
      [[0], [], [1]],
    );
  });

  it('by count', async () => {
    const told = await record({ maxPackets: 64 }, [requests(0, 100), requests(100, 128), requests(128, 130)]);
    assertHolds(told, 0, 130);
    assert.deepEqual(
      told.map(({ packets, number }) => [packets, number]),
      [
        [64, 1],
        [64, 2],
        [2, 3],
      ],
    );
  });

  it('by time: of the packets', async () => {
    const told = await record({ maxSeconds: 2.5 }, [requests(0, 33), requests(33, 90)]);
    assertHolds(told, 0, 90);
    assert.deepEqual(
      told.map(({ packets }) => packets),
      [25, 25, 25, 15],
    );
  });

  it('by time: of the clock, when nothing comes any more', async () => {
    const told: RecordedFile[] = [];
    const writer = new RotatingWriter({ path: join(folder, 'quiet-{number}.pcapng'), maxSeconds: 0.1, onFile: (file) => told.push(file) });
    writer.write(requests(0, 1));
    await until(() => told.length === 1, 5000, 'the end of the file');
    assert.equal(writer.path, undefined);
    assert.deepEqual(numbersIn(told[0]!.path), [0]);
    writer.end(requests(1, 2));
    await once(writer, 'close');
    assertHolds(told, 0, 2);
  });

  it('by time: of the clock, also after longer than a timer can be set for', async () => {
    const told: RecordedFile[] = [];
    const maxSeconds = 60 * 86_400;
    const set = globalThis.setTimeout;
    const timers: { fire: () => void; ms: number }[] = [];
    const fake = (fire: () => void, ms: number): NodeJS.Timeout => {
      timers.push({ fire, ms });
      return set(() => undefined, 0);
    };
    globalThis.setTimeout = Object.assign(fake, set);
    try {
      const writer = new RotatingWriter({ path: join(folder, 'slow-{number}.pcapng'), maxSeconds, onFile: (file) => told.push(file) });
      await new Promise<void>((resolve, reject) => writer.write(requests(0, 1), (error) => (error ? reject(error) : resolve())));
      let elapsed = 0;
      for (let timer = timers.shift(); timer !== undefined; timer = timers.shift()) {
        assert.ok(timer.ms > 0 && timer.ms < 2 ** 31, `${timer.ms}`);
        assert.notEqual(writer.path, undefined);
        elapsed += timer.ms;
        timer.fire();
      }
      assert.equal(elapsed, maxSeconds * 1000);
      // In its turn, which is after the timer's.
      await writer.rotate();
      assert.equal(told.length, 1);
      writer.destroy();
    } finally {
      globalThis.setTimeout = set;
    }
  });

  it('a borrowed batch may be released when write() and end() return', async () => {
    const writer = new RotatingWriter({ path: join(folder, 'views-{number}.pcapng') });
    for (const hand of [(view: PacketBatch) => writer.write(view), (view: PacketBatch) => writer.end(view)]) {
      const view = borrowed(requests(0, 20));
      hand(view);
      view.release();
    }
    await once(writer, 'close');
    assert.deepEqual(paths().flatMap(numbersIn), [...range(0, 20), ...range(0, 20)]);
  });

  it('on demand', async () => {
    const told: RecordedFile[] = [];
    const writer = new RotatingWriter({ path: join(folder, 'asked-{number}.pcapng'), onFile: (file) => told.push(file) });
    await writer.rotate();
    writer.write(requests(0, 5));
    await writer.rotate();
    writer.end(requests(5, 9));
    await once(writer, 'close');
    assert.deepEqual(
      told.map(({ path }) => numbersIn(path)),
      [range(0, 5), range(5, 9)],
    );
  });

  it('keeps the newest files only, and goes on numbering where an earlier run has ended', async () => {
    const foreign = ['eth0-1.pcapng', 'eth0-00001.pcapng.txt', 'x-eth0-00001.pcapng', 'eth0-abcde.pcapng'];
    for (const name of foreign) writeFileSync(join(folder, name), 'not one of them');
    await record({ maxPackets: 10, keep: 3 }, [requests(0, 100)]);
    const ours = (): string[] => names().filter((name) => !foreign.includes(name));
    assert.deepEqual(ours(), ['eth0-00008.pcapng', 'eth0-00009.pcapng', 'eth0-00010.pcapng']);
    assert.deepEqual(
      ours().flatMap((name) => numbersIn(join(folder, name))),
      range(70, 100),
    );
    rmSync(join(folder, 'eth0-00009.pcapng'));
    await record({ maxPackets: 10, keep: 3 }, [requests(100, 115)]);
    assert.deepEqual(ours(), ['eth0-00010.pcapng', 'eth0-00011.pcapng', 'eth0-00012.pcapng']);
    await record({ keep: 1 }, [requests(115, 120)]);
    assert.deepEqual(ours(), ['eth0-00013.pcapng']);
    assert.equal(names().length, foreign.length + 1, 'nothing else was touched');
  });

  it('never overwrites a file', async () => {
    const writer = new RotatingWriter({ path: join(folder, 'raced-{number}.pcapng') });
    writeFileSync(join(folder, 'raced-00001.pcapng'), 'evidence');
    await assert.rejects(pipeline(Readable.from([requests(0, 5)]), writer), { code: 'EEXIST' });
    assert.equal(readFileSync(join(folder, 'raced-00001.pcapng'), 'utf8'), 'evidence');
  });

  it('puts the time of the first packet into the name', async () => {
    await record({ path: join(folder, 'a.{time}+{number}.pcapng'), maxPackets: 10 }, [requests(0, 15)]);
    assert.deepEqual(names(), ['a.20231114T221320Z+00001.pcapng', 'a.20231114T221321Z+00002.pcapng']);
    await record({ path: join(folder, 'a.{time}+{number}.pcapng') }, [requests(0, 1)]);
    assert.equal(names()[0], 'a.20231114T221320Z+00001.pcapng');
    assert.ok(names().includes('a.20231114T221320Z+00003.pcapng'));
  });

  it('writes no file without a packet', async () => {
    assert.deepEqual(await record({}, [requests(0, 0)]), []);
    assert.deepEqual(names(), []);
  });

  it('a process that is killed leaves files that tshark reads, the last one up to the last batch', async () => {
    const script = `
      const { RotatingWriter } = require(${JSON.stringify(join(root, 'dist', 'src', 'index.js'))});
      const { requests } = require(${JSON.stringify(join(__dirname, 'pcap-requests.js'))});
      const writer = new RotatingWriter({ path: ${JSON.stringify(join(folder, 'killed-{number}.pcapng'))}, maxPackets: 500 });
      let first = 0;
      (function go() { writer.write(requests(first, first += 50), () => { process.stdout.write(first + ' '); setImmediate(go); }); })();`;
    const file = join(folder, 'script.js');
    writeFileSync(file, script);
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let written = 0;
    child.stdout.on('data', (text: Buffer) => (written = Number(text.toString().trim().split(' ').at(-1))));
    await until(() => written > 2000, 15_000, 'two thousand packets');
    child.kill('SIGKILL');
    await once(child, 'close');
    rmSync(file);
    const numbers = paths().flatMap(numbersIn);
    assert.ok(numbers.length >= written, `${numbers.length} of ${written}`);
    assert.deepEqual(numbers, range(0, numbers.length));
  });

  it('fails with the error of the file system, and leaves what was written', async () => {
    const told: RecordedFile[] = [];
    const writer = new RotatingWriter({ path: join(folder, 'full-{number}.pcapng'), maxPackets: 10, onFile: (file) => told.push(file) });
    writer.write(requests(0, 10));
    await writer.rotate();
    rmSync(folder, { recursive: true });
    const failed = once(writer, 'error');
    writer.write(requests(10, 20));
    assert.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ENOENT');
    mkdirSync(folder);
    assert.equal(told.length, 1);
    assert.throws(() => new RotatingWriter({ path: '/no/such/folder/{number}.pcapng' }), { code: 'ENOENT' });
    chmodSync(folder, 0o755);
  });

  it('refuses options that cannot be', () => {
    const path = join(folder, '{number}.pcapng');
    const wrong: [object, string][] = [
      [{ path: join(folder, 'one.pcapng') }, 'path'],
      [{ path: join(folder, '{number}-{number}.pcapng') }, 'path'],
      [{ path: join(folder, '{number}', 'one.pcapng') }, 'path'],
      [{ path: join(folder, '{time}', '{number}.pcapng') }, 'path'],
      [{ path: undefined }, 'path'],
      [{ path, format: 'erf' }, 'format'],
      [{ path, maxBytes: 0 }, 'maxBytes'],
      [{ path, maxPackets: 1.5 }, 'maxPackets'],
      [{ path, keep: -1 }, 'keep'],
      [{ path, maxSeconds: 0 }, 'maxSeconds'],
      [{ path, maxSeconds: Infinity }, 'maxSeconds'],
      [{ path, snapLen: -1 }, 'snapLen'],
      [{ path, format: 'pcap', comment: 'x' }, 'comment'],
    ];
    for (const [options, option] of wrong)
      assert.throws(() => new RotatingWriter(options as RotatingOptions), { name: 'NetringError', kind: 'Config', option }, option);
  });
});

describe('PreTrigger', function () {
  this.timeout(30_000);
  let folder: string;
  before(function () {
    needTools(this, 'tshark');
    folder = mkdtempSync(join(tmpdir(), 'netring-trigger-'));
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  /** Feeds a trigger in front of a pcapng file, and returns the numbers that tshark finds in it. */
  async function dump(options: PreTriggerOptions, feed: (trigger: PreTrigger) => Promise<void> | void): Promise<number[]> {
    const trigger = new PreTrigger(options);
    const file = buffer(trigger.pipe(new PcapngWriter()));
    await feed(trigger);
    trigger.end();
    const path = join(folder, 'dump.pcapng');
    writeFileSync(path, await file);
    return numbersIn(path);
  }
  /** Writes requests in batches of 7, each of which is taken before the next. */
  async function write(trigger: PreTrigger, first: number, end: number): Promise<void> {
    for (let at = first; at < end; at += 7)
      await new Promise<void>((resolve, reject) =>
        trigger.write(requests(at, Math.min(at + 7, end)), (error) => (error ? reject(error) : resolve())),
      );
  }

  it('lets go of the newest bytes before the trigger, then of all until it is stopped', async () => {
    // 60 bytes and 44 a packet: 50 of them fit, the 51st would be one byte too much.
    const numbers = await dump({ maxBytes: 51 * 104 - 1 }, async (trigger) => {
      await write(trigger, 0, 1000);
      assert.equal(trigger.heldPackets, 50);
      assert.equal(trigger.live, false);
      trigger.trigger();
      trigger.trigger();
      assert.equal(trigger.live, true);
      assert.equal(trigger.heldPackets, 0);
      await write(trigger, 1000, 1020);
      trigger.stop();
      await write(trigger, 1020, 1500);
    });
    assert.deepEqual(numbers, range(950, 1020));
  });

  it('triggers again, with what came since it was stopped at most', async () => {
    const numbers = await dump({ maxBytes: 104 * 20 }, async (trigger) => {
      await write(trigger, 0, 100);
      trigger.trigger();
      trigger.stop();
      await write(trigger, 100, 110);
      trigger.trigger();
      trigger.stop();
      await write(trigger, 110, 300);
      trigger.trigger();
    });
    assert.deepEqual(numbers, [...range(80, 100), ...range(100, 110), ...range(280, 300)]);
  });

  it('is bounded by time, and by both', async () => {
    const times = await dump({ maxSeconds: 3 }, async (trigger) => {
      await write(trigger, 0, 500);
      trigger.trigger();
    });
    // Ten a second: the newest at 49.9 s, and what is not older than 46.9 s.
    assert.deepEqual(times, range(469, 500));
    const both = await dump({ maxSeconds: 3, maxBytes: 104 * 25 }, async (trigger) => {
      await write(trigger, 0, 500);
      trigger.trigger();
    });
    assert.deepEqual(both, range(475, 500));
  });

  it('holds nothing of a packet that is larger than all it may hold', async () => {
    const numbers = await dump({ maxBytes: 100 }, async (trigger) => {
      await write(trigger, 0, 100);
      assert.equal(trigger.heldPackets, 0);
      trigger.trigger();
      await write(trigger, 100, 101);
    });
    assert.deepEqual(numbers, [100]);
  });

  it('without a trigger nothing comes out, and nothing after the end', async () => {
    const trigger = new PreTrigger({ maxBytes: 1_000_000 });
    const chunks: unknown[] = [];
    trigger.on('data', (batch) => chunks.push(batch));
    await write(trigger, 0, 100);
    trigger.end();
    await once(trigger, 'end');
    trigger.trigger();
    await delay(5);
    assert.deepEqual(chunks, []);
  });

  it('holds few bytes for few bytes, whatever memory their batches lie in', async () => {
    const trigger = new PreTrigger({ maxBytes: 10_000 });
    trigger.resume();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 500; i++) {
      const large = PacketBatch.from([arpRequest(i), Buffer.alloc(200_000)]).select([0]);
      await new Promise<void>((resolve) => trigger.write(large, () => resolve()));
    }
    globalThis.gc!();
    await delay(5);
    globalThis.gc!();
    assert.ok(trigger.heldPackets > 90);
    assert.ok(process.memoryUsage().arrayBuffers - before < 2_000_000);
    trigger.destroy();
  });

  it('takes packet objects, refuses what is no packet, and bounds that bound nothing', async () => {
    assert.deepEqual(
      await dump({ maxSeconds: 100 }, async (trigger) => {
        for (const packet of requests(0, 5).toArray()) trigger.write(packet);
        await delay(5);
        trigger.trigger();
      }),
      range(0, 5),
    );
    const trigger = new PreTrigger({ maxBytes: 1 });
    const failed = once(trigger, 'error');
    trigger.write(arpRequest(1));
    assert.ok((await failed)[0] instanceof TypeError);
    for (const options of [{}, { maxBytes: 0 }, { maxBytes: 1.5 }, { maxSeconds: 0 }, { maxSeconds: Infinity }])
      assert.throws(() => new PreTrigger(options), { kind: 'Config', option: 'maxSeconds' in options ? 'maxSeconds' : 'maxBytes' });
  });

  it('in front of a RotatingWriter each alarm is in the files', async () => {
    const trigger = new PreTrigger({ maxBytes: 104 * 10 });
    const writer = new RotatingWriter({ path: join(folder, 'alarm-{number}.pcapng'), maxPackets: 8 });
    const done = pipeline(trigger, writer);
    for (const alarm of [100, 200]) {
      await write(trigger, alarm - 50, alarm);
      trigger.trigger();
      await write(trigger, alarm, alarm + 5);
      trigger.stop();
    }
    trigger.end();
    await done;
    const files = readdirSync(folder).filter((name) => name.startsWith('alarm'));
    assert.equal(files.length, 4);
    assert.deepEqual(
      files.sort().flatMap((name) => numbersIn(join(folder, name))),
      [...range(90, 105), ...range(190, 205)],
    );
    for (const name of files) for await (const batch of readPcap(join(folder, name))) assert.equal(batch.interface, 'eth0');
  });
});
