/** Capture files that are cut, wrong, or made to do harm. PC-01 to PC-05 after the negative files of libpcap, built here by hand. */
import assert from 'node:assert/strict';
import { NetringError } from '../../src/errors/errors';
import { readCaptureFile, type CaptureFile } from '../../src/pcap/file-reader';
import {
  arpRequest,
  endOfOptions,
  interfaceName,
  NANOSECONDS,
  option,
  pcap,
  random,
  raw,
  Section,
  timeResolution,
  u16,
  u32,
  words,
  type Order,
} from './pcap-files';

const records = [1, 2, 3].map((i) => ({ data: arpRequest(i).subarray(0, 57 + i), sec: i, fraction: i }));

function pcapng(order: Order): { file: Buffer; ends: number[] } {
  const s = new Section(order);
  const blocks = [
    s.header([option(4, raw('x'), 1), endOfOptions]),
    s.interface([interfaceName('eth0'), timeResolution(9), endOfOptions]),
    ...[1, 2, 3].map((i) => s.enhanced(arpRequest(i), { time: BigInt(i) })),
    s.block(5, [u32(0), u32(0), u32(0)]),
  ];
  let end = 0;
  return { file: Buffer.concat(blocks), ends: blocks.map((block) => (end += block.length)) };
}

const count = ({ batches }: CaptureFile): number => batches.reduce((sum, batch) => sum + batch.length, 0);

function refused(file: Uint8Array, offset: number, what: RegExp, packets = 0): void {
  const result = readCaptureFile(file);
  assert.ok(result.error instanceof NetringError, 'there is an error');
  assert.equal(result.error.kind, 'Io');
  assert.equal(result.error.code, 'ERR_INVALID_FILE');
  assert.match(result.error.message, new RegExp(`^invalid capture file at byte ${offset}: `));
  assert.match(result.error.message, what);
  assert.equal(count(result), packets);
}

/** Everything a batch offers lies within the file. */
function touchEverything(file: Uint8Array): CaptureFile {
  const result = readCaptureFile(file);
  let captured = 0;
  for (const batch of result.batches)
    for (let i = 0; i < batch.length; i++) {
      assert.equal(batch.dataAt(i).length, batch.lengthAt(i), 'a packet lies within the bytes of its batch');
      assert.ok(batch.originalLengthAt(i) >= batch.lengthAt(i));
      assert.ok(batch.timestampAt(i).nsec < 1_000_000_000);
      captured += batch.lengthAt(i);
    }
  assert.ok(captured <= file.length, 'packets do not overlap');
  if (result.error) assert.match(result.error.code, /^ERR_(TRUNCATED|INVALID)_FILE$/);
  return result;
}

describe('readCaptureFile: files cut short', () => {
  const cases: readonly [string, Buffer, number[]][] = [
    [
      'pcap',
      pcap(records),
      [24, ...records.map((_, i) => 24 + records.slice(0, i + 1).reduce((sum, { data }) => sum + 16 + data.length, 0))],
    ],
    ['little-endian pcapng', pcapng('le').file, pcapng('le').ends],
    ['big-endian pcapng', pcapng('be').file, pcapng('be').ends],
  ];
  for (const [name, file, ends] of cases)
    it(`returns what stands before the cut, at every byte of a ${name} file`, () => {
      const headers = name === 'pcap' ? 1 : 2;
      for (let cut = 0; cut <= file.length; cut++) {
        const { batches, error } = touchEverything(file.subarray(0, cut));
        const whole = ends.filter((end) => end <= cut).length;
        const packets = batches.flatMap((batch) => Array.from(batch, (packet) => packet.data[41]));
        assert.deepEqual(packets, [1, 2, 3].slice(0, Math.max(whole - headers, 0)), `cut at ${cut}`);
        if (ends.includes(cut)) {
          assert.equal(error, undefined, `cut at ${cut}, between two blocks`);
          continue;
        }
        assert.equal(error?.code, 'ERR_TRUNCATED_FILE', `cut at ${cut}`);
        const start = whole === 0 ? 0 : ends[whole - 1]!;
        assert.match(error.message, new RegExp(`^truncated capture file at byte ${start}: .* needs \\d+ bytes, ${cut - start} are there$`));
      }
    });
});

describe('readCaptureFile: files that are wrong', () => {
  it('PC-01 refuses unknown versions of pcap', () => {
    for (const version of [
      [1, 4],
      [2, 5],
      [2, 3],
      [0, 0],
    ] as [number, number][])
      refused(pcap(records, { version }), 4, new RegExp(`pcap version ${version.join('\\.')} is not supported`));
  });

  it('PC-02 refuses unknown versions of pcapng', () => {
    for (const version of [
      [0, 1],
      [1, 1],
      [2, 0],
    ] as [number, number][])
      refused(new Section('be').header([], version), 12, new RegExp(`pcapng version ${version.join('\\.')} is not supported`));
    assert.equal(readCaptureFile(new Section().header([], [1, 2])).error, undefined, '1.2 is 1.0 under another name');
  });

  it('PC-03 refuses an option of the section header that runs past its block', () => {
    const s = new Section();
    refused(s.header([u16(4), u16(64), raw('sixteen are here')]), 24, /option 4 claims 64 bytes, its block has \d+ left/);
  });

  it('PC-04 refuses reserved bits in the link-type word', () => {
    for (const bit of [16, 20, 25]) refused(pcap(records, { link: 1 + 2 ** bit }), 20, /reserved bits of the link type/);
  });

  it('PC-05 refuses what is no capture file', () => {
    for (const text of ['GET / HTTP/1.1', '\0\0\0\0', '\x1f\x8b\x08\x00 gzip'])
      refused(Buffer.from(text, 'latin1'), 0, /neither that of pcap nor of pcapng/);
    for (const [first, hint] of [
      ['\x1f\x8b\x08\x00', /createGunzip/],
      ['\x28\xb5\x2f\xfd', /zstd -d/],
      ['nope', /editcap/],
    ] as const)
      assert.match((readCaptureFile(Buffer.from(first, 'latin1')).error as NetringError).hint, hint);
    refused(words('le', [u32(0x0a0d0d0a), u32(28), u32(0x12345678), u32(0)]), 8, /byte-order magic 0x78563412/);
  });

  it('refuses block lengths that are none, too long, or do not agree', () => {
    const { file, ends } = pcapng('le');
    const at = ends[2]!;
    const withLength = (length: number, where = at + 4): Buffer => {
      const copy = Buffer.from(file);
      copy.writeUInt32LE(length, where);
      return copy;
    };
    for (const length of [0, 8, 11, 13, 103]) refused(withLength(length), at + 4, /no length of a block/, 1);
    for (const length of [2 ** 24 + 4, 0xffff_fffc]) refused(withLength(length), at + 4, /the limit is 16777216/, 1);
    refused(withLength(200, ends[3]! - 4), ends[3]! - 4, /a block of 92 bytes ends with the length 200/, 1);
    assert.equal(readCaptureFile(withLength(2 ** 24)).error?.code, 'ERR_TRUNCATED_FILE');
  });

  it('refuses packets that do not fit their block or name no interface', () => {
    const s = new Section();
    const start = Buffer.concat([s.header(), s.interface(), s.enhanced(arpRequest(1))]);
    const bad = (block: Buffer, what: RegExp): void =>
      refused(Buffer.concat([start, block, s.enhanced(arpRequest(2))]), start.length + 8, what, 1);
    bad(s.enhanced(arpRequest(2), { captured: 61 }), /claims 61 captured bytes, its block has room for 60/);
    bad(s.enhanced(arpRequest(2), { captured: 0xffff_ffff }), /claims 4294967295 captured bytes/);
    bad(s.simple(arpRequest(2), 64), /claims 64 captured bytes/);
    bad(s.enhanced(arpRequest(2), { id: 1 }), /names interface 1, the section has described 1/);
    bad(s.obsolete(arpRequest(2), { id: 7 }), /names interface 7/);
    bad(s.block(6, [u32(0), u32(0)]), /a packet block has 8 bytes, it needs 20/);
    bad(s.block(3, []), /a simple packet block has 0 bytes, it needs 4/);
    bad(s.block(1, [u32(1)]), /an interface description has 4 bytes, it needs 8/);
    refused(Buffer.concat([s.header(), s.simple(arpRequest(1))]), 36, /names interface 0, the section has described 0/);
    refused(
      Buffer.concat([start, new Section('be').header(), new Section('be').enhanced(arpRequest(1))]),
      start.length + 36,
      /names interface 0/,
      1,
    );
  });

  it('refuses options of a wrong length', () => {
    const s = new Section();
    const withOption = (code: number, length: number): Buffer =>
      Buffer.concat([s.header(), s.interface([option(code, raw(Buffer.alloc(length)), length), endOfOptions]), s.enhanced(arpRequest(1))]);
    refused(withOption(9, 4), 44, /option 9 has 4 bytes, it needs 1/);
    refused(withOption(13, 2), 44, /option 13 has 2 bytes, it needs 1/);
    refused(withOption(14, 4), 44, /option 14 has 4 bytes, it needs 8/);
    assert.equal(count(readCaptureFile(withOption(0x8001, 31))), 1, 'unknown options are skipped');
  });

  it('refuses a pcap record longer than any packet', () => {
    const file = pcap(records);
    file.writeUInt32LE(2 ** 24 + 1, 24 + 8);
    refused(file, 24, /a record claims 16777217 captured bytes, the limit is 16777216/);
  });
});

describe('readCaptureFile: files made to do harm', () => {
  it('takes no memory for what a file only claims', () => {
    const claims = [pcap(records), pcapng('le').file];
    claims[0]!.writeUInt32LE(2 ** 24, 24 + 8);
    claims[1]!.writeUInt32LE(2 ** 24, 4);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) for (const file of claims) assert.equal(readCaptureFile(file).error?.code, 'ERR_TRUNCATED_FILE');
    assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
  });

  it('bounds the interfaces of a section', () => {
    const s = new Section();
    const many = (number: number): Buffer =>
      Buffer.concat([s.header(), ...Array<Buffer>(number).fill(s.interface()), s.enhanced(arpRequest(1))]);
    assert.equal(count(readCaptureFile(many(65_536))), 1);
    refused(many(65_537), 28 + 65_536 * 20, /more than 65536 interfaces/);
  });

  it('bounds the names of a section, and counts anew in the next', () => {
    const s = new Section();
    const named = (number: number, name: string): Buffer =>
      Buffer.concat(Array<Buffer>(number).fill(s.interface([interfaceName(name), endOfOptions])));
    const packet = s.enhanced(arpRequest(1));
    const most = Buffer.concat([s.header(), named(4096, 'n'.repeat(300)), packet]);
    assert.equal(count(readCaptureFile(Buffer.concat([most, most]))), 2);
    refused(Buffer.concat([most, named(1, 'n'), packet]), most.length, /names of a section's interfaces have more than 1048576 bytes/, 1);
    // What the kernel calls its interfaces.
    assert.equal(count(readCaptureFile(Buffer.concat([s.header(), named(65_536, 'n'.repeat(15)), packet]))), 1);
  });

  it('reads millions of empty blocks and empty packets', () => {
    const s = new Section();
    const blocks = Buffer.concat([s.header(), ...Array<Buffer>(1_000_000).fill(s.block(0x7777, []))]);
    assert.deepEqual(readCaptureFile(blocks), { batches: [] });
    const packets = Buffer.concat([s.header(), s.interface(), ...Array<Buffer>(500_000).fill(s.enhanced(Buffer.alloc(0)))]);
    assert.equal(count(readCaptureFile(packets)), 500_000);
  });

  it('stays within the bytes, whatever is changed in a good file', function () {
    this.timeout(20_000);
    const next = random(0x6e657472);
    const files = [pcap(records), pcap(records, { order: 'be', magic: NANOSECONDS }), pcapng('le').file, pcapng('be').file];
    const temptations = [0, 1, 4, 12, 0x7f, 0x80, 0xff];
    let packets = 0;
    let errors = 0;
    for (let round = 0; round < 20_000; round++) {
      const copy = Buffer.from(files[round % files.length]!);
      for (let changes = 1 + (next() % 6); changes > 0; changes--) {
        const at = 4 + (next() % (copy.length - 4));
        copy[at] = next() % 2 === 0 ? temptations[next() % temptations.length]! : next() & 0xff;
      }
      const result = touchEverything(copy.subarray(0, next() % 8 === 0 ? next() % copy.length : copy.length));
      packets += count(result);
      errors += result.error === undefined ? 0 : 1;
    }
    assert.ok(packets > 10_000 && errors > 5000, `the changes reach both ways out: ${packets} packets, ${errors} errors`);
  });

  it('stays within the bytes of noise behind a good beginning', function () {
    this.timeout(20_000);
    const next = random(42);
    const beginnings = [Buffer.alloc(0), pcap([]), pcap([], { order: 'be' }), pcapng('le').file, pcapng('be').file];
    for (let round = 0; round < 5000; round++) {
      const noise = Buffer.from(Array.from({ length: next() % 300 }, () => (next() % 3 === 0 ? next() & 0xff : 0)));
      touchEverything(Buffer.concat([beginnings[round % beginnings.length]!, noise]));
    }
  });
});
