/** PC-06: captures of our own making, read by us and by tools that are not ours. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPcap, type PacketBatch } from '@netring/node-red';
import { fileLinkType } from '../../src/pcap/link-types';
import { corpusFile, LINK_TYPES, type CorpusFile, type CorpusPacket } from './pcap-corpus';
import { needTools, random } from './pcap-files';
import { capinfosOfAll, digest, seconds, tcpdumpCopy, wiretapCopy, type SeenPacket } from './pcap-tools';

const FILES = 200;

/** What a reader of frames makes of a packet: without its check sequence. */
const expected = ({ data, originalLength, time, direction, interface: name, linkType, fcsLength }: CorpusPacket): object => ({
  data: digest(data.subarray(0, data.length - fcsLength)),
  originalLength: originalLength - fcsLength,
  time,
  direction,
  interface: name,
  linkType,
});

function packetsOf(batches: readonly PacketBatch[]): object[] {
  return batches.flatMap((batch) =>
    Array.from(batch, (packet) => ({
      data: digest(packet.data),
      originalLength: packet.originalLength,
      time: packet.timestampNs,
      direction: packet.direction,
      interface: batch.interface,
      linkType: fileLinkType(batch.linkType),
    })),
  );
}

async function all(batches: AsyncIterable<PacketBatch>): Promise<PacketBatch[]> {
  const list: PacketBatch[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

/** A file in pieces of random lengths, down to single bytes. */
function* pieces(bytes: Buffer, next: () => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const length = next() % 4 === 0 ? 1 + (next() % 40) : 1 + (next() % 5000);
    yield bytes.subarray(at, (at += length));
  }
}

describe('PC-06 two hundred captures', function () {
  this.timeout(120_000);
  let folder: string;
  let files: CorpusFile[];
  const pathOf = (file: CorpusFile): string => join(folder, file.name);
  before(function () {
    needTools(this, 'capinfos', 'editcap', 'tcpdump');
    folder = mkdtempSync(join(tmpdir(), 'netring-corpus-'));
    files = Array.from({ length: FILES }, (_, i) => corpusFile(i));
    for (const file of files) writeFileSync(pathOf(file), file.bytes);
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  it('hold every link type, packets enough, and files that libpcap does not read', () => {
    const types = new Set(files.flatMap(({ packets }) => packets.map(({ linkType }) => linkType)));
    assert.deepEqual(
      [...types].sort((a, b) => a - b),
      [...LINK_TYPES],
    );
    assert.ok(files.reduce((sum, { packets }) => sum + packets.length, 0) > 4000);
    const unread = files.filter((file) => !file.readByLibpcap).length;
    assert.ok(unread > 20 && unread < 80, `${unread}`);
  });

  it('are read as they were made: bytes, lengths, times, directions, interfaces, counters', async () => {
    for (const file of files) {
      const reader = readPcap(pathOf(file));
      assert.deepEqual(packetsOf(await all(reader)), file.packets.map(expected), file.name);
      assert.equal(reader.format, file.name.split('.').at(-1));
      assert.equal(reader.bytes, file.bytes.length);
      assert.equal(reader.packets, file.packets.length);
      assert.deepEqual(
        reader.interfaces.map(({ name, linkType, statistics }) => ({ name, linkType, ...(statistics && { statistics }) })),
        file.interfaces,
        file.name,
      );
    }
  });

  it('are read the same in pieces as they come', async () => {
    const next = random(99);
    for (const file of files) {
      assert.deepEqual(packetsOf(await all(readPcap(pieces(file.bytes, next)))), file.packets.map(expected), file.name);
    }
  });

  it('hold for capinfos what they hold for us: packets, bytes, first and last time', () => {
    const summaries = capinfosOfAll(files.map(pathOf));
    assert.ok(files.filter(({ timed }) => timed).length > 80);
    files.forEach(({ name, packets, timed }, i) => {
      const { packets: count, bytes, first, last } = summaries[i]!;
      assert.equal(count, packets.length, name);
      assert.equal(
        bytes,
        packets.reduce((sum, { originalLength }) => sum + originalLength, 0),
        name,
      );
      const times = packets.map(({ time }) => time).sort((a, b) => (a < b ? -1 : 1));
      if (!timed) return assert.deepEqual([first, last], ['n/a', 'n/a'], name);
      // Told as fine as the first interface has it; tcpdump judges the nanoseconds below.
      assert.ok(seconds(times[0]!).startsWith(first.replace(/0+$/, '')), `${name}: first ${first}`);
      assert.ok(seconds(times.at(-1)!).startsWith(last.replace(/0+$/, '')), `${name}: last ${last}`);
    });
  });

  const seen = ({ data, originalLength, time }: CorpusPacket): SeenPacket => ({ data: digest(data), originalLength, time });

  it('hold for tcpdump what they hold for us, where it reads them: every byte and time', () => {
    for (const file of files)
      if (!file.readByLibpcap) assert.throws(() => tcpdumpCopy(pathOf(file)), file.name);
      else if (!file.swapped) assert.deepEqual(tcpdumpCopy(pathOf(file)), file.packets.map(seen), file.name);
  });

  it('hold for editcap what they hold for us: every byte and time', () => {
    const copied = files.filter((file) => file.copiedByEditcap && !file.swapped);
    assert.ok(copied.length > 100);
    for (const file of copied) assert.deepEqual(wiretapCopy(pathOf(file), join(folder, 'copy')), file.packets.map(seen), file.name);
  });
});
