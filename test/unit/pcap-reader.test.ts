import assert from 'node:assert/strict';
import { readCaptureFile } from '../../src/pcap/file-reader';
import {
  arpRequest,
  endOfOptions,
  interfaceName,
  MICROSECONDS,
  NANOSECONDS,
  option,
  packetFlags,
  pcap,
  raw,
  Section,
  timeOffset,
  timeResolution,
  u8,
  type Field,
  type Order,
} from './pcap-files';

const ORDERS: readonly Order[] = ['le', 'be'];

interface Facts {
  data: string;
  originalLength: number;
  time: bigint;
  direction: string;
}

function facts(file: Uint8Array): Facts[] {
  const { batches, error } = readCaptureFile(file);
  assert.equal(error?.message, undefined);
  return batches.flatMap((batch) =>
    Array.from(batch, (packet) => ({
      data: packet.data.toString('hex'),
      originalLength: packet.originalLength,
      time: packet.timestampNs,
      direction: packet.direction,
    })),
  );
}

describe('readCaptureFile: pcap', () => {
  const frames = [arpRequest(1), arpRequest(2).subarray(0, 33), Buffer.alloc(0)];

  for (const order of ORDERS)
    for (const [magic, unit] of [
      [MICROSECONDS, 1000n],
      [NANOSECONDS, 1n],
    ] as const)
      it(`reads ${order === 'le' ? 'little' : 'big'}-endian files with ${unit === 1n ? 'nanoseconds' : 'microseconds'}`, () => {
        const records = frames.map((data, i) => ({ data, sec: 4_000_000_000 + i, fraction: 999_990 + i, originalLength: 60 }));
        const file = pcap(records, { order, magic });
        assert.deepEqual(
          facts(file),
          records.map(({ data, sec, fraction }) => ({
            data: data.toString('hex'),
            originalLength: 60,
            time: BigInt(sec) * 1_000_000_000n + BigInt(fraction) * unit,
            direction: 'unknown',
          })),
        );
      });

  it('shares the bytes of the file, wherever they begin', () => {
    const file = pcap([{ data: arpRequest(1), sec: 1, fraction: 0 }]);
    for (const shift of [0, 1, 2, 3]) {
      const memory = Buffer.concat([Buffer.alloc(shift), file]);
      const data = readCaptureFile(memory.subarray(shift)).batches[0]!.dataAt(0);
      memory[shift + 24 + 16] = 0x77;
      assert.equal(data[0], 0x77);
    }
  });

  it('carries a fraction that runs past its second over', () => {
    assert.deepEqual(
      facts(pcap([{ data: arpRequest(1), sec: 10, fraction: 4_294_967_295 }])).map((packet) => packet.time),
      [4_304_967_295_000n],
    );
  });

  it('leaves out a check sequence that the link-type word announces', () => {
    // Four bytes of FCS: bit 26 says that the length, 2 units of 16 bits in the upper four bits, is meant.
    const link = 0x2400_0001;
    const whole = Buffer.concat([arpRequest(1), Buffer.of(1, 2, 3, 4)]);
    const read = facts(
      pcap(
        [
          { data: whole, sec: 0, fraction: 0 },
          { data: whole.subarray(0, 62), sec: 0, fraction: 0, originalLength: 64 },
          { data: whole.subarray(0, 40), sec: 0, fraction: 0, originalLength: 64 },
          { data: whole.subarray(0, 3), sec: 0, fraction: 0 },
        ],
        { link },
      ),
    );
    assert.deepEqual(
      read.map((packet) => [packet.data.length / 2, packet.originalLength]),
      [
        [60, 60],
        [60, 60],
        [40, 60],
        [0, 0],
      ],
    );
  });

  it('gives each link type its ARPHRD, and one that is none to the rest', () => {
    const linkTypes = [1, 101, 105, 127, 113, 0].map((link) => {
      const { batches } = readCaptureFile(pcap([{ data: arpRequest(1), sec: 0, fraction: 0 }], { link }));
      return batches[0]!.linkType;
    });
    assert.deepEqual(linkTypes, [1, 65534, 801, 803, 0x10000 + 113, 0x10000]);
  });

  it('takes the protocol from Ethernet frames only', () => {
    const protocolOf = (link: number, data: Buffer): number =>
      readCaptureFile(pcap([{ data, sec: 0, fraction: 0 }], { link })).batches[0]!.protocolAt(0);
    assert.equal(protocolOf(1, arpRequest(1)), 0x0806);
    assert.equal(protocolOf(101, arpRequest(1)), 0);
    assert.equal(protocolOf(1, arpRequest(1).subarray(0, 13)), 0);
  });

  it('makes batches of at most 1024 packets, and of at most a few MiB', () => {
    const small = pcap(Array.from({ length: 2049 }, (_, i) => ({ data: arpRequest(i), sec: i, fraction: 0 })));
    assert.deepEqual(
      readCaptureFile(small).batches.map((batch) => [batch.seqNum, batch.length, batch.tsFirst.sec]),
      [
        [0, 1024, 0],
        [1, 1024, 1024],
        [2, 1, 2048],
      ],
    );
    const large = pcap(Array.from({ length: 40 }, () => ({ data: Buffer.alloc(262_144), sec: 0, fraction: 0 })));
    const { batches } = readCaptureFile(large);
    assert.equal(
      batches.reduce((sum, batch) => sum + batch.length, 0),
      40,
    );
    assert.ok(batches.every((batch) => batch.bytes.length <= 4 * 1024 * 1024));
  });
});

describe('readCaptureFile: pcapng', () => {
  for (const order of ORDERS)
    it(`reads every kind of packet block, ${order === 'le' ? 'little' : 'big'}-endian`, () => {
      const s = new Section(order);
      const file = Buffer.concat([
        s.header([option(4, raw('by hand'), 7), endOfOptions]),
        s.interface([interfaceName('eth0'), timeResolution(9), endOfOptions], { snapLen: 50 }),
        s.block(0x0bad, [raw('unknown, skipped')]),
        s.enhanced(arpRequest(1), { time: 1_700_000_000_123_456_789n, options: [packetFlags(0b01101), endOfOptions] }),
        s.enhanced(arpRequest(2).subarray(0, 41), {
          time: 5n,
          originalLength: 1500,
          options: [option(1, raw('comment'), 7), packetFlags(2)],
        }),
        s.obsolete(arpRequest(3), { time: 1_700_000_000_000_000_001n, options: [packetFlags(0b00101), endOfOptions] }),
        s.simple(arpRequest(4).subarray(0, 50), 60),
      ]);
      assert.deepEqual(facts(file), [
        { data: arpRequest(1).toString('hex'), originalLength: 60, time: 1_700_000_000_123_456_789n, direction: 'broadcast' },
        { data: arpRequest(2).toString('hex', 0, 41), originalLength: 1500, time: 5n, direction: 'outgoing' },
        { data: arpRequest(3).toString('hex'), originalLength: 60, time: 1_700_000_000_000_000_001n, direction: 'host' },
        { data: arpRequest(4).toString('hex', 0, 50), originalLength: 60, time: 0n, direction: 'unknown' },
      ]);
    });

  it('reads sections of different byte orders, with their own interfaces, and joins those of one interface', () => {
    const section = (order: Order, name: string, number: number): Buffer => {
      const s = new Section(order);
      return Buffer.concat([s.header(), s.interface([interfaceName(name), endOfOptions]), s.enhanced(arpRequest(number))]);
    };
    const { batches, error } = readCaptureFile(
      Buffer.concat([section('le', 'a', 1), section('be', 'a', 2), section('be', 'b', 3), section('le', 'a', 4)]),
    );
    assert.equal(error, undefined);
    assert.deepEqual(
      batches.map((batch) => [batch.interface, Array.from(batch, (packet) => packet.data[41])]),
      [
        ['a', [1, 2]],
        ['b', [3]],
        ['a', [4]],
      ],
    );
  });

  it('keeps the order of packets that alternate between interfaces', () => {
    const s = new Section();
    const file = Buffer.concat([
      s.header(),
      s.interface([interfaceName('a')]),
      s.interface([interfaceName('b')]),
      ...[0, 1, 0, 0, 1].map((id, i) => s.enhanced(arpRequest(i), { id })),
    ]);
    assert.deepEqual(
      readCaptureFile(file).batches.map((batch) => [batch.interface, Array.from(batch, (packet) => packet.data[41])]),
      [
        ['a', [0]],
        ['b', [1]],
        ['a', [2, 3]],
        ['b', [4]],
      ],
    );
  });

  const SEC = 1_000_000_000n;
  const clocks: readonly [string, Field[], bigint, bigint][] = [
    ['microseconds when nothing is said', [], 1_700_000_000_123_456n, 1_700_000_000_123_456_000n],
    ['seconds', [timeResolution(0)], 1_700_000_000n, 1_700_000_000n * SEC],
    ['milliseconds', [timeResolution(3)], 1_700_000_000_123n, 1_700_000_000_123_000_000n],
    ['nanoseconds up to the last that 32-bit seconds reach', [timeResolution(9)], 4_294_967_295_999_999_999n, 4_294_967_295_999_999_999n],
    ['picoseconds', [timeResolution(12)], 1_700_000_123_456_789_123n, 1_700_000_123_456_789n],
    ['units of 2^-20 s', [timeResolution(0x94)], (1_700_000_000n << 20n) | 0x80000n, 1_700_000_000_500_000_000n],
    ['units of 2^-32 s', [timeResolution(0xa0)], (1_700_000_000n << 32n) | 1n, 1_700_000_000n * SEC],
    ['units too small for their whole range to last a second', [timeResolution(0xff)], 2n ** 64n - 1n, 0n],
    ['an offset', [timeResolution(9), timeOffset(1_600_000_000n)], 100_000_000_000_000_001n, 1_700_000_000_000_000_001n],
    ['a negative offset', [timeResolution(6), timeOffset(-100n)], 1_700_000_100_000_001n, 1_700_000_000_000_001_000n],
  ];
  for (const [name, options, ticks, expected] of clocks)
    it(`tells time: ${name}`, () => {
      for (const order of ORDERS) {
        const s = new Section(order);
        const file = Buffer.concat([s.header(), s.interface([...options, endOfOptions]), s.enhanced(arpRequest(1), { time: ticks })]);
        assert.equal(facts(file)[0]!.time, expected, order);
      }
    });

  it('pins times outside 1970 to 2106 to the nearest second that a batch can hold', () => {
    const s = new Section();
    const at = (offset: bigint, time: bigint): number => {
      const file = Buffer.concat([s.header(), s.interface([timeOffset(offset), endOfOptions]), s.enhanced(arpRequest(1), { time })]);
      return readCaptureFile(file).batches[0]!.timestampAt(0).sec;
    };
    assert.equal(at(-5n, 1_000_000n), 0);
    assert.equal(at(0n, 2n ** 64n - 1n), 4_294_967_295);
    assert.equal(at(2n ** 63n - 1n, 0n), 4_294_967_295);
    assert.equal(at(-(2n ** 63n), 0n), 0);
  });

  it('leaves out a check sequence that the interface or the packet announces', () => {
    const s = new Section();
    const whole = Buffer.concat([arpRequest(1), Buffer.of(1, 2, 3, 4)]);
    for (const announced of [32, 4]) {
      const file = Buffer.concat([
        s.header(),
        s.interface([option(13, u8(announced), 1), endOfOptions]),
        s.enhanced(whole),
        s.enhanced(whole, { options: [packetFlags(2 << 5), endOfOptions] }),
        s.simple(whole),
      ]);
      assert.deepEqual(
        facts(file).map((packet) => packet.originalLength),
        [60, 62, 60],
      );
    }
  });
});
