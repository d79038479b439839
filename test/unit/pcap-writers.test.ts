/** PcapWriter and PcapngWriter before tools that are not ours. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, type Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { PacketBatch, PcapngWriter, PcapWriter, readPcap, type CaptureFileInput, type InterfaceCounters } from '@netring/node-red';
import type { PacketDirection } from '../../src/batches/packet';
import { output } from '../support/process';
import { tshark } from '../support/witness';
import { arpRequest, needTools } from './pcap-files';
import { borrowed } from './pcap-requests';
import { capinfos, digest, seconds, tcpdumpCopy } from './pcap-tools';

const START = 1_700_000_000;
const DIRECTIONS: readonly PacketDirection[] = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing', 'unknown'];

/** ARP requests `first` up to `end`, which no analyser finds fault with. */
function requests(first: number, end: number, origin = { interface: 'eth0', linkType: 1 }): PacketBatch {
  const frames = Array.from({ length: end - first }, (_, k) => {
    const i = first + k;
    return {
      data: arpRequest(i),
      originalLength: 60 + (i % 4 === 3 ? 40 : 0),
      timestamp: { sec: START + i, nsec: (i * 123_456_789) % 1_000_000_000 },
      direction: DIRECTIONS[i % DIRECTIONS.length]!,
    };
  });
  return PacketBatch.from(frames, origin);
}

/** What comes out of a writer for these inputs. */
async function written(writer: Duplex, inputs: readonly CaptureFileInput[]): Promise<Buffer> {
  const file = buffer(writer);
  await pipeline(Readable.from(inputs, { objectMode: true }), writer);
  return file;
}

async function packetsOf(file: Uint8Array): Promise<[string, string, bigint][]> {
  const list: [string, string, bigint][] = [];
  for await (const batch of readPcap(file))
    for (const packet of batch) list.push([batch.interface, digest(packet.data), packet.timestampNs]);
  return list;
}

describe('PcapWriter and PcapngWriter', () => {
  let folder: string;
  before(function () {
    needTools(this, 'tshark', 'capinfos', 'editcap', 'tcpdump');
    folder = mkdtempSync(join(tmpdir(), 'netring-writers-'));
  });
  after(() => folder && rmSync(folder, { recursive: true }));
  const keep = (name: string, bytes: Uint8Array): string => {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    return file;
  };

  const batches = [requests(0, 40), requests(40, 41), requests(41, 100)];
  const sent = batches.flatMap((batch) => Array.from(batch));
  const times = sent.map((packet) => seconds(packet.timestampNs));

  for (const [name, make] of [
    ['pcap', () => new PcapWriter()],
    ['pcapng', () => new PcapngWriter()],
  ] as const) {
    it(`${name}: capinfos and tcpdump agree on packets, bytes and nanoseconds`, async () => {
      const writer = make();
      const file = await written(writer, batches);
      assert.equal(writer.packets, 100);
      assert.equal(writer.bytes, file.length);
      const path = keep(`ours.${name}`, file);
      const bytes = sent.reduce((sum, { originalLength }) => sum + originalLength, 0);
      assert.deepEqual(capinfos(path), { packets: 100, bytes, first: times[0], last: times.at(-1) });
      assert.deepEqual(
        tcpdumpCopy(path),
        sent.map((packet) => ({ data: digest(packet.data), originalLength: packet.originalLength, time: packet.timestampNs })),
      );
    });

    it(`${name}: packet objects, alone and in arrays, are written as batches are`, async () => {
      const objects = batches.flatMap((batch) => batch.toArray());
      const file = await written(make(), [objects[0]!, objects.slice(1, 50), ...objects.slice(50)]);
      const named = await packetsOf(await written(make(), batches));
      assert.deepEqual(
        await packetsOf(file),
        named.map(([, ...packet]) => ['', ...packet]),
      );
    });

    it(`${name}: a file without packets is one too`, async () => {
      for (const inputs of [[], [requests(0, 0)]]) {
        const file = await written(make(), inputs);
        assert.equal(capinfos(keep(`empty.${name}`, file)).packets, 0);
        assert.deepEqual(await packetsOf(file), []);
      }
    });

    it(`${name}: snapLen cuts the bytes and keeps the original length`, async () => {
      const writer = name === 'pcap' ? new PcapWriter({ snapLen: 42 }) : new PcapngWriter({ snapLen: 42 });
      const path = keep(`short.${name}`, await written(writer, batches));
      assert.match(output('capinfos', ['-M', '-l', '-I', path]), /Packet size limit: +file hdr: 42 bytes|Capture length = 42/);
      assert.deepEqual(
        tcpdumpCopy(path).map((packet) => [packet.data, packet.originalLength]),
        sent.map((packet) => [digest(packet.data.subarray(0, 42)), packet.originalLength]),
      );
    });

    it(`${name}: editcap turns it into every format and back, and nothing changes`, async () => {
      const source = keep(`source.${name}`, await written(make(), batches));
      for (const [format, unit] of [
        ['pcapng', 1n],
        ['nsecpcap', 1n],
        ['pcap', 1000n],
        ['modpcap', 1000n],
      ] as const) {
        const there = join(folder, `there.${format}`);
        const back = join(folder, `back.${format}`);
        output('editcap', ['-F', format, source, there]);
        await pipeline(readPcap(there), make(), createWriteStream(back));
        assert.deepEqual(
          (await packetsOf(readFileSync(back))).map(([, ...packet]) => packet),
          sent.map((packet) => [digest(packet.data), (packet.timestampNs / unit) * unit]),
          format,
        );
        assert.equal(capinfos(back).packets, 100);
      }
    });

    it(`${name}: fails on what is no packet, and on nothing that came before`, async () => {
      for (const wrong of [arpRequest(1), [arpRequest(1)], 'text', 7, {}, [null]] as unknown[]) {
        const writer = make();
        const chunks: Buffer[] = [];
        writer.on('data', (chunk: Buffer) => chunks.push(chunk));
        await assert.rejects(pipeline(Readable.from([batches[0], wrong], { objectMode: true }), writer), TypeError);
        assert.equal((await packetsOf(Buffer.concat(chunks))).length, 40);
      }
    });

    it(`${name}: a borrowed batch may be released when write() returns, however long it waits`, async () => {
      const writer = make();
      const list = [requests(0, 1), requests(1, 30), requests(30, 60), requests(60, 61)];
      for (const batch of list) {
        const view = borrowed(batch);
        writer.write(view);
        view.release();
      }
      writer.end();
      const read = await packetsOf(await buffer(writer));
      assert.deepEqual(
        read.map(([, data]) => data),
        sent.slice(0, 61).map((packet) => digest(packet.data)),
      );
    });

    it(`${name}: and so may one that comes with end(), whatever else is given to it`, async () => {
      const ends: ((writer: PcapWriter | PcapngWriter, last: PacketBatch, done: () => void) => unknown)[] = [
        (writer, last, done) => writer.end(last, done),
        (writer, last, done) => writer.end(last, 'utf8', done),
        (writer, last, done) => writer.on('finish', done).end(last),
        (writer, last, done) => (writer.write(last), writer.end(done)),
      ];
      for (const end of ends) {
        const writer = make();
        // Fills what may wait to be read, so that all that comes after it waits.
        writer.write(PacketBatch.from([Buffer.alloc(1_100_000)], { interface: 'eth0' }));
        writer.write(requests(0, 30));
        const view = borrowed(requests(30, 61));
        let finished = 0;
        end(writer, view, () => finished++);
        view.release();
        const read = await packetsOf(await buffer(writer));
        assert.deepEqual(
          read.slice(1).map(([, data]) => data),
          sent.slice(0, 61).map((packet) => digest(packet.data)),
        );
        assert.equal(finished, 1);
      }
      const ended = make();
      ended.end();
      const failed = once(ended, 'error');
      ended.end(borrowed(requests(0, 1)));
      assert.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ERR_STREAM_WRITE_AFTER_END');
    });
  }

  it('pcap: a second link type is refused, and one can be asked for', async () => {
    const radio = requests(0, 3, { interface: 'mon0', linkType: 803 });
    await assert.rejects(written(new PcapWriter(), [batches[0]!, radio]), {
      name: 'NetringError',
      kind: 'Config',
      option: 'linkType',
      message: /this one has 1, packets of mon0 have 127/,
    });
    await assert.rejects(written(new PcapWriter({ linkType: 127 }), [batches[0]!]), { kind: 'Config' });
    assert.match(output('capinfos', ['-E', keep('radio.pcap', await written(new PcapWriter(), [radio]))]), /802\.11 plus radiotap/);
    assert.match(
      output('capinfos', ['-E', keep('none.pcap', await written(new PcapWriter({ linkType: 127 }), []))]),
      /802\.11 plus radiotap/,
    );
    for (const linkType of [-1, 65_536, 1.5, NaN])
      assert.throws(() => new PcapWriter({ linkType }), { kind: 'Config', option: 'linkType' });
    for (const snapLen of [-1, 0.5, 2 ** 24 + 1, NaN])
      for (const make of [() => new PcapWriter({ snapLen }), () => new PcapngWriter({ snapLen })])
        assert.throws(make, { kind: 'Config', option: 'snapLen' });
  });

  describe('PC-07 a pcapng stream of several interfaces', () => {
    const counters: Record<string, InterfaceCounters> = { eth0: { received: 0, drops: 5 }, eth1: { received: 0, drops: 0 } };
    let file: Buffer;
    before(async () => {
      const writer = new PcapngWriter({ application: 'a test', comment: 'made by hand', statistics: (name) => counters[name] });
      const of = (name: string, first: number, linkType = 1): PacketBatch => requests(first, first + 10, { interface: name, linkType });
      const all = buffer(writer);
      writer.write(of('eth0', 0));
      writer.write(of('eth1', 10));
      counters['eth0'] = { received: 30, drops: 12 };
      writer.write(of('eth0', 20));
      writer.write(of('eth0', 30));
      writer.writeStatistics();
      writer.write(of('nobody', 40));
      counters['eth0'] = { received: 100, drops: 50 };
      counters['eth1'] = { received: 2 ** 40 + 5, drops: 3 };
      writer.end(of('eth1', 50));
      file = await all;
    });

    it('tshark reads every packet on its interface, with its direction, without expert warnings', () => {
      const fields = ['frame.time_epoch', 'frame.interface_name', 'frame.packet_flags_direction', 'frame.packet_flags_reception_type'];
      const seen = tshark(file, [...fields, 'frame.drop_count', 'arp.dst.proto_ipv4', '_ws.expert']);
      const flags = { host: [1, 1], broadcast: [1, 3], multicast: [1, 2], 'other-host': [1, 4], outgoing: [2, 0], unknown: [0, 0] };
      const names = ['eth0', 'eth1', 'eth0', 'eth0', 'nobody', 'eth1'];
      const lost: Record<number, string> = { 20: '7', 50: '3' };
      assert.deepEqual(
        seen.map((packet) => [
          packet['frame.time_epoch']?.[0],
          packet['frame.interface_name']?.[0],
          Number(packet['frame.packet_flags_direction']?.[0]),
          Number(packet['frame.packet_flags_reception_type']?.[0]),
          packet['frame.drop_count']?.[0],
          packet['arp.dst.proto_ipv4']?.[0],
          packet['_ws.expert'],
        ]),
        sent
          .slice(0, 60)
          .map((packet, i) => [
            seconds(packet.timestampNs),
            names[Math.floor(i / 10)],
            ...flags[packet.direction],
            lost[i],
            `10.1.0.${i}`,
            undefined,
          ]),
      );
    });

    it('capinfos finds the interfaces, their counters, the application and the comment', () => {
      const text = output('capinfos', ['-M', keep('several.pcapng', file)]);
      assert.match(text, /Capture application: +a test/);
      assert.match(text, /Capture comment: +made by hand/);
      assert.match(text, /Number of interfaces in file: 3/);
      assert.deepEqual(
        Array.from(
          text.matchAll(/Name = (\S+)|Time precision = (.*)|Number of stat entries = (\d+)|Number of packets = (\d+)/g),
          ([hit]) => hit,
        ),
        [
          ...['Name = eth0', 'Time precision = nanoseconds (9)', 'Number of stat entries = 2', 'Number of packets = 30'],
          ...['Name = eth1', 'Time precision = nanoseconds (9)', 'Number of stat entries = 2', 'Number of packets = 20'],
          ...['Name = nobody', 'Time precision = nanoseconds (9)', 'Number of stat entries = 0', 'Number of packets = 10'],
        ],
      );
    });

    it('tshark reads the counters, on demand and at the end', () => {
      // tshark lists blocks of its own accord only in its two-pass file-format view.
      const option = 'pcapng.options.option.data.interface';
      const [blocks] = tshark(file, [`${option}.received`, `${option}.dropped`], ['-X', 'read_format:MIME Files Format']);
      assert.deepEqual(blocks, {
        [`${option}.received`]: ['30', '0', '100', String(2 ** 40 + 5)],
        [`${option}.dropped`]: ['12', '0', '50', '3'],
      });
    });

    it('readPcap reads the counters back', async () => {
      const reader = readPcap(file);
      for await (const batch of reader) assert.ok(batch.length > 0);
      assert.deepEqual(reader.interfaces, [
        { name: 'eth0', linkType: 1, snapLen: 0, statistics: { received: 100, drops: 50 } },
        { name: 'eth1', linkType: 1, snapLen: 0, statistics: { received: 2 ** 40 + 5, drops: 3 } },
        { name: 'nobody', linkType: 1, snapLen: 0 },
      ]);
    });
  });

  it('pcapng: fails on counters that are no counts; one that starts anew counts from 0', async () => {
    await assert.rejects(written(new PcapngWriter({ statistics: () => ({ received: 1, drops: NaN }) }), batches), {
      name: 'RangeError',
      message: 'statistics.drops is NaN: not a count',
    });
    const drops = [10, 2, 2];
    let asked = 0;
    const writer = new PcapngWriter({ statistics: () => ({ received: 0, drops: drops[Math.min(asked++, 2)]! }) });
    const seen = tshark(await written(writer, batches), ['frame.drop_count']);
    assert.deepEqual(
      seen.flatMap((packet, i) => (packet['frame.drop_count'] === undefined ? [] : [[i, packet['frame.drop_count'][0]]])),
      [[40, '2']],
    );
    assert.throws(() => new PcapngWriter({ comment: 'x'.repeat(70_000) }), RangeError);
  });

  it('pcapng: link types of several interfaces stand side by side', async () => {
    const radio = requests(0, 2, { interface: 'mon0', linkType: 803 });
    const file = await written(new PcapngWriter(), [batches[1]!, radio, batches[1]!]);
    assert.deepEqual(
      tshark(file, ['frame.interface_name', 'frame.encap_type']).map((packet) => Object.values(packet).flat()),
      [
        ['eth0', '1'],
        ['mon0', '23'],
        ['mon0', '23'],
        ['eth0', '1'],
      ],
    );
  });

  it('back-pressure is real: nobody reads, and the writer takes no more', async () => {
    const large = PacketBatch.from(Array.from({ length: 400 }, () => Buffer.alloc(1500)));
    for (const writer of [new PcapWriter(), new PcapngWriter()]) {
      let taken = 0;
      while (writer.write(large) && taken < 100) {
        taken++;
        await new Promise(setImmediate);
      }
      assert.ok(taken < 10, `${taken} batches of 600 kB wait`);
      writer.destroy();
    }
  });
});
