/** The two ways in which packets are encoded, by the addon and without it, and the memory that what is encoded lies in. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PacketBatch, PcapngWriter, PcapWriter } from '@netring/node-red';
import { batchMemory } from '../../src/batches/batch';
import { native, RECORD_WORDS, Word } from '../../src/native';
import { packetBlocksRoom, pcapRecordsRoom } from '../../src/pcap/packet-encoders';
import { writePacketBlocks, writePcapRecords } from '../../src/pcap/packet-records';
import { root } from '../support/paths';
import { output } from '../support/process';
import { random } from './pcap-files';
import { digest } from './pcap-tools';

const GUARD = 16;

/** Packets anywhere in the bytes, in any order, with whatever a record can hold. */
function anyBatch(next: () => number): PacketBatch {
  const bytes = Buffer.from(Array.from({ length: 1 + (next() % 4000) }, () => next() & 0xff));
  const packets = next() % 20;
  const index = new Uint32Array(packets * RECORD_WORDS).map(() => (next() % 3 === 0 ? 0xffff_ffff : next() >>> (next() % 32)));
  for (let record = 0; record < index.length; record += RECORD_WORDS) {
    index[record + Word.Length] = next() % Math.min(bytes.length + 1, next() % 2 === 0 ? 10 : 4001);
    index[record + Word.Offset] = next() % (bytes.length - index[record + Word.Length]! + 1);
  }
  return PacketBatch.over(bytes, index, { interface: 'eth0' });
}

describe('encoding packets', () => {
  it('the addon writes what JavaScript writes, and nothing around it', () => {
    const next = random(0x70636170);
    const addon = native();
    for (let round = 0; round < 3000; round++) {
      const batch = anyBatch(next);
      const { index, bytes } = batchMemory(batch);
      const kept = next() % 3 === 0 ? next() % 100 : 1 << 24;
      const lost = next() % 3 === 0 ? next() * 2 ** (next() % 21) : 0;
      const id = next() >>> 0;
      const both = (room: number, slack: number, js: (out: Buffer) => number, addon: (out: Buffer) => number): void => {
        const [expected, actual] = [Buffer.alloc(room + 2 * GUARD, 0xa5), Buffer.alloc(room + 2 * GUARD, 0xa5)];
        const end = js(expected);
        assert.ok(end <= GUARD + room && end >= GUARD + room - slack);
        assert.equal(addon(actual), end);
        assert.ok(actual.equals(expected), `round ${round}`);
      };
      // What is cut off is counted as far as other packets are shorter.
      const cut = kept < 100 ? batch.length * kept : 0;
      both(
        pcapRecordsRoom(batch, kept),
        cut,
        (out) => writePcapRecords(batch, out, GUARD, kept),
        (out) => addon.encodePcapPackets(index, bytes, out, GUARD, kept),
      );
      both(
        packetBlocksRoom(batch, kept, batch.length === 0 ? 0 : lost),
        cut + batch.length * 3,
        (out) => writePacketBlocks(batch, out, GUARD, kept, id, lost),
        (out) => addon.encodePcapngPackets(index, bytes, out, GUARD, kept, id, lost),
      );
    }
  });

  it('the addon refuses what does not fit, and what is none of its arguments', () => {
    const addon = native();
    const { index, bytes } = batchMemory(PacketBatch.from([Buffer.alloc(60, 1), Buffer.alloc(61, 2)]));
    const out = Buffer.alloc(44 + 60 + 44 + 64);
    assert.equal(addon.encodePcapngPackets(index, bytes, out, 0, 1000, 0, 0), out.length);
    for (const [at, lost] of [
      [1, 0],
      [0, 1],
      [out.length, 0],
    ] as const)
      assert.throws(() => addon.encodePcapngPackets(index, bytes, out, at, 1000, 0, lost), { name: 'RangeError', message: /has no room/ });
    assert.throws(() => addon.encodePcapPackets(index, bytes.subarray(1), out, 0, 1000), {
      name: 'RangeError',
      message: /packet 1 reaches out/,
    });
    const far = index.slice();
    far[RECORD_WORDS + Word.Offset] = 0xffff_ffff;
    assert.throws(() => addon.encodePcapPackets(far, bytes, out, 0, 1000), { name: 'RangeError', message: /packet 1 reaches out/ });
    for (const wrong of [-1, 0.5, NaN, out.length + 1, '0' as unknown as number])
      assert.throws(() => addon.encodePcapPackets(index, bytes, out, wrong, 1000), RangeError);
    for (const wrong of [-1, 2 ** 32, undefined as unknown as number]) {
      assert.throws(() => addon.encodePcapPackets(index, bytes, out, 0, wrong), RangeError);
      assert.throws(() => addon.encodePcapngPackets(index, bytes, out, 0, 1000, wrong, 0), RangeError);
    }
    assert.throws(() => addon.encodePcapngPackets(index, bytes, out, 0, 1000, 0, 2 ** 54), RangeError);
    assert.throws(() => addon.encodePcapPackets(bytes as unknown as Uint32Array, bytes, out, 0, 1000), TypeError);
    assert.throws(() => addon.encodePcapPackets(index, index as unknown as Uint8Array, out, 0, 1000), TypeError);
    assert.throws(() => addon.encodePcapPackets(index, bytes, [] as unknown as Uint8Array, 0, 1000), TypeError);
  });

  it('files are written and read where the addon cannot be loaded, and are the same', () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-encode-'));
    try {
      const script = join(folder, 'files.js');
      writeFileSync(script, WITHOUT_ADDON);
      const said = ['linux', 'darwin'].map((platform) =>
        output(process.execPath, [script, join(root, 'dist'), join(folder, platform), platform]),
      );
      assert.match(said[0]!, /^addon pcap \w+ 3000 \w+ pcapng \w+ 3000 \w+ $/);
      assert.equal(said[1], said[0]!.replace('addon', 'none'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Writes and reads a file of each format, in pieces that are large enough to go round, and says whether that was with the addon. */
const WITHOUT_ADDON = `
const [dist, folder, platform] = process.argv.slice(2);
Object.defineProperty(process, 'platform', { value: platform });
const { createHash } = require('node:crypto');
const { createWriteStream, mkdirSync, readFileSync } = require('node:fs');
const { pipeline } = require('node:stream/promises');
const { PacketBatch, PcapWriter, PcapngWriter, readPcap } = require(dist + '/src/index.js');
const { nativeIfPresent } = require(dist + '/src/native/index.js');
const digest = (parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');
const batches = [0, 1, 2].map((k) =>
  PacketBatch.from(
    Array.from({ length: 1000 }, (_, i) => ({ data: Buffer.alloc(i, k), timestamp: { sec: i, nsec: k }, direction: 'outgoing' })),
    { interface: 'eth0' },
  ),
);
(async () => {
  mkdirSync(folder);
  let said = nativeIfPresent() ? 'addon ' : 'none ';
  for (const [name, Writer] of [['pcap', PcapWriter], ['pcapng', PcapngWriter]]) {
    const path = folder + '/' + name;
    await pipeline(batches, new Writer(), createWriteStream(path));
    const packets = [];
    for await (const batch of readPcap(path)) packets.push(...batch);
    said += [name, digest([readFileSync(path)]), packets.length, digest(packets.map((packet) => packet.data)), ''].join(' ');
  }
  process.stdout.write(said);
})();
`;

describe('the memory of what is encoded', () => {
  const frames = (count: number, mark: number): PacketBatch =>
    PacketBatch.from(Array.from({ length: count }, (_, i) => ({ data: Buffer.alloc(1000, mark + i), timestamp: { sec: mark, nsec: i } })));

  for (const create of [() => new PcapWriter(), () => new PcapngWriter()])
    it(`${create().constructor.name}: pieces that are kept are not written again`, async function () {
      this.timeout(30_000);
      // Twice what is held before pieces no longer go round.
      const kept: Buffer[] = [];
      const digests: string[] = [];
      const keep = new Writable({
        write(chunk: Buffer, _encoding, done) {
          digests.push(digest(chunk));
          // Every other one is forgotten, so that there is memory to use again.
          if (digests.length % 2 === 0) kept.push(chunk);
          else kept.push(Buffer.alloc(0));
          done();
        },
      });
      await pipeline(Readable.from(Array.from({ length: 250 }, (_, k) => frames(1000, k))), create(), keep);
      assert.ok(digests.length >= 250 && new Set(digests).size === digests.length);
      kept.forEach((chunk, k) => chunk.length > 0 && assert.equal(digest(chunk), digests[k]));
    });

  it('stays in bounds when nothing lets the event loop turn', async function () {
    this.timeout(30_000);
    const batch = frames(1000, 0);
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    let highest = 0;
    function* endless(): Generator<PacketBatch> {
      for (let k = 0; k < 1000; k++) {
        if (k % 50 === 0) highest = Math.max(highest, process.memoryUsage().rss);
        yield batch;
      }
    }
    const before = process.memoryUsage().rss;
    await pipeline(Readable.from(endless()), new PcapngWriter(), nowhere);
    assert.ok(highest - before < 160 * 1024 * 1024, `${highest - before} bytes more for a file of a gigabyte`);
  });
});
