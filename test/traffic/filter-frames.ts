/** Frames of every kind that filters tell apart, and tcpdump's word on which of them an expression picks. */
import { spawnSync } from 'node:child_process';
import { pcapFile, pcapFrames } from '../support/witness';
import { frame, tagged } from './rx';

const ETHERTYPE = { ip: 0x0800, ip6: 0x86dd, arp: 0x0806, lldp: 0x88cc };
const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, gre: 47, icmp6: 58, sctp: 132 };

const HERE = '020000000009';
const THERE = '020000000001';

function ethernet(etherType: number, payload: Buffer, to = THERE): Buffer {
  const bytes = Buffer.alloc(Math.max(60, 14 + payload.length));
  bytes.write(to + HERE, 0, 'hex');
  bytes.writeUInt16BE(etherType, 12);
  payload.copy(bytes, 14);
  return bytes;
}

interface Ip4 {
  from?: string;
  to?: string;
  ttl?: number;
  /** Flags and offset of a fragment. */
  fragment?: number;
  options?: number;
}

function ip4(
  protocol: number,
  payload: Buffer,
  { from = '10.0.0.1', to = '10.0.0.2', ttl = 64, fragment = 0, options = 0 }: Ip4 = {},
): Buffer {
  const header = Buffer.alloc(20 + options * 4, 1);
  header[0] = 0x45 + options;
  header[1] = 0;
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(7, 4);
  header.writeUInt16BE(fragment, 6);
  header[8] = ttl;
  header[9] = protocol;
  header.writeUInt16BE(0, 10);
  header.set(from.split('.').map(Number), 12);
  header.set(to.split('.').map(Number), 16);
  return ethernet(ETHERTYPE.ip, Buffer.concat([header, payload]));
}

function ip6(next: number, payload: Buffer, from = 'fd000000000000000000000000000001', to = 'fd000000000000000000000000000002'): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(payload.length, 4);
  header[6] = next;
  header[7] = 64;
  header.write(from + to, 8, 'hex');
  return ethernet(ETHERTYPE.ip6, Buffer.concat([header, payload]));
}

/** The first bytes of a TCP, UDP or SCTP header, and a payload. */
function ports(from: number, to: number, length = 30): Buffer {
  const bytes = Buffer.alloc(length, 0x20);
  bytes.writeUInt16BE(from, 0);
  bytes.writeUInt16BE(to, 2);
  bytes.writeUInt16BE(length, 4);
  return bytes;
}

function tcp(from: number, to: number, flags: number): Buffer {
  const bytes = ports(from, to, 40);
  bytes[12] = 0x50;
  bytes[13] = flags;
  return bytes;
}

const PLAIN: readonly Buffer[] = [
  ethernet(ETHERTYPE.arp, Buffer.from('00010800060400010200000000090a00000100000000000a000002'.padEnd(56, '0'), 'hex'), 'ffffffffffff'),
  ethernet(ETHERTYPE.lldp, Buffer.alloc(46, 3), '0180c200000e'),
  ip4(PROTOCOL.tcp, tcp(40000, 80, 0x02)),
  ip4(PROTOCOL.tcp, tcp(80, 40000, 0x12), { from: '10.0.0.2', to: '10.0.0.1' }),
  ip4(PROTOCOL.tcp, tcp(40000, 443, 0x11), { options: 3 }),
  ip4(PROTOCOL.tcp, tcp(1500, 502, 0x10), { from: '192.168.1.7' }),
  ip4(PROTOCOL.udp, ports(5353, 53)),
  ip4(PROTOCOL.udp, ports(1999, 5005, 300), { ttl: 3 }),
  ip4(PROTOCOL.udp, ports(5000, 6000), { options: 10, to: '224.0.0.5' }),
  // The first piece of a datagram has its ports, the others have something else there.
  ip4(PROTOCOL.udp, ports(5353, 53), { fragment: 0x2000 }),
  ip4(PROTOCOL.udp, ports(5353, 53), { fragment: 0x0010 }),
  ip4(PROTOCOL.icmp, Buffer.from('0800000000010001'.padEnd(80, '5'), 'hex')),
  ip4(PROTOCOL.icmp, Buffer.from('0000000000010001'.padEnd(80, '5'), 'hex'), { ttl: 1 }),
  ip4(PROTOCOL.gre, Buffer.alloc(20)),
  ip4(PROTOCOL.sctp, ports(2905, 53)),
  ip6(PROTOCOL.tcp, tcp(40000, 80, 0x02)),
  ip6(PROTOCOL.udp, ports(5353, 53)),
  ip6(PROTOCOL.icmp6, Buffer.from('8000000000010001'.padEnd(60, '1'), 'hex')),
  // A fragment header before UDP.
  ip6(44, Buffer.concat([Buffer.from([PROTOCOL.udp, 0, 0, 1, 0, 0, 0, 9]), ports(5353, 53)])),
];

/** Without the sentinel. */
export const FRAMES: readonly Buffer[] = [
  ...PLAIN,
  ...PLAIN.slice(2, 10).map((bytes) => tagged(bytes, [0x8100, 7])),
  ...PLAIN.slice(5, 8).map((bytes) => tagged(bytes, [0x8100, 0x6005])),
  tagged(PLAIN[6] as Buffer, [0x88a8, 7], [0x8100, 5]),
  tagged(PLAIN[16] as Buffer, [0x8100, 7]),
];

/** Every capture of a test lets it through, so that all see the end. */
export const SENTINEL = frame('end');
export const orSentinel = (expression: string): string => `ether proto 0x88b6 or (${expression})`;

/** Every kind of primitive, alone and together. */
export const EXPRESSIONS = [
  'arp',
  'ip',
  'ip6',
  'tcp',
  'udp port 53',
  'port 53',
  'tcp port 80 or 443',
  'src portrange 1000-2000',
  'portrange 5000-5010 and not tcp',
  'host 10.0.0.1',
  'src host 10.0.0.2 or dst host 192.168.1.7',
  'not host 10.0.0.1',
  'net 10.0.0.0/8 and not udp',
  'dst net 224.0.0.0/4',
  'ip6 host fd00::1',
  'dst net fd00::/16 and udp',
  'vlan',
  'not vlan',
  'vlan 7',
  'vlan 7 and udp port 53',
  'vlan 5 or vlan 7',
  'vlan and tcp dst port 502',
  'udp port 53 or vlan 5',
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  'tcp[13] = 2',
  'icmp[icmptype] == icmp-echo',
  'icmp6 or sctp',
  'ip proto 47',
  'ether proto 0x88cc or ether broadcast',
  'ether multicast',
  'ether host 02:00:00:00:00:01',
  'less 80',
  'greater 100 and ip',
  'len > 80 and not ip6',
  'ip[8] < 5',
  'ip[6:2] & 0x1fff != 0',
  'udp[4:2] * 2 > 500',
  'ip multicast or icmp',
] as const;

/** What tcpdump picks out of a file with these frames, tags and all. */
export function pickedByTcpdump(frames: readonly Uint8Array[], expression: string): Buffer[] {
  const { error, status, stdout, stderr } = spawnSync('tcpdump', ['-r', '-', '-w', '-', '--', expression], { input: pcapFile(frames) });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`tcpdump ${expression}: ${String(stderr)}`);
  return pcapFrames(stdout);
}

/** Frames in a form that is compared, and printed, with ease. */
export const shown = (frames: readonly Uint8Array[]): string[] => frames.map((bytes) => Buffer.from(bytes).toString('hex'));
