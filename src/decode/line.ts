/** A decoded packet in one line, in tcpdump's manner. */
import type { Timestamp } from '../batches/packet';
import type { DecodedPacket } from './decode';
import type { ArpLayer } from './ethernet';
import type { IcmpLayer, Icmpv6Layer } from './icmp';
import type { Ipv4Layer, Ipv6Layer } from './ip';
import type { TcpLayer } from './tcp';

/** In tcpdump's order. */
const FLAGS: readonly [number, string][] = [
  [0x01, 'F'],
  [0x02, 'S'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x10, '.'],
  [0x20, 'U'],
  [0x40, 'E'],
  [0x80, 'W'],
];

/** A packet with its time of day, local as tcpdump has it: `12:34:56.789012 IP ...`. */
export function packetLine(packet: { readonly timestamp: Timestamp; decode(): DecodedPacket }): string {
  const { sec, nsec } = packet.timestamp;
  const time = new Date(sec * 1000);
  const parts = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0'));
  const fraction = String(Math.floor(nsec / 1000)).padStart(6, '0');
  return `${parts.join(':')}.${fraction} ${String(packet.decode())}`;
}

/** `length` is that of the captured frame. */
export function lineOf(packet: DecodedPacket, length: number): string {
  const { ethernet, vlans, ip, arp } = packet;
  const tags = vlans.map(({ id }) => `vlan ${id}, `).join('');
  const cut = packet.truncated ? ' [truncated]' : '';
  if (ip !== undefined) return `${tags}${ipLine(packet, ip)}${cut}`;
  if (arp !== undefined) return `${tags}${arpLine(arp)}${cut}`;
  if (ethernet === undefined) return `${packet.payloadLength} bytes${cut}`;
  const type = packet.etherType === 0 ? '802.3' : `ethertype 0x${packet.etherType.toString(16).padStart(4, '0')}`;
  return `${ethernet.source} > ${ethernet.destination}, ${tags}${type}, length ${length}${cut}`;
}

function ipLine(packet: DecodedPacket, ip: Ipv4Layer | Ipv6Layer): string {
  const { tcp, udp, sctp, icmp, icmpv6, payloadLength: length } = packet;
  const name = packet.ipv4 === undefined ? 'IP6' : 'IP';
  const transport = tcp ?? udp ?? sctp;
  const [from, to] = transport === undefined ? ['', ''] : [`.${transport.sourcePort}`, `.${transport.destinationPort}`];
  const head = `${name} ${ip.source}${from} > ${ip.destination}${to}: `;
  if (ip.truncated) return `${name} [|ip]`;
  if (ip.malformed) return `${name}, malformed`;
  if (ip.fragmentOffset > 0) return `${head}fragment at ${ip.fragmentOffset}, protocol ${ip.protocol}, length ${length}`;
  if (tcp?.truncated) return `${head}[|tcp]`;
  if (tcp !== undefined) return head + tcpLine(tcp, length);
  if (udp?.truncated) return `${head}[|udp]`;
  if (udp !== undefined) return `${head}UDP, length ${udp.length === 0 ? length : Math.max(0, udp.length - 8)}`;
  if (sctp !== undefined) return `${head}sctp, length ${length}`;
  if (icmp !== undefined) return head + icmpLine('ICMP', icmp, ECHO, icmp.headerLength + length);
  if (icmpv6 !== undefined) return head + icmpLine('ICMP6,', icmpv6, ECHO6, icmpv6.headerLength + length);
  return `${head}protocol ${ip.protocol}, length ${length}`;
}

function tcpLine(tcp: TcpLayer, length: number): string {
  const flags = FLAGS.filter(([bit]) => (tcp.flags & bit) !== 0).map(([, letter]) => letter);
  const end = length > 0 ? `:${(tcp.sequence + length) % 0x1_0000_0000}` : '';
  // As tcpdump: the number is told when it says something.
  const sequence = length > 0 || tcp.syn || tcp.fin || tcp.rst ? `, seq ${tcp.sequence}${end}` : '';
  const ack = tcp.ack ? `, ack ${tcp.acknowledgment}` : '';
  return `Flags [${flags.join('') || 'none'}]${sequence}${ack}, win ${tcp.window}, length ${length}`;
}

const ECHO: Readonly<Record<number, string>> = { 0: 'echo reply', 8: 'echo request' };
const ECHO6: Readonly<Record<number, string>> = { 128: 'echo request', 129: 'echo reply' };
const NEIGHBOUR: Readonly<Record<number, string>> = { 135: 'neighbor solicitation, who has', 136: 'neighbor advertisement, tgt is' };

function icmpLine(name: string, icmp: IcmpLayer | Icmpv6Layer, echo: Readonly<Record<number, string>>, length: number): string {
  const { type, code, id, sequence } = icmp;
  if (id !== undefined) return `${name} ${echo[type] ?? ''}, id ${id}, seq ${sequence ?? 0}, length ${length}`;
  if ('target' in icmp && icmp.target !== undefined) return `${name} ${NEIGHBOUR[type] ?? ''} ${icmp.target}, length ${length}`;
  return `${name} type ${type} code ${code}, length ${length}`;
}

function arpLine(arp: ArpLayer): string {
  if (arp.truncated) return 'ARP [|arp]';
  const { operation, senderMac, senderIp, targetIp, headerLength } = arp;
  if (operation === 1) return `ARP, Request who-has ${targetIp} tell ${senderIp}, length ${headerLength}`;
  if (operation === 2) return `ARP, Reply ${senderIp} is-at ${senderMac}, length ${headerLength}`;
  return `ARP, operation ${operation}, ${senderIp} to ${targetIp}, length ${headerLength}`;
}
