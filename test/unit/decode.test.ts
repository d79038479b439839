import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { decode, type DecodedPacket, type Layer, PacketBatch, type PacketLayers } from '@netring/node-red';
import { Dice, randomFrame } from './random-frames';

const hex = (...parts: string[]): Buffer => Buffer.from(parts.join('').replace(/ /g, ''), 'hex');

const MACS = '0200000000b0 0200000000a0';
const IPV4 = '45000000 00014000 40060000 c0000201 c0000202';
const IPV6 = '60000000 00000640 fe800000000000000000000000000001 20010db8000000000000000000000002';
const TCP = '04d20050 00000001 00000002 50180100 abcd0000';

/** A frame with the length its IP header should have. */
function sized(type: string, head: string, rest: string, length?: number): Buffer {
  const frame = hex(MACS, type, head, rest);
  frame.writeUInt16BE(length ?? frame.length - 14 - (type === '86dd' ? 40 : 0), 14 + (type === '86dd' ? 4 : 2));
  return frame;
}

const TCP_FRAME = sized('0800', IPV4, `${TCP} 68656c6c6f`);

/** Every layer that is there. */
function layersOf(packet: DecodedPacket): Layer[] {
  const { ethernet, vlans, arp, ipv4, ipv6, tcp, udp, sctp, icmp, icmpv6 } = packet;
  return [ethernet, ...vlans, arp, ipv4, ipv6, tcp, udp, sctp, icmp, icmpv6].filter((layer) => layer !== undefined);
}

describe('decode', () => {
  it('takes a frame apart', () => {
    const { ethernet, vlans, ipv4, ipv6, tcp, udp, payload, ip, truncated } = decode(TCP_FRAME);
    assert.equal(ethernet?.destination, '02:00:00:00:00:b0');
    assert.deepEqual([ipv4?.source, ipv4?.destination, tcp?.sourcePort, tcp?.destinationPort], ['192.0.2.1', '192.0.2.2', 1234, 80]);
    assert.deepEqual([tcp?.psh, tcp?.ack, tcp?.syn, tcp?.flags], [true, true, false, 0x18]);
    assert.equal(payload.toString(), 'hello');
    assert.deepEqual([vlans, ipv6, udp, truncated], [[], undefined, undefined, false]);
    assert.equal(ip, ipv4);
  });

  it('takes bytes, packet objects and packets of batches, each where it lies', () => {
    const batch = PacketBatch.from([Buffer.alloc(60), TCP_FRAME, Buffer.alloc(14)]);
    const expected = decode(TCP_FRAME).toJSON();
    assert.deepEqual(batch.packet(1).decode().toJSON(), expected);
    assert.deepEqual(batch.decodeAt(1).toJSON(), expected);
    assert.deepEqual(decode(batch.packet(1).toOwned()).toJSON(), expected);
    assert.deepEqual(decode(new Uint8Array(TCP_FRAME)).toJSON(), expected);
    assert.equal(batch.decodeAt(1).payload.buffer, batch.bytes.buffer, 'the payload is a view');
    assert.throws(() => batch.decodeAt(3), RangeError);
    for (const wrong of [undefined, null, 'text', {}, { data: [] }, new Uint16Array(4)])
      assert.throws(() => decode(wrong as unknown as Buffer), TypeError);
    assert.throws(() => decode(TCP_FRAME, 'ethernet' as unknown as number), TypeError);
  });

  it('reads lazily: a layer shows what the bytes hold now', () => {
    const frame = Buffer.from(TCP_FRAME);
    const { tcp } = decode(frame);
    frame.writeUInt16BE(443, 36);
    assert.equal(tcp?.destinationPort, 443);
  });

  it('knows link types: loopback is Ethernet, raw IP has none, the others are payload', () => {
    assert.equal(decode(TCP_FRAME, 772).tcp?.destinationPort, 80);
    const raw = decode(TCP_FRAME.subarray(14), 65534);
    assert.deepEqual([raw.ethernet, raw.etherType, raw.ipv4?.offset, raw.payload.toString()], [undefined, 0x0800, 0, 'hello']);
    assert.equal(decode(sized('86dd', IPV6, TCP).subarray(14), 65534).ipv6?.source, 'fe80::1');
    assert.equal(decode(hex('00'), 65534).etherType, 0);
    const foreign = decode(TCP_FRAME, 803);
    assert.deepEqual([foreign.ethernet, foreign.ip, foreign.payloadLength], [undefined, undefined, TCP_FRAME.length]);
  });

  it('has a JSON form with the names of the layers, without BigInt', () => {
    for (const frame of [TCP_FRAME, ...Array.from({ length: 500 }, (_, seed) => randomFrame(new Dice(seed)))]) {
      const packet = decode(frame);
      const json = JSON.parse(JSON.stringify(packet)) as PacketLayers;
      assert.deepEqual(json, packet.toJSON());
      for (const [name, fields] of Object.entries(json) as [keyof PacketLayers, object][])
        if (typeof fields === 'object' && !Array.isArray(fields))
          for (const [field, value] of Object.entries(fields))
            assert.deepEqual((packet[name] as unknown as Record<string, unknown>)[field], value, `${name}.${field}`);
    }
    assert.match(inspect(decode(TCP_FRAME)), /sourcePort: 1234/);
    assert.match(inspect(decode(TCP_FRAME).tcp), /^\{.*sourcePort: 1234/s);
  });

  it('leaves the padding of a short frame out of the payload', () => {
    const frame = Buffer.concat([sized('0800', IPV4.replace('4006', '4011'), '0fa00035 000a0000 6869'), Buffer.alloc(20, 0xee)]);
    assert.equal(decode(frame).payload.toString(), 'hi');
    const arp = Buffer.concat([
      hex(MACS, '0806 0001 0800 06 04 0001', '02000000000a c0000201 000000000000 c0000202'),
      Buffer.alloc(18, 0xee),
    ]);
    assert.equal(decode(arp).payloadLength, 0);
    assert.equal(decode(Buffer.concat([hex(MACS, '0003 424203'), Buffer.alloc(43)])).payloadLength, 3, 'IEEE 802.3 tells its length');
  });

  it('finds transport headers in first fragments only', () => {
    const fragment = (word: string): DecodedPacket => decode(sized('0800', IPV4.replace('4000', word), TCP));
    assert.equal(fragment('2000').tcp?.destinationPort, 80);
    const later = fragment('20b9');
    assert.deepEqual([later.tcp, later.ipv4?.fragmentOffset, later.ipv4?.moreFragments, later.payloadLength], [undefined, 1480, true, 20]);
    const later6 = decode(sized('86dd', IPV6.replace('0640', '2c40'), `06 00 00b8 00000007 ${TCP}`));
    assert.deepEqual([later6.tcp, later6.ipv6?.fragmentOffset, later6.ipv6?.fragmentId, later6.payloadLength], [undefined, 184, 7, 20]);
  });

  it('takes a segment whose length is 0 to be as long as it was captured', () => {
    assert.equal(decode(sized('0800', IPV4, `${TCP} 68656c6c6f`, 0)).payload.toString(), 'hello');
    const jumbo = sized('86dd', IPV6.replace('0640', '0040'), `06 00 c2 04 00000019 ${TCP} 68656c6c6f`, 0);
    assert.equal(decode(jumbo).payload.toString(), 'hello');
  });

  it('says in one line what it is', () => {
    const lines = (...frames: Buffer[]): string[] => frames.map((frame) => String(decode(frame)));
    assert.deepEqual(
      lines(
        TCP_FRAME,
        hex(MACS, '8100 2005 88a8 0fff 88cc 0000'),
        Buffer.alloc(0),
        hex(MACS, '0003 424203'),
        TCP_FRAME.subarray(0, 40),
        hex(MACS, '0800 00'),
      ),
      [
        'IP 192.0.2.1.1234 > 192.0.2.2.80: Flags [P.], seq 1:6, ack 2, win 256, length 5',
        '02:00:00:00:00:a0 > 02:00:00:00:00:b0, vlan 5, vlan 4095, ethertype 0x88cc, length 24',
        ' > , 802.3, length 0 [truncated]',
        '02:00:00:00:00:a0 > 02:00:00:00:00:b0, 802.3, length 17',
        'IP 192.0.2.1.1234 > 192.0.2.2.80: [|tcp] [truncated]',
        'IP [|ip] [truncated]',
      ],
    );
  });

  it('shows a batch by its first packets', () => {
    const batch = PacketBatch.from(Array<Buffer>(12).fill(TCP_FRAME), { interface: 'eth9' });
    const text = String(batch).split('\n');
    assert.equal(text.length, 12);
    assert.equal(text[0], 'PacketBatch eth9 #0: 12 packets, 708 bytes');
    assert.match(text[1]!, /^ {2}\d\d:\d\d:\d\d\.000000 IP 192\.0\.2\.1\.1234 > 192\.0\.2\.2\.80: Flags \[P\.\]/);
    assert.equal(text[11], '  and 2 more');
    assert.deepEqual(batch.toJSON().first.length, 10);
    assert.equal(inspect(batch.packet(0)), String(batch.packet(0)));
  });

  it('makes packet objects with their layers, bytes and all, that may be cloned', () => {
    const [packet] = PacketBatch.from([TCP_FRAME]).toDecoded();
    assert.ok(packet);
    const { tcp, ipv4, payload, data, timestamp, direction } = structuredClone(packet);
    assert.deepEqual([tcp?.destinationPort, ipv4?.ttl, timestamp, direction], [80, 64, { sec: 0, nsec: 0 }, 'host']);
    assert.deepEqual([Buffer.from(payload).toString(), Buffer.from(data)], ['hello', TCP_FRAME]);
    assert.equal(packet.payload.buffer, packet.data.buffer, 'the payload is a view');
    assert.ok(!('udp' in packet) && !('arp' in packet));
  });
});

describe('decode on hostile bytes', () => {
  it('an IPv4 header shorter than 20 bytes, of another version, longer than the packet', () => {
    for (const head of [IPV4.replace('45', '44'), IPV4.replace('45', '40'), IPV4.replace('45', '65')]) {
      const { ipv4, tcp } = decode(sized('0800', head, TCP));
      assert.deepEqual([ipv4?.malformed, tcp], [true, undefined], head);
      assert.equal(ipv4?.toJSON().malformed, true);
    }
    assert.equal(decode(sized('0800', IPV4, TCP, 19)).ipv4?.malformed, true);
    const longer = decode(sized('0800', IPV4.replace('45', '4f'), TCP, 40));
    assert.deepEqual([longer.ipv4?.malformed, longer.tcp], [true, undefined]);
    assert.equal(decode(sized('86dd', IPV6.replace('60', '40'), TCP)).ipv6?.malformed, true);
  });

  it('a packet that says it is longer than what was captured, or shorter', () => {
    const longer = decode(sized('0800', IPV4, TCP, 1500));
    assert.deepEqual([longer.truncated, longer.ipv4?.truncated, longer.tcp?.destinationPort], [true, false, 80]);
    const shorter = decode(sized('0800', IPV4, TCP, 30));
    assert.deepEqual([shorter.truncated, shorter.tcp?.truncated, shorter.tcp?.sourcePort, shorter.tcp?.window], [false, true, 1234, 0]);
    assert.equal(shorter.payloadLength, 0, 'what lies behind the packet is not the header');
    assert.equal(shorter.tcp?.toJSON().truncated, true);
  });

  it('a TCP header shorter than 20 bytes or longer than the segment', () => {
    for (const [word, malformed, truncated] of [
      ['40', true, false],
      ['00', true, false],
      ['f0', false, true],
    ] as const) {
      const { tcp } = decode(sized('0800', IPV4, TCP.replace('5018', `${word}18`)));
      assert.deepEqual([tcp?.malformed, tcp?.truncated, tcp?.options], [malformed, truncated, []], word);
    }
  });

  it('options of length 0 and 1, and longer than their header', () => {
    const tcp = (options: string): unknown => decode(sized('0800', IPV4, `${TCP.replace('5018', '6018')} ${options}`)).tcp?.options;
    for (const options of ['02000000', '02010000', '08ff0000', 'fe050000']) assert.deepEqual(tcp(options), [], options);
    assert.deepEqual(tcp('01030307'), [{ kind: 3, name: 'window-scale', value: 7 }]);
    assert.deepEqual(tcp('fe040102'), [{ kind: 254, name: 'other', data: '0102' }]);
    assert.deepEqual(tcp('05040102'), [{ kind: 5, name: 'other', data: '0102' }], 'no whole block');
    const ipv4 = (options: string): unknown => decode(sized('0800', IPV4.replace('45', '46'), `${options} ${TCP}`)).ipv4?.options;
    for (const options of ['07000000', '07010000', '07ff0000']) assert.deepEqual(ipv4(options), [], options);
    assert.deepEqual(ipv4('94040000'), [{ type: 148, data: '0000' }]);
  });

  it('chains of extension headers without end, and lengths that lie', () => {
    const chain = decode(sized('86dd', IPV6.replace('0640', '0040'), '0000000000000000'.repeat(1000)));
    assert.deepEqual([chain.ipv6?.extensions.length, chain.ipv6?.protocol, chain.tcp], [16, 0, undefined]);
    assert.equal(chain.payloadLength, 8000 - 16 * 8);
    const lies = decode(sized('86dd', IPV6.replace('0640', '0040'), '06ff000000000000'));
    assert.deepEqual([lies.ipv6?.truncated, lies.tcp, lies.payloadLength], [true, undefined, 0]);
    assert.equal(decode(sized('86dd', IPV6.replace('0640', '3b40'), TCP)).payloadLength, 20, 'no next header');
  });

  it('more VLAN tags than anybody nests', () => {
    const tags = decode(hex(MACS, '81000001'.repeat(100), '0800', IPV4));
    assert.deepEqual([tags.vlans.length, tags.etherType, tags.ipv4], [8, 0x8100, undefined]);
    assert.deepEqual(
      tags.vlans.map(({ offset }) => offset),
      Array.from({ length: 8 }, (_, i) => 14 + 4 * i),
    );
  });

  it('UDP lengths that lie', () => {
    const udp = (length: string): DecodedPacket => decode(sized('0800', IPV4.replace('4006', '4011'), `0fa00035 ${length} 0000 6869`));
    assert.deepEqual([udp('0003').udp?.malformed, udp('0000').udp?.malformed, udp('000a').udp?.malformed], [true, false, false]);
    assert.deepEqual([udp('ffff').payloadLength, udp('0009').payloadLength, udp('0000').payloadLength], [2, 1, 2]);
  });

  it('ARP with addresses of 255 bytes', () => {
    const { arp } = decode(hex(MACS, '0806 0001 0800 ff ff 0001', '00'.repeat(100)));
    assert.deepEqual([arp?.truncated, arp?.headerLength, arp?.senderMac, arp?.targetIp], [true, 1028, '', '']);
  });

  it('memory that was given back: everything reads as nothing', () => {
    const slab = new ArrayBuffer(TCP_FRAME.length);
    const frame = Buffer.from(slab);
    TCP_FRAME.copy(frame);
    const packet = decode(frame);
    structuredClone(slab, { transfer: [slab] });
    assert.deepEqual([packet.tcp?.destinationPort, packet.ipv4?.source, packet.payload.length], [0, '0.0.0.0', 0]);
    assert.doesNotThrow(() => JSON.stringify(packet) + String(packet));
  });

  it('every frame cut at every byte', () => {
    const dice = new Dice(11);
    for (let n = 0; n < 300; n++) {
      const frame = randomFrame(dice);
      const whole = decode(frame);
      const end = whole.payloadOffset + whole.payloadLength;
      for (let length = 0; length < frame.length; length++) {
        const packet = decode(frame.subarray(0, length));
        JSON.stringify(packet);
        assert.ok(packet.payloadOffset + packet.payloadLength <= length);
        if (length < end) assert.ok(packet.truncated || whole.ip === undefined, `${frame.toString('hex')} cut at ${length} of ${end}`);
        for (const layer of layersOf(packet)) assert.equal(layer.truncated, layer.offset + Math.max(layer.headerLength, 0) > length);
      }
    }
  });

  it('a million random and mutated frames: no throw, no long work', function () {
    this.timeout(120_000);
    const dice = new Dice(12);
    const noise = dice.bytes(1 << 16);
    let slowest = 0;
    let layers = 0;
    let frame = randomFrame(dice);
    for (let n = 0; n < 1_000_000; n++) {
      if (n % 50 === 0) frame = dice.once(10) ? Buffer.from(noise.subarray(0, dice.below(256))) : randomFrame(dice);
      // What counts are headers: most of the changes go there.
      for (let k = 1 + dice.below(3); k > 0 && frame.length > 0; k--)
        frame[dice.below(Math.min(frame.length, 100))] = noise[dice.below(noise.length)]!;
      const cut = dice.once(4) ? frame.subarray(0, dice.below(frame.length + 1)) : frame;
      const linkType = dice.once(20) ? dice.pick([65534, 772, 801]) : 1;
      const start = performance.now();
      const packet = decode(cut, linkType);
      const json = packet.toJSON();
      if (n % 8 === 0) String(packet);
      slowest = Math.max(slowest, performance.now() - start);
      layers += Number(json.ipv4 !== undefined) + Number(json.tcp !== undefined);
      assert.ok(packet.payloadOffset >= 0 && packet.payloadLength >= 0 && packet.payloadOffset + packet.payloadLength <= cut.length);
      assert.equal(packet.payload.length, packet.payloadLength);
    }
    assert.ok(layers > 100_000, `${layers} layers`);
    // A collection of garbage or another process may take its time: what is bounded is the order of magnitude.
    assert.ok(slowest < 1000, `${slowest} ms for one frame`);
  });
});
