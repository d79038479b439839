/** replay: when packets leave, and what stops them. What arrives is judged in test/traffic. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import {
  PacketBatch,
  readPcap,
  replay,
  type ReplayOptions,
  type ReplayReport,
  type ReplaySink,
  type ReplaySource,
  type Timestamp,
} from '@netring/node-red';
import type { SendReport } from '../../src/async/send-loop';
import { Pacer, pacedBatch } from '../../src/replay/pacer';
import { within } from '../support/wait';
import { requests } from './pcap-requests';

/** Notes which packets came and when, in ms after the first. */
class Sink {
  readonly seen: { number: number; at: number }[] = [];
  readonly #refuses: (number: number) => boolean;

  constructor(refuses: (number: number) => boolean = () => false) {
    this.#refuses = refuses;
  }
  sendBatch(batch: PacketBatch, { report }: { report: SendReport }): Promise<SendReport> {
    const at = performance.now();
    for (const { data } of batch) {
      const number = data.readUInt16BE(40);
      this.seen.push({ number, at });
      if (this.#refuses(number)) report.rejected++;
      else {
        report.sent++;
        report.bytes += data.length;
      }
    }
    return Promise.resolve(report);
  }
  get numbers(): number[] {
    return this.seen.map(({ number }) => number);
  }
  get gaps(): number[] {
    return this.seen.slice(1).map(({ at }, i) => at - this.seen[i]!.at);
  }
}

const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i);
const close = (value: number, expected: number, slack: number): void =>
  assert.ok(value >= expected - 2 && value <= expected + slack, `${value} ms instead of ${expected}`);

describe('replay', () => {
  it('keeps the recorded rhythm, over batches as within one', async () => {
    const sink = new Sink();
    const begin = performance.now();
    const report = await replay([requests(0, 3), requests(3, 4), requests(4, 6)], sink, { speed: 2 });
    assert.deepEqual(report, { sent: 6, rejected: 0, bytes: 360, loops: 1 });
    assert.deepEqual(sink.numbers, range(0, 6));
    // Recorded every 100 ms. No packet leaves early, however late the one before has left: not even the first need leave at once.
    sink.seen.forEach(({ at }, i) => close(at - begin, 50 * i, 400));
    for (const [speed, gap] of [
      [0.5, 200],
      [10, 10],
    ] as const) {
      const other = new Sink();
      const start = performance.now();
      await replay([requests(0, 2), requests(2, 3)], other, { speed });
      close(other.seen[2]!.at - start, 2 * gap, 300);
    }
  });

  it('the rhythm is exact by the clock: batches, speed, times that go backwards', () => {
    for (const speed of [1, 4, 0.25]) {
      let now = 1000;
      const pacer = new Pacer('recorded', 0, { now: () => now }, speed);
      pacer.begin(true);
      const left: number[] = [];
      let last: number | undefined;
      for (const times of [[0, 10, 10.5], [30, 25, 40], [1000]]) {
        const at = (ms: number): Timestamp => ({ sec: 5 + Math.floor(ms / 1000), nsec: Math.round((ms % 1000) * 1e6) });
        const batch = PacketBatch.from(times.map((ms) => ({ data: Buffer.alloc(14), timestamp: at(ms) })));
        if (last !== undefined) pacer.goOn(times[0]! - last);
        last = times.at(-1)!;
        for (let first = 0; first < batch.length;) {
          const { count, waitMs } = pacer.take(pacedBatch(batch), first, 100);
          for (let i = 0; i < count; i++) left.push(now - 1000);
          first += count;
          // Timers are later than asked for.
          if (first < batch.length) now += Math.max(waitMs, 0.0005);
        }
      }
      // 30 -> 25 goes backwards, so 40 is 15 after it.
      [0, 10, 10.5, 30, 30, 45, 1005].forEach((due, i) => {
        const ahead = due / speed - left[i]!;
        assert.ok(ahead <= 1.001 && ahead > -0.001, `packet ${i} at ${left[i]}, due ${due / speed}`);
      });
    }
  });

  it('without timing goes as fast as the sink, and lets the event loop turn', async () => {
    const sink = new Sink();
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const file = Array.from({ length: 200 }, (_, i) => requests(i * 100, i * 100 + 100));
    const report = await replay(file, sink, { timing: 'none', loop: 3 });
    clearInterval(timer);
    assert.deepEqual([report.sent, report.loops], [60_000, 3]);
    assert.deepEqual(sink.numbers, [...range(0, 20_000), ...range(0, 20_000), ...range(0, 20_000)]);
    assert.ok(turns > 0);
  });

  it('at an even rate, in packets or in bits', async () => {
    for (const [timing, rate] of [
      ['pps', 100],
      ['bps', 100 * 60 * 8],
    ] as const) {
      const sink = new Sink();
      const begin = performance.now();
      await replay([requests(0, 10), requests(10, 21)], sink, { timing, rate });
      close(sink.seen[20]!.at - begin, 200, 300);
    }
  });

  it('replays files, Buffers, arrays and what functions return, as often as is wanted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-replay-'));
    try {
      const path = join(folder, 'file.pcapng');
      const file = requests(0, 5).toPcapng();
      writeFileSync(path, file);
      const once: ReplaySource[] = [readPcap(path), [requests(0, 5)].values(), new Set([requests(0, 5)])];
      const often: ReplaySource[] = [path, file, [requests(0, 5)], () => [requests(0, 5)], () => readPcap(path)];
      for (const source of [...once, ...often]) {
        const sink = new Sink();
        assert.equal((await replay(source, sink, { speed: 1000 })).loops, 1);
        assert.deepEqual(sink.numbers, range(0, 5));
      }
      for (const source of often) {
        const sink = new Sink();
        assert.equal((await replay(source, sink, { speed: 1000, loop: 3 })).sent, 15);
        assert.deepEqual(sink.numbers, [...range(0, 5), ...range(0, 5), ...range(0, 5)]);
      }
      for (const source of once) await assert.rejects(replay(source, new Sink(), { loop: 2 }), { kind: 'Config', message: /read again/ });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('an abort ends a pause, an endless loop, and a wait of the sink; the report tells how far it came', async () => {
    const reason = new Error('enough');
    for (const [options, sent] of [
      [{ speed: 0.0001 }, 1],
      [{ timing: 'none', loop: Infinity }, undefined],
    ] as [ReplayOptions, number | undefined][]) {
      const abort = new AbortController();
      const report: ReplayReport = { sent: 0, rejected: 0, bytes: 0, loops: 0 };
      setTimeout(() => abort.abort(reason), 20);
      await assert.rejects(replay([requests(0, 5)], new Sink(), { ...options, signal: abort.signal, report }), reason);
      if (sent === undefined) assert.ok(report.loops > 0 && report.sent >= report.loops * 5);
      else assert.deepEqual([report.sent, report.loops], [sent, 0]);
    }
    const abort = new AbortController();
    const stuck = {
      sendBatch: (_: PacketBatch, { signal }: { signal?: AbortSignal }) =>
        new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))),
    };
    setTimeout(() => abort.abort(reason), 20);
    await assert.rejects(replay([requests(0, 5)], stuck, { signal: abort.signal }), reason);
    await assert.rejects(replay([requests(0, 5)], new Sink(), { signal: AbortSignal.abort(reason) }), reason);
  });

  it('an abort ends the wait for a source that gives nothing more, and destroys a stream', async () => {
    const reason = new Error('enough');
    const silent = async function* (): AsyncGenerator<PacketBatch> {
      yield requests(0, 1);
      await new Promise(() => undefined);
    };
    const stream = new PassThrough({ objectMode: true });
    stream.write(requests(0, 1));
    for (const source of [silent(), silent, stream] satisfies ReplaySource[]) {
      const abort = new AbortController();
      const report: ReplayReport = { sent: 0, rejected: 0, bytes: 0, loops: 0 };
      setTimeout(() => abort.abort(reason), 20);
      const replayed = replay(source, new Sink(), { signal: abort.signal, report });
      await assert.rejects(within(replayed, 2000, 'the end of the replay'), reason);
      assert.deepEqual([report.sent, report.loops], [1, 0]);
    }
    assert.ok(stream.destroyed);
  });

  it('a source has returned before what the sink failed with comes out', async () => {
    let returned = false;
    const source = async function* (): AsyncGenerator<PacketBatch> {
      try {
        for (;;) yield requests(0, 1);
      } finally {
        await delay(5);
        returned = true;
      }
    };
    const failing = { sendBatch: () => Promise.reject(new Error('no link')) };
    await assert.rejects(replay(source, failing, { signal: new AbortController().signal }), /no link/);
    assert.ok(returned);
  });

  it('counts what is refused, passes on what fails, ends when there is nothing to replay', async () => {
    const sink = new Sink((number) => number % 2 === 1);
    assert.deepEqual(await replay([requests(0, 5)], sink, { timing: 'none' }), { sent: 3, rejected: 2, bytes: 180, loops: 1 });
    const failing = { sendBatch: () => Promise.reject(new Error('no link')) };
    await assert.rejects(replay([requests(0, 5)], failing, { timing: 'none' }), /no link/);
    assert.deepEqual(await replay([], new Sink(), { loop: Infinity }), { sent: 0, rejected: 0, bytes: 0, loops: 1 });
    const cut = requests(0, 5).toPcapng();
    const half = new Sink();
    await assert.rejects(replay(cut.subarray(0, cut.length - 1), half, { timing: 'none' }), { code: 'ERR_TRUNCATED_FILE' });
    assert.equal(half.seen.length, 4);
    const radio = PacketBatch.from([Buffer.alloc(20)], { linkType: 803 });
    await assert.rejects(replay([radio], new Sink()), { kind: 'Config', message: /not Ethernet/ });
  });

  it('refuses options that cannot be, before anything is sent', async () => {
    const wrong: [object, string][] = [
      [{ speed: 0 }, 'speed'],
      [{ speed: NaN }, 'speed'],
      [{ speed: Infinity }, 'speed'],
      [{ timing: 'none', speed: 2 }, 'speed'],
      [{ timing: 'pps' }, 'rate'],
      [{ timing: 'bps', rate: 0 }, 'rate'],
      [{ rate: 5 }, 'rate'],
      [{ timing: 'later' }, 'timing'],
      [{ loop: 0 }, 'loop'],
      [{ loop: 1.5 }, 'loop'],
    ];
    const sink = new Sink();
    for (const [options, option] of wrong)
      await assert.rejects(replay([requests(0, 5)], sink, options), { name: 'NetringError', kind: 'Config', option });
    for (const source of [undefined, null, 7, {}] as unknown[]) await assert.rejects(replay(source as ReplaySource, sink), TypeError);
    for (const source of [requests(0, 5), [Buffer.alloc(60)]] as unknown[])
      await assert.rejects(replay(source as ReplaySource, sink), {
        name: 'TypeError',
        message: 'the source gives something else than batches',
      });
    for (const [none, named] of [
      ['eth1', 'the sink eth1 has no sendBatch'],
      [undefined, 'the sink undefined has no sendBatch'],
    ] as const)
      await assert.rejects(replay([requests(0, 5)], none as unknown as ReplaySink), (error: Error) => error.message.startsWith(named));
    assert.equal(sink.seen.length, 0);
  });
});
