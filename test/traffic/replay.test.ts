/** What is replayed, as tcpdump at the other end stamps it; and what is captured to files, as the tools read it. */
import assert from 'node:assert/strict';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PacketBatch, PcapngWriter, readPcap, replay, type ReplayOptions } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { output } from '../support/process';
import { flood, numberedFrame, pcapFrames, Tcpdump, Witness } from '../support/witness';
import { asyncCapture } from './rx';
import { asyncInjector } from './tx';

/** Frames at so many ms. */
function recorded(times: readonly number[]): PacketBatch[] {
  const frames = times.map((ms, i) => ({
    data: numberedFrame(i),
    timestamp: { sec: 1_700_000_000 + Math.floor(ms / 1000), nsec: Math.round((ms % 1000) * 1e6) },
  }));
  // In two batches, so that a pause lies between them too.
  const middle = frames.length >> 1;
  return [PacketBatch.from(frames.slice(0, middle)), PacketBatch.from(frames.slice(middle))];
}

/** Timestamps of a little-endian pcap file in ms. */
function stamps(file: Buffer): number[] {
  const times: number[] = [];
  for (let at = 24; at + 16 <= file.length; at += 16 + file.readUInt32LE(at + 8))
    times.push(file.readUInt32LE(at) * 1000 + file.readUInt32LE(at + 4) / 1000);
  return times;
}

describe('replay on a wire', function () {
  this.timeout(60_000);
  const lab = new Lab();
  let wire: Wire;
  before(async () => (wire = await lab.wire()));
  after(() => lab.close());

  async function arrivals(
    times: readonly number[],
    options: ReplayOptions,
    total = times.length,
  ): Promise<{ times: number[]; numbers: number[] }> {
    const tcpdump = await Tcpdump.open(lab, wire.b, ['ether', 'proto', '0x88b5']);
    const injector = asyncInjector(lab, { interface: wire.a });
    const { sent } = await replay(recorded(times), injector, options);
    assert.equal(sent, total);
    await tcpdump.frames(total);
    injector.close();
    const seen = stamps(tcpdump.file);
    return {
      times: seen.map((time) => time - seen[0]!),
      numbers: pcapFrames(tcpdump.file).map((frame) => Number(frame.readBigUInt64BE(14))),
    };
  }

  // Uneven, with pauses and with bursts.
  const times = [0, 40, 41, 42, 100, 180, 180.5, 300, 301, 420];
  for (const speed of [1, 2, 0.5])
    it(`tcpdump stamps the packets in the recorded rhythm, at speed ${speed}`, async () => {
      const seen = await arrivals(times, { speed });
      assert.deepEqual(
        seen.numbers,
        times.map((_, i) => i),
      );
      const late = seen.times.map((time, i) => time - times[i]! / speed);
      // The first one may itself have been late, which makes the others seem early.
      const slack = 2 + Math.max(0, -Math.min(...late));
      assert.ok(slack < 12, `up to ${slack} ms early`);
      const sorted = [...late].sort((a, b) => a - b);
      // Of a stall of the machine, which packets after it are less late than, 20 ms are caught up on: they are late by the rest. A drift never recovers.
      const stalls = late.filter((ms, i) => late.slice(i + 1).some((later) => later < ms - 10));
      const stood = Math.max(0, ...stalls.map((ms) => ms - 20));
      assert.ok(sorted[sorted.length >> 1]! < 8 + stood, `half of them are later than ${sorted[sorted.length >> 1]} ms: ${late.join(' ')}`);
    });

  it('a loop repeats the packets in their order', async () => {
    const short = [0, 1, 2, 20];
    const seen = await arrivals(short, { loop: 3 }, 12);
    assert.deepEqual(seen.numbers, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    assert.ok(seen.times.at(-1)! >= 57, `${seen.times.at(-1)} ms`);
  });

  it('at an even rate tcpdump sees that rate', async () => {
    const even = Array.from({ length: 400 }, () => 0);
    const seen = await arrivals(even, { timing: 'pps', rate: 1000 });
    assert.ok(seen.times.at(-1)! >= 390 && seen.times.at(-1)! < 700, `400 packets in ${seen.times.at(-1)} ms`);
  });

  it('what was captured to a file is what the tools find in it, with what was lost; replayed, it is what came', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-files-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'captured.pcapng');
    const count = 3000;
    // A ring of two blocks that nobody reads for a while: the kernel must drop.
    const capture = asyncCapture(lab, { interface: wire.b, blockSize: 65_536, blockCount: 2, blockTimeoutMs: 5 });
    await flood(lab, wire.a, { count, length: 600 });
    const writer = new PcapngWriter({ statistics: () => capture.cumulativeStats() });
    async function* batches(): AsyncGenerator<PacketBatch> {
      for (;;) {
        try {
          yield await capture.recv({ signal: AbortSignal.timeout(200) });
        } catch (error) {
          if ((error as Error).name === 'TimeoutError') return;
          throw error;
        }
      }
    }
    await pipeline(Readable.from(batches()), writer, createWriteStream(path));
    const { received, drops } = capture.cumulativeStats();
    assert.ok(drops > 0 && received === count, `${drops} of ${received} lost`);
    assert.equal(writer.packets, count - drops);
    assert.match(output('capinfos', ['-M', '-c', path]), new RegExp(`Number of packets: +${count - drops}\n`));
    const reader = readPcap(path);
    const numbers: number[] = [];
    for await (const batch of reader) for (const { data } of batch) numbers.push(Number(data.readBigUInt64BE(14)));
    assert.deepEqual(
      reader.interfaces.map(({ name, statistics }) => [name, statistics]),
      [[wire.b, { received, drops }]],
    );
    const seen = output('tshark', ['-r', path, '-T', 'fields', '-e', 'frame.interface_name', '-e', 'frame.len']).trim().split('\n');
    assert.deepEqual(new Set(seen), new Set([`${wire.b}\t600`]));
    // Not tcpdump: its ring has 8 slots in immediate mode.
    const witness = await Witness.open(lab, wire.b);
    await replay(path, asyncInjector(lab, { interface: wire.a }), { timing: 'none' });
    const again = await witness.expect(numbers.length);
    assert.deepEqual(
      again.map(({ data }) => Number(data.readBigUInt64BE(14))),
      numbers,
    );
    await witness.close();
  });
});
