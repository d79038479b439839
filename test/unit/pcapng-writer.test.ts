import assert from 'node:assert/strict';
import { PacketBatch } from '../../src/batches/batch';
import type { FrameLike } from '../../src/batches/columns';
import { encodePcapng } from '../../src/pcap/pcapng-writer';
import { readCaptureFile } from '../../src/pcap/file-reader';
import type { PacketDirection } from '../../src/batches/packet';

const frame = (length: number, fill = length): Buffer => Buffer.alloc(length, fill);

/** The blocks of a little-endian file, both lengths checked. */
function blocks(file: Buffer): { type: number; body: Buffer }[] {
  const found = [];
  for (let at = 0; at < file.length;) {
    const length = file.readUInt32LE(at + 4);
    assert.equal(file.readUInt32LE(at + length - 4), length, `the block at byte ${at} ends with its length`);
    assert.equal(length % 4, 0);
    found.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return found;
}

function packetTimes(file: Buffer): bigint[] {
  const packets = blocks(file).filter((block) => block.type === 6);
  return packets.map(({ body }) => (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)));
}

describe('encodePcapng', () => {
  it('writes a section header, an interface, the packets, and counters when they are given', () => {
    const batch = PacketBatch.from([frame(60), frame(61)], { interface: 'eth0' });
    assert.deepEqual(
      blocks(encodePcapng([batch], { statistics: () => ({ received: 5, drops: 3 }) })).map((block) => block.type),
      [0x0a0d0d0a, 1, 6, 6, 5],
    );
    assert.deepEqual(
      blocks(encodePcapng([batch])).map((block) => block.type),
      [0x0a0d0d0a, 1, 6, 6],
    );
  });

  it('is a file without packets when there is no batch or only an empty one', () => {
    assert.deepEqual(readCaptureFile(encodePcapng([])), { batches: [] });
    assert.deepEqual(readCaptureFile(encodePcapng([], { statistics: () => ({ received: 1, drops: 0 }) })), { batches: [] });
    assert.deepEqual(readCaptureFile(encodePcapng([PacketBatch.from([])])), { batches: [] });
  });

  it('fills every length up to 32 bits with zeroes', () => {
    // Memory that is not zeroed beforehand would show here.
    Buffer.allocUnsafe(4096).fill(0xee);
    for (const { body, length } of [0, 1, 2, 3, 4, 5, 14, 63, 64, 65].map((length) => ({
      length,
      body: blocks(encodePcapng([PacketBatch.from([frame(length, 0xaa)])]))[2]!.body,
    }))) {
      assert.equal(body.readUInt32LE(12), length);
      assert.deepEqual(body.subarray(20, 20 + length), frame(length, 0xaa));
      assert.deepEqual(body.subarray(20 + length, body.length - 12), Buffer.alloc(-length & 3), `padding after ${length} bytes`);
    }
  });

  it('keeps nanoseconds exact over the whole range of 32-bit seconds', () => {
    const seconds = [0, 1, 4, 5, 65_535, 65_536, 65_537, 1_700_000_000, 1_700_000_000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    const times = seconds.flatMap((sec) => [0, 1, 294_967_295, 294_967_296, 999_999_999].map((nsec) => ({ sec, nsec })));
    const file = encodePcapng([PacketBatch.from(times.map((timestamp) => ({ data: frame(14), timestamp })))]);
    assert.deepEqual(
      packetTimes(file),
      times.map(({ sec, nsec }) => BigInt(sec) * 1_000_000_000n + BigInt(nsec)),
    );
  });

  it('describes each interface once, in the order of appearance', () => {
    const of = (name: string, linkType = 1): PacketBatch => PacketBatch.from([frame(20)], { interface: name, linkType });
    const file = blocks(encodePcapng([of('b'), of('a'), of('b'), of(''), of('b', 65534), of('lo', 772), of('lo')]));
    const interfaces = file.filter((block) => block.type === 1);
    const name = (body: Buffer): string => (body.readUInt16LE(8) === 2 ? body.toString('latin1', 12, 12 + body.readUInt16LE(10)) : '');
    assert.deepEqual(
      interfaces.map(({ body }) => [name(body), body.readUInt16LE(0)]),
      [
        ['b', 1],
        ['a', 1],
        ['', 1],
        ['b', 101],
        ['lo', 1],
      ],
    );
    assert.deepEqual(
      file.filter((block) => block.type === 6).map(({ body }) => body.readUInt32LE(0)),
      [0, 1, 0, 2, 3, 4, 4],
    );
  });

  it('writes LINKTYPEs for ARPHRDs, a private one for those that have none', () => {
    const linkTypes = [1, 772, 65534, 801, 803, 512, 0x10000 + 113].map((linkType) => {
      const file = blocks(encodePcapng([PacketBatch.from([frame(20)], { linkType })]));
      return file[1]!.body.readUInt16LE(0);
    });
    assert.deepEqual(linkTypes, [1, 1, 101, 105, 127, 147, 113]);
  });

  it('refuses counters that are no counts, and texts that are too long', () => {
    const a = PacketBatch.from([frame(20)], { interface: 'a' });
    for (const received of [-1, 0.5, NaN, 2 ** 53])
      assert.throws(() => encodePcapng([a], { statistics: () => ({ received, drops: 0 }) }), {
        name: 'RangeError',
        message: `statistics.received is ${received}: not a count`,
      });
    assert.throws(() => encodePcapng([a], { application: 'x'.repeat(70_000) }), RangeError);
  });

  it('survives the way back: bytes, lengths, times, directions, interfaces, link types', () => {
    const directions: PacketDirection[] = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing', 'unknown'];
    const frames: FrameLike[] = Array.from({ length: 2500 }, (_, i) => ({
      data: frame(14 + (i % 90), i),
      originalLength: 14 + (i % 90) + (i % 3) * 1000,
      timestamp: { sec: 1_700_000_000 + i, nsec: (i * 7_919_777) % 1_000_000_000 },
      direction: directions[i % directions.length]!,
    }));
    const sent = [
      PacketBatch.from(frames, { interface: 'eth0' }),
      PacketBatch.from(frames.slice(0, 3), { interface: 'wlan0', linkType: 803 }),
    ];
    const { batches, error } = readCaptureFile(encodePcapng(sent));
    assert.equal(error, undefined);
    assert.deepEqual(
      batches.map((batch) => [batch.interface, batch.linkType, batch.length, batch.seqNum]),
      [
        ['eth0', 1, 1024, 0],
        ['eth0', 1, 1024, 1],
        ['eth0', 1, 452, 2],
        ['wlan0', 803, 3, 3],
      ],
    );
    const facts = (list: readonly PacketBatch[]): unknown[] =>
      list.flatMap((batch) => Array.from(batch, (p) => [p.data.toString('hex'), p.length, p.originalLength, p.timestamp, p.direction]));
    assert.deepEqual(facts(batches), facts(sent));
  });

  it('holds a selection of a batch, which shares the bytes of the whole', () => {
    const batch = PacketBatch.from([frame(60, 1), frame(61, 2), frame(62, 3)]);
    const [read] = readCaptureFile(encodePcapng([batch.select([2, 0])])).batches;
    assert.deepEqual(
      Array.from(read!, (packet) => packet.data),
      [frame(62, 3), frame(60, 1)],
    );
  });
});
