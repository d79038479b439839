/** The decoder judged by tshark and by tcpdump, field by field, on structured random frames. */
import assert from 'node:assert/strict';
import { decode, PacketBatch, type DecodedPacket } from '@netring/node-red';
import { output } from '../support/process';
import { pcapFile, tshark } from '../support/witness';
import { needTools } from './pcap-files';
import { Dice, randomFrame } from './random-frames';

type Value = string | number | boolean | undefined;

/** What tshark calls the fields, and where we have them: undefined where the packet has no such layer. */
const FIELDS: Readonly<Record<string, (packet: DecodedPacket) => Value | readonly Value[]>> = {
  'eth.dst': ({ ethernet }) => ethernet?.destination,
  'eth.src': ({ ethernet }) => ethernet?.source,
  'eth.type': ({ ethernet }) => (ethernet!.type >= 1536 ? ethernet?.type : undefined),
  'arp.hw.type': ({ arp }) => arp?.hardwareType,
  'arp.proto.type': ({ arp }) => arp?.protocolType,
  'arp.opcode': ({ arp }) => arp?.operation,
  'arp.src.hw_mac': ({ arp }) => arp?.senderMac,
  'arp.src.proto_ipv4': ({ arp }) => arp?.senderIp,
  'arp.dst.hw_mac': ({ arp }) => arp?.targetMac,
  'arp.dst.proto_ipv4': ({ arp }) => arp?.targetIp,
  'ip.hdr_len': ({ ipv4 }) => ipv4?.headerLength,
  'ip.dsfield.dscp': ({ ipv4 }) => ipv4?.dscp,
  'ip.dsfield.ecn': ({ ipv4 }) => ipv4?.ecn,
  'ip.len': ({ ipv4 }) => ipv4?.totalLength,
  'ip.id': ({ ipv4 }) => ipv4?.id,
  'ip.flags.df': ({ ipv4 }) => ipv4?.dontFragment,
  'ip.flags.mf': ({ ipv4 }) => ipv4?.moreFragments,
  // Both in units of 8 bytes, as the headers have them.
  'ip.frag_offset': ({ ipv4 }) => ipv4 && ipv4.fragmentOffset / 8,
  'ip.ttl': ({ ipv4 }) => ipv4?.ttl,
  'ip.proto': ({ ipv4 }) => ipv4?.protocol,
  'ip.checksum': ({ ipv4 }) => ipv4?.checksum,
  'ip.src': ({ ipv4 }) => ipv4?.source,
  'ip.dst': ({ ipv4 }) => ipv4?.destination,
  'ipv6.tclass.dscp': ({ ipv6 }) => ipv6?.dscp,
  'ipv6.tclass.ecn': ({ ipv6 }) => ipv6?.ecn,
  'ipv6.flow': ({ ipv6 }) => ipv6?.flowLabel,
  'ipv6.plen': ({ ipv6 }) => ipv6?.payloadLength,
  'ipv6.nxt': ({ ipv6 }) => ipv6?.nextHeader,
  'ipv6.hlim': ({ ipv6 }) => ipv6?.hopLimit,
  'ipv6.src': ({ ipv6 }) => ipv6?.source,
  'ipv6.dst': ({ ipv6 }) => ipv6?.destination,
  'ipv6.fraghdr.offset': (packet) => fragment(packet, packet.ipv6 && packet.ipv6.fragmentOffset / 8),
  'ipv6.fraghdr.more': (packet) => fragment(packet, packet.ipv6?.moreFragments),
  'ipv6.fraghdr.ident': (packet) => fragment(packet, packet.ipv6?.fragmentId),
  'tcp.srcport': ({ tcp }) => tcp?.sourcePort,
  'tcp.dstport': ({ tcp }) => tcp?.destinationPort,
  'tcp.seq_raw': ({ tcp }) => tcp?.sequence,
  'tcp.ack_raw': ({ tcp }) => tcp?.acknowledgment,
  'tcp.hdr_len': ({ tcp }) => tcp?.headerLength,
  'tcp.flags.fin': ({ tcp }) => tcp?.fin,
  'tcp.flags.syn': ({ tcp }) => tcp?.syn,
  'tcp.flags.reset': ({ tcp }) => tcp?.rst,
  'tcp.flags.push': ({ tcp }) => tcp?.psh,
  'tcp.flags.ack': ({ tcp }) => tcp?.ack,
  'tcp.flags.urg': ({ tcp }) => tcp?.urg,
  'tcp.flags.ece': ({ tcp }) => tcp?.ece,
  'tcp.flags.cwr': ({ tcp }) => tcp?.cwr,
  'tcp.window_size_value': ({ tcp }) => tcp?.window,
  'tcp.checksum': ({ tcp }) => tcp?.checksum,
  'tcp.urgent_pointer': ({ tcp }) => tcp?.urgentPointer,
  // Not told of a fragment.
  'tcp.len': (packet) => (packet.tcp === undefined || packet.ip?.moreFragments ? undefined : packet.payloadLength),
  'udp.srcport': ({ udp }) => udp?.sourcePort,
  'udp.dstport': ({ udp }) => udp?.destinationPort,
  'udp.length': ({ udp }) => udp?.length,
  'udp.checksum': ({ udp }) => udp?.checksum,
  'udp.payload': (packet) => (packet.udp === undefined || packet.payloadLength === 0 ? undefined : packet.payload.toString('hex')),
  'sctp.srcport': ({ sctp }) => sctp?.sourcePort,
  'sctp.dstport': ({ sctp }) => sctp?.destinationPort,
  'sctp.verification_tag': ({ sctp }) => sctp?.verificationTag,
  'sctp.checksum': ({ sctp }) => sctp?.checksum,
  'icmp.type': ({ icmp }) => icmp?.type,
  'icmp.code': ({ icmp }) => icmp?.code,
  'icmp.checksum': ({ icmp }) => icmp?.checksum,
  'icmp.ident': ({ icmp }) => icmp?.id,
  'icmp.seq': ({ icmp }) => icmp?.sequence,
  'icmpv6.type': ({ icmpv6 }) => icmpv6?.type,
  'icmpv6.code': ({ icmpv6 }) => icmpv6?.code,
  'icmpv6.checksum': ({ icmpv6 }) => icmpv6?.checksum,
  'icmpv6.echo.identifier': ({ icmpv6 }) => icmpv6?.id,
  'icmpv6.echo.sequence_number': ({ icmpv6 }) => icmpv6?.sequence,
  'icmpv6.nd.ns.target_address': ({ icmpv6 }) => (icmpv6?.type === 135 ? icmpv6.target : undefined),
  'icmpv6.nd.na.target_address': ({ icmpv6 }) => (icmpv6?.type === 136 ? icmpv6.target : undefined),
};

/** Fields that a packet may have several of; the two kinds of tag have names of their own. */
const LISTS: typeof FIELDS = {
  'vlan.id': ({ vlans }) => vlans.filter(({ tpid }) => tpid !== 0x88a8).map(({ id }) => id),
  'vlan.priority': ({ vlans }) => vlans.filter(({ tpid }) => tpid !== 0x88a8).map(({ priority }) => priority),
  'vlan.dei': ({ vlans }) => vlans.filter(({ tpid }) => tpid !== 0x88a8).map(({ dropEligible }) => dropEligible),
  'ieee8021ad.id': ({ vlans }) => vlans.filter(({ tpid }) => tpid === 0x88a8).map(({ id }) => id),
  'ieee8021ad.priority': ({ vlans }) => vlans.filter(({ tpid }) => tpid === 0x88a8).map(({ priority }) => priority),
  'ieee8021ad.dei': ({ vlans }) => vlans.filter(({ tpid }) => tpid === 0x88a8).map(({ dropEligible }) => dropEligible),
  'ip.opt.type': ({ ipv4 }) => ipv4?.options.map(({ type }) => type) ?? [],
  'tcp.option_kind': ({ tcp }) => tcp?.options.map(({ kind }) => kind) ?? [],
  'tcp.options.mss_val': (packet) => options(packet, 'mss').map((option) => option.value),
  'tcp.options.wscale.shift': (packet) => options(packet, 'window-scale').map((option) => option.value),
  'tcp.options.timestamp.tsval': (packet) => options(packet, 'timestamps').map((option) => option.value),
  'tcp.options.timestamp.tsecr': (packet) => options(packet, 'timestamps').map((option) => option.echo),
  'tcp.options.sack_le': (packet) => options(packet, 'sack').flatMap((option) => option.blocks.map(({ left }) => left)),
  'tcp.options.sack_re': (packet) => options(packet, 'sack').flatMap((option) => option.blocks.map(({ right }) => right)),
};

type Option = NonNullable<DecodedPacket['tcp']>['options'][number];

function options<N extends Option['name']>({ tcp }: DecodedPacket, name: N): Extract<Option, { name: N }>[] {
  return (tcp?.options ?? []).filter((option): option is Extract<Option, { name: N }> => option.name === name);
}

function fragment({ ipv6 }: DecodedPacket, value: Value): Value {
  return ipv6?.extensions.some(({ type }) => type === 44) ? value : undefined;
}

/** What an ICMP error quotes of another packet is fields to tshark. */
function isQuoted(name: string, { icmp }: DecodedPacket): boolean {
  return icmp !== undefined && icmp.id === undefined && !/^(eth|ip|icmp)\./.test(name);
}

/** What a field says, whichever way it is written. */
function plain(value: Value): Value {
  if (typeof value === 'boolean') return Number(value);
  if (value === 'True' || value === 'False') return Number(value === 'True');
  return typeof value === 'string' && /^(0x[0-9a-f]+|\d+)$/.test(value) ? Number(value) : value;
}

const SWITCHES = ['ip.defragment:FALSE', 'ipv6.defragment:FALSE', 'tcp.analyze_sequence_numbers:FALSE', 'tcp.desegment_tcp_streams:FALSE'];
const witness = (file: Buffer, names: readonly string[]): Record<string, string[]>[] =>
  tshark(
    file,
    names,
    SWITCHES.flatMap((text) => ['-o', text]),
  );

describe('the decoder and its witnesses', function () {
  this.timeout(120_000);

  before(function () {
    needTools(this, 'tshark', 'tcpdump');
  });

  const frames = (seed: number, count: number): Buffer[] => {
    const dice = new Dice(seed);
    return Array.from({ length: count }, () => randomFrame(dice));
  };

  it('agree in every field of 6000 frames', () => {
    const sent = frames(5, 6000);
    const seen = witness(pcapFile(sent), [...Object.keys(FIELDS), ...Object.keys(LISTS)]);
    assert.equal(seen.length, sent.length);
    let compared = 0;
    sent.forEach((frame, i) => {
      const packet = decode(frame);
      const where = `frame ${i}: ${frame.toString('hex')}`;
      assert.equal(packet.truncated, false, where);
      for (const [name, ours] of Object.entries(FIELDS)) {
        if (isQuoted(name, packet)) continue;
        const theirs = seen[i]![name]?.[0];
        assert.equal(plain(ours(packet) as Value), plain(theirs), `${name} of ${where}`);
        if (theirs !== undefined) compared++;
      }
      for (const [name, ours] of Object.entries(LISTS)) {
        // Padding is told by tshark and left out by us.
        const theirs = (seen[i]![name] ?? [])
          .map(plain)
          .filter((value) => !/opt/.test(name) || !/type|kind/.test(name) || Number(value) > 1);
        assert.deepEqual((ours(packet) as Value[]).map(plain), theirs, `${name} of ${where}`);
        compared += theirs.length;
      }
    });
    assert.ok(compared > 100_000, `${compared} fields`);
  });

  it('agree in what is left of 3000 frames that were cut', () => {
    const dice = new Dice(6);
    const whole = frames(7, 3000);
    const cut = whole.map((frame) => frame.subarray(0, 14 + dice.below(frame.length - 13)));
    const file = pcapFile(cut);
    // The lengths on the wire are those of the whole frames.
    let at = 24;
    cut.forEach((frame, i) => {
      file.writeUInt32LE(whole[i]!.length, at + 12);
      at += 16 + frame.length;
    });
    const seen = witness(file, Object.keys(FIELDS));
    let compared = 0;
    cut.forEach((frame, i) => {
      const packet = decode(frame);
      for (const [name, ours] of Object.entries(FIELDS)) {
        const theirs = seen[i]![name]?.[0];
        // tshark tells of lengths that it computes, and of payload that is not there, too.
        if (theirs === undefined || isQuoted(name, packet) || name === 'tcp.len' || name === 'udp.payload') continue;
        assert.equal(plain(ours(packet) as Value), plain(theirs), `${name} of frame ${i}: ${frame.toString('hex')}`);
        compared++;
      }
    });
    assert.ok(compared > 30_000, `${compared} fields`);
  });

  it('write the same line', () => {
    const arp = ['0001' + '02000000000ac0000201' + '000000000000c0000202', '0002' + '02000000000bc0000202' + '02000000000ac0000201'];
    const heads = ['ffffffffffff02000000000a0806', '02000000000a02000000000b0806'];
    const sent = frames(9, 4000).filter((frame) => {
      const { vlans, ip, ipv6, tcp, udp, icmp, icmpv6 } = decode(frame);
      // Beyond our line tcpdump tells of options, urgent pointers, fragments and extension headers.
      const bare = vlans.length === 0 && !ip?.moreFragments && ip?.fragmentOffset === 0 && (ipv6?.extensions.length ?? 0) === 0;
      return bare && (udp ?? icmp?.id ?? icmpv6?.id ?? (tcp?.headerLength === 20 && !tcp.urg ? tcp : undefined)) !== undefined;
    });
    sent.unshift(...arp.map((body, i) => Buffer.from(`${heads[i]!}000108000604${body}`, 'hex')));
    const lines = output('sh', ['-c', 'cat | exec tcpdump -nn -S -t -K -r -'], { input: pcapFile(sent) })
      .trim()
      .split('\n');
    assert.equal(lines.length, sent.length);
    assert.ok(sent.length > 300, `${sent.length} lines`);
    sent.forEach((frame, i) => assert.equal(String(decode(frame)), lines[i], frame.toString('hex')));
    const timed = output('sh', ['-c', 'cat | exec tcpdump -nn -S -K -r -'], { input: pcapFile(sent.slice(0, 1)) });
    assert.equal(String(PacketBatch.from([sent[0]!]).packet(0)), timed.trim(), 'in local time');
  });
});
