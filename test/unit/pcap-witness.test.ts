/** What tools that are not ours make of our files, and what we make of theirs. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PacketBatch } from '../../src/batches/batch';
import type { PacketDirection } from '../../src/batches/packet';
import { readCaptureFile } from '../../src/pcap/file-reader';
import { encodePcapng } from '../../src/pcap/pcapng-writer';
import { output } from '../support/process';
import { tshark } from '../support/witness';
import {
  arpRequest,
  endOfOptions,
  interfaceName,
  MICROSECONDS,
  NANOSECONDS,
  needTools,
  pcap,
  Section,
  timeResolution,
  type Order,
} from './pcap-files';
import { capinfos, seconds, tcpdumpTimes } from './pcap-tools';

const START = 1_700_000_000;
const DIRECTIONS: readonly PacketDirection[] = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing', 'unknown'];

describe('pcapng files before other tools', () => {
  let folder: string;
  before(function () {
    needTools(this, 'tshark', 'capinfos', 'editcap', 'tcpdump');
    folder = mkdtempSync(join(tmpdir(), 'netring-pcap-'));
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  const keep = (name: string, bytes: Uint8Array): string => {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    return file;
  };

  const frames = Array.from({ length: 60 }, (_, i) => ({
    data: arpRequest(i),
    originalLength: 60 + (i % 4 === 3 ? 40 : 0),
    timestamp: { sec: START + i, nsec: 999_999_990 - i * 16_666_666 },
    direction: DIRECTIONS[i % DIRECTIONS.length]!,
  }));
  const batch = PacketBatch.from(frames, { interface: 'eth0' });
  const times = Array.from(batch, (packet) => seconds(packet.timestampNs));

  it('PC-07 tshark reads what was written, without expert warnings', () => {
    const other = PacketBatch.from(frames.slice(0, 2), { interface: 'wlan1' });
    const file = encodePcapng([batch, other], { application: 'a test' });
    const fields = ['frame.time_epoch', 'frame.interface_name', 'frame.packet_flags_direction', 'frame.packet_flags_reception_type'];
    const seen = tshark(file, [...fields, 'frame.len', 'frame.cap_len', 'arp.dst.proto_ipv4', '_ws.expert']);
    const flags = { host: [1, 1], broadcast: [1, 3], multicast: [1, 2], 'other-host': [1, 4], outgoing: [2, 0], unknown: [0, 0] };
    assert.deepEqual(
      seen.map((packet) => [
        packet['frame.time_epoch']?.[0],
        packet['frame.interface_name']?.[0],
        Number(packet['frame.packet_flags_direction']?.[0]),
        Number(packet['frame.packet_flags_reception_type']?.[0]),
        Number(packet['frame.len']?.[0]),
        Number(packet['frame.cap_len']?.[0]),
        packet['arp.dst.proto_ipv4']?.[0],
        packet['_ws.expert'],
      ]),
      [batch, other].flatMap((sent) =>
        Array.from(sent, (packet, i) => [
          seconds(packet.timestampNs),
          sent.interface,
          ...flags[packet.direction],
          packet.originalLength,
          60,
          `10.1.0.${i}`,
          undefined,
        ]),
      ),
    );
  });

  it('capinfos agrees on packets, bytes and times; tcpdump on every time', () => {
    const file = keep('ours.pcapng', encodePcapng([batch]));
    assert.deepEqual(capinfos(file), { packets: 60, bytes: batch.originalByteLength, first: times[0], last: times.at(-1) });
    assert.deepEqual(tcpdumpTimes(file), times);
  });

  it('capinfos names application, interface and resolution, and there are no packets without packets', () => {
    const text = output('capinfos', ['-M', keep('named.pcapng', encodePcapng([batch], { application: 'a test' }))]);
    assert.match(text, /Capture application: +a test/);
    assert.match(text, /Name = eth0/);
    assert.match(text, /Time resolution = 0x09/);
    assert.match(text, /Number of stat entries = 0/);
    assert.equal(capinfos(keep('empty.pcapng', encodePcapng([]))).packets, 0);
  });

  it('tshark reads the counters of the interface', () => {
    const file = keep('counted.pcapng', encodePcapng([batch], { statistics: () => ({ received: 2 ** 40 + 5, drops: 77 }) }));
    assert.match(output('capinfos', ['-M', file]), /Number of stat entries = 1/);
    // tshark lists blocks of its own accord only in its two-pass file-format view.
    const [block] = tshark(
      readFileSync(file),
      ['pcapng.options.option.data.interface.received', 'pcapng.options.option.data.interface.dropped'],
      ['-X', 'read_format:MIME Files Format'],
    );
    assert.deepEqual(block, {
      'pcapng.options.option.data.interface.received': [String(2 ** 40 + 5)],
      'pcapng.options.option.data.interface.dropped': ['77'],
    });
  });

  it('files strung together are one file to tshark and to us', () => {
    const file = keep('strung.pcapng', Buffer.concat([encodePcapng([batch]), encodePcapng([batch])]));
    assert.equal(capinfos(file).packets, 120);
    assert.deepEqual(
      readCaptureFile(readFileSync(file)).batches.map((read) => [read.interface, read.length]),
      [['eth0', 120]],
    );
  });

  it('TX-09 reads what editcap makes of a file, in both formats', () => {
    const source = keep('source.pcapng', encodePcapng([batch]));
    for (const [format, unit] of [
      ['pcapng', 1n],
      ['nsecpcap', 1n],
      ['pcap', 1000n],
    ] as const) {
      const file = join(folder, `edited.${format}`);
      output('editcap', ['-F', format, source, file]);
      const { batches, error } = readCaptureFile(readFileSync(file));
      assert.equal(error, undefined);
      assert.equal(batches.length, 1);
      assert.deepEqual(
        Array.from(batches[0]!, (packet) => [packet.data, packet.originalLength, packet.timestampNs]),
        Array.from(batch, (packet) => [packet.data, packet.originalLength, (packet.timestampNs / unit) * unit]),
        format,
      );
      if (format !== 'pcapng') continue;
      assert.equal(batches[0]!.interface, 'eth0');
      assert.deepEqual(
        Array.from(batches[0]!, (packet) => packet.direction),
        frames.map((frame) => frame.direction),
      );
    }
  });

  it('reads truncated and cut-up frames as editcap leaves them', () => {
    const source = keep('source.pcapng', encodePcapng([batch]));
    const file = join(folder, 'snapped.pcapng');
    output('editcap', ['-s', '42', source, file]);
    const [read] = readCaptureFile(readFileSync(file)).batches;
    assert.deepEqual(
      Array.from(read!, (packet) => [packet.length, packet.originalLength]),
      frames.map((frame) => [42, frame.originalLength]),
    );
  });

  for (const order of ['le', 'be'] as const satisfies Order[]) {
    const stamps = [1, 2, 3].map((i) => ({ sec: START + i, nsec: 123_456_000 + i * 1000 }));
    const nanoseconds = stamps.map(({ sec, nsec }) => BigInt(sec) * 1_000_000_000n + BigInt(nsec));
    const s = new Section(order);
    const variants: readonly [string, Buffer][] = [
      [
        'us.pcap',
        pcap(
          stamps.map(({ sec, nsec }, i) => ({ data: arpRequest(i), sec, fraction: nsec / 1000 })),
          { order, magic: MICROSECONDS },
        ),
      ],
      [
        'ns.pcap',
        pcap(
          stamps.map(({ sec, nsec }, i) => ({ data: arpRequest(i), sec, fraction: nsec })),
          { order, magic: NANOSECONDS },
        ),
      ],
      [
        'ng.pcapng',
        Buffer.concat([
          s.header(),
          s.interface([interfaceName('eth0'), timeResolution(9), endOfOptions], { snapLen: 262_144 }),
          ...nanoseconds.map((time, i) => s.enhanced(arpRequest(i), { time })),
        ]),
      ],
    ];
    for (const [name, bytes] of variants)
      it(`agrees with tcpdump and capinfos about ${order === 'le' ? 'little' : 'big'}-endian ${name}`, () => {
        const file = keep(`${order}-${name}`, bytes);
        const { batches, error } = readCaptureFile(bytes);
        assert.equal(error, undefined);
        const read = Array.from(batches[0]!, (packet) => seconds(packet.timestampNs));
        assert.deepEqual(read, nanoseconds.map(seconds));
        assert.deepEqual(tcpdumpTimes(file), read);
        assert.equal(capinfos(file).packets, 3);
        assert.equal(capinfos(file).bytes, batches[0]!.originalByteLength);
      });
  }

  it('tcpdump refuses the files that we refuse', () => {
    const wrong = [
      pcap([], { version: [2, 5] }),
      pcap([], { link: 0x0030_0001 }),
      new Section().header([], [1, 1]),
      Buffer.from('no capture file'),
    ];
    wrong.forEach((bytes, i) => {
      assert.equal(readCaptureFile(bytes).error?.code, 'ERR_INVALID_FILE');
      assert.throws(() => output('tcpdump', ['-r', keep(`wrong-${i}`, bytes), '-Z', 'root']));
    });
  });

  it('a million packets go there and back', function () {
    this.timeout(60_000);
    const many = Array.from({ length: 1000 }, (_, i) =>
      PacketBatch.from(Array.from({ length: 1000 }, (__, k) => arpRequest((i + k) % 65536))),
    );
    const file = encodePcapng(many);
    assert.equal(capinfos(keep('large.pcapng', file)).packets, 1_000_000);
    const { batches, error } = readCaptureFile(file);
    assert.equal(error, undefined);
    assert.equal(
      batches.reduce((sum, read) => sum + read.length, 0),
      1_000_000,
    );
    assert.deepEqual(batches.at(-1)!.dataAt(batches.at(-1)!.length - 1), arpRequest((999 + 999) % 65536));
  });
});
