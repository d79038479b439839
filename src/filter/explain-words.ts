/** What the parts of an expression mean, in plain words. */
import { prefixMask, type Ipv4Net } from './hosts';
import { targetOf } from './items';
import type { Arithmetic, Node, Qualifiers } from './syntax';
import type { Protocol } from './words';

/** A part that says something by itself: everything but `and`, `or` and `not`. */
export type Primitive = Exclude<Node, { kind: 'chain' | 'not' }>;

/** What is said once, however many parts need it. */
export type Remark = 'ports' | 'behind' | 'tag' | 'label' | 'session';

/** Says of a remark that it applies. */
type Tell = (remark: Remark) => void;

const BOTH = ' in IPv4 or IPv6';

const CARRIED: Partial<Record<Protocol, string>> = {
  ether: 'any frame',
  ip: 'IPv4',
  ip6: 'IPv6',
  arp: 'ARP',
  rarp: 'RARP',
  tcp: `TCP${BOTH}`,
  udp: `UDP${BOTH}`,
  sctp: `SCTP${BOTH}`,
  ah: `AH${BOTH}`,
  esp: `ESP${BOTH}`,
  pim: `PIM${BOTH}`,
  icmp: 'ICMP in IPv4',
  igmp: 'IGMP in IPv4',
  igrp: 'IGRP in IPv4',
  vrrp: 'VRRP in IPv4',
  carp: 'CARP in IPv4',
  icmp6: 'ICMPv6 in IPv6',
  stp: 'spanning tree (802.2 LLC)',
};

const named = (protocol: Protocol): string => CARRIED[protocol] ?? `the protocol ${protocol}`;

/** Where a direction looks: its word between what is looked at and the address. */
const WAYS: Readonly<Record<string, string>> = { src: 'from', dst: 'to', either: 'from or to', both: 'from and to' };
const wayOf = ({ direction }: Qualifiers): string => WAYS[direction ?? 'either'] ?? 'from or to';

export function describe(node: Primitive, tell: Tell): string {
  switch (node.kind) {
    case 'protocol':
      return named(node.protocol);
    case 'item':
      return describeItem(node, tell);
    case 'relation':
      return `${loadedFrom(node, tell)} for which ${relationText(node)}`;
    case 'cast':
      return describeCast(node.cast, node.protocol);
    case 'byte':
      return `frames whose byte ${node.offset} is ${node.relation} ${node.value}`;
    case 'less':
      return `frames of at most ${node.value} bytes`;
    case 'greater':
      return `frames of at least ${node.value} bytes`;
    case 'ifindex':
      return `frames on the interface of index ${node.value}`;
    case 'inbound':
      return 'frames that this machine receives';
    case 'outbound':
      return 'frames that this machine sends';
    case 'vlan':
      tell('tag');
      return node.id === null ? 'frames with a VLAN tag' : `frames with the tag of VLAN ${node.id}`;
    case 'mpls':
      tell('label');
      return node.id === null ? 'MPLS' : `MPLS with the label ${node.id}`;
    case 'pppoed':
      return 'PPPoE discovery';
    case 'pppoes':
      tell('session');
      return node.id === null ? 'PPPoE sessions' : `the PPPoE session ${node.id}`;
  }
}

/** The text of a primitive with all that it left out: qualifiers that it has from the one before it. */
export function primitiveText(node: Primitive): string {
  switch (node.kind) {
    case 'protocol':
      return node.protocol;
    case 'item': {
      const { protocol, direction, type } = node.qualifiers;
      const ways = { src: 'src', dst: 'dst', either: 'src or dst', both: 'src and dst' };
      return [protocol, direction === null ? null : ways[direction], type, itemText(node)].filter((word) => word !== null).join(' ');
    }
    case 'relation':
      return relationText(node);
    case 'cast':
      return node.protocol === null ? node.cast : `${node.protocol} ${node.cast}`;
    case 'byte':
      return `byte ${node.offset} ${node.relation} ${node.value}`;
    case 'less':
    case 'greater':
    case 'ifindex':
      return `${node.kind} ${node.value}`;
    case 'inbound':
    case 'outbound':
      return node.kind;
    default:
      return node.id === null ? node.kind : `${node.kind} ${node.id}`;
  }
}

type Item = Extract<Node, { kind: 'item' }>;

function itemText({ item, prefix }: Item): string {
  if (prefix === null) return item.text;
  if (prefix.kind === 'length') return `${item.text}/${prefix.length}`;
  return `${item.text} mask ${dotted(prefix.mask)}`;
}

const dotted = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');

/** An IPv4 address or network as it is understood: `net 172.16` is 172.16.0.0/16, `host 10` is 0.0.0.10. */
function networkText({ address, mask }: Ipv4Net): string {
  const bits = 32 - Math.clz32(~mask);
  if (prefixMask(32 - bits) !== mask) return `the network ${dotted(address)} mask ${dotted(mask)}`;
  return bits === 0 ? dotted(address) : `the network ${dotted(address)}/${32 - bits}`;
}

function describeItem(node: Item, tell: Tell): string {
  const { qualifiers, item } = node;
  const { protocol, type } = qualifiers;
  const text = itemText(node);
  const way = wayOf(qualifiers);
  if (type === 'port' || type === 'portrange') {
    tell('ports');
    return `${protocol === null ? `TCP, UDP and SCTP${BOTH}` : named(protocol)}, ${way} ${type === 'port' ? 'port' : 'the ports'} ${text}`;
  }
  if (type === 'proto') {
    if (protocol === 'ether') return `frames of the EtherType or LLC protocol ${text}`;
    return `${protocol === null ? 'IPv4 or IPv6' : named(protocol)} that carries protocol ${text}`;
  }
  if (item.kind === 'mac') return `frames ${way} the Ethernet address ${text}`;
  const target = targetOf(node);
  if (target.kind === 'ipv4') return `${protocol === null ? 'IPv4, ARP and RARP' : named(protocol)} ${way} ${networkText(target.net)}`;
  const what = type === 'net' || node.prefix !== null ? `the network ${text}` : text;
  return `${protocol === null ? 'IPv6' : named(protocol)} ${way} ${what}`;
}

function describeCast(cast: 'broadcast' | 'multicast', protocol: Protocol | null): string {
  if (protocol === 'ip')
    return cast === 'multicast' ? 'IPv4 to a multicast address (224.0.0.0/4 and above)' : 'IPv4 to a broadcast address';
  if (protocol === 'ip6') return 'IPv6 to a multicast address (ff00::/8)';
  return cast === 'multicast' ? 'frames to a group, broadcast among them' : 'frames to all stations';
}

/** Bytes of these are found behind an IPv4 header, however the protocol is carried otherwise. */
const LAYER_2 = new Set<Protocol>(['ether', 'ip', 'ip6', 'arp', 'rarp']);

function loadedFrom({ left, right }: { left: Arithmetic; right: Arithmetic }, tell: Tell): string {
  const protocols = new Set([...loads(left), ...loads(right)]);
  protocols.delete('ether');
  if (protocols.size === 0) return 'frames';
  return [...protocols].map((protocol) => loaded(protocol, tell)).join(' that is also ');
}

function loaded(protocol: Protocol, tell: Tell): string {
  if (LAYER_2.has(protocol) || protocol === 'icmp6') return named(protocol);
  if (CARRIED[protocol] === undefined) return named(protocol);
  tell('behind');
  return `${protocol.toUpperCase()} in IPv4`;
}

function loads(part: Arithmetic): Protocol[] {
  switch (part.kind) {
    case 'load':
      return [part.protocol, ...loads(part.index)];
    case 'negate':
      return loads(part.of);
    case 'calculate':
      return [...loads(part.left), ...loads(part.right)];
    default:
      return [];
  }
}

const relationText = ({ left, relation, right }: { left: Arithmetic; relation: string; right: Arithmetic }): string =>
  `${arithmeticText(left, false)} ${relation} ${arithmeticText(right, false)}`;

/** With parentheses around every operation that is an operand, and masks in hexadecimal. */
function arithmeticText(part: Arithmetic, isOperand: boolean, isMask = false): string {
  switch (part.kind) {
    case 'number':
      return isMask ? `0x${part.value.toString(16)}` : String(part.value);
    case 'length':
      return 'len';
    case 'negate':
      return `-${arithmeticText(part.of, true)}`;
    case 'load':
      return `${part.protocol}[${arithmeticText(part.index, false)}${part.size === 1 ? '' : `:${part.size}`}]`;
    case 'calculate': {
      const masks = /^[&|^]$/.test(part.operator);
      const text = `${arithmeticText(part.left, true, masks)} ${part.operator} ${arithmeticText(part.right, true, masks)}`;
      return isOperand ? `(${text})` : text;
    }
  }
}
