/** What an expression says, to what is asked of a packet. In the order of the text, because some words move the headers for all that follow. */
import { above, all, any, atLeast, equals, hasBit, not, type Condition } from './condition';
import { mpls, pppoes, vlan } from './encapsulation';
import { FilterError } from './filter-error';
import { assertEthernet, etherHost, ipv4Host, ipv6Host, prefixMask } from './hosts';
import { ETHERTYPE, type Link } from './link';
import { SKF_AD } from './opcodes';
import { checkPort, parsePorts, ports } from './ports';
import { carries, encapsulates, isProtocol, protocolNumber } from './protocols';
import { compared, relation } from './relations';
import { type Node, type Prefix, type Qualifiers } from './syntax';
import { number } from './value';

const PACKET_OUTGOING = 4;

export function translate(node: Node, link: Link, onSocket: boolean): Condition {
  switch (node.kind) {
    case 'chain': {
      const first = translate(node.first, link, onSocket);
      return { kind: 'chain', first, rest: node.rest.map(({ joint, node: next }) => ({ joint, of: translate(next, link, onSocket) })) };
    }
    case 'not':
      return not(translate(node.node, link, onSocket));
    case 'protocol':
      return isProtocol(link, node.protocol, node.column);
    case 'item':
      return item(link, node);
    case 'relation':
      return relation(link, node.relation, node.left, node.right);
    case 'cast':
      return cast(link, node);
    case 'byte':
      return compared(node.relation, link.fromHeader(1, node.offset), number(node.value));
    case 'less':
      return not(above({ kind: 'length' }, node.value));
    case 'greater':
      return atLeast({ kind: 'length' }, node.value);
    case 'ifindex':
      return equals({ kind: 'ancillary', which: SKF_AD.interfaceIndex }, node.value);
    case 'inbound':
    case 'outbound': {
      const outgoing = equals({ kind: 'ancillary', which: SKF_AD.packetType }, PACKET_OUTGOING);
      return node.kind === 'outbound' ? outgoing : not(outgoing);
    }
    case 'vlan':
      return vlan(link, node.id, onSocket, node.column);
    case 'mpls':
      return mpls(link, node.id, node.column);
    case 'pppoes':
      return pppoes(link, node.id, node.column);
    case 'pppoed':
      return carries(link, ETHERTYPE.pppoed, node.column);
  }
}

function item(link: Link, node: Node & { kind: 'item' }): Condition {
  const { qualifiers, item: token, prefix } = node;
  const { column } = token;
  const { protocol, type } = qualifiers;
  switch (token.kind) {
    case 'number':
      return numbered(link, qualifiers, token.value, column);
    case 'ipv4': {
      assertAddress(qualifiers, 'an IPv4 address', column);
      if (prefix !== null) assertNet(qualifiers, prefix);
      const mask = prefix === null ? prefixMask(token.bits) : prefix.kind === 'mask' ? prefix.mask : prefixMask(prefixLength(prefix, 32));
      assertNetworkBits((token.address & ~mask) === 0, prefix, column);
      return ipv4Host(link, qualifiers, token.address, mask, column);
    }
    case 'ipv6': {
      assertAddress(qualifiers, 'an IPv6 address', column);
      if (prefix?.kind === 'mask')
        throw new FilterError(prefix.column, '"mask" stands after an IPv6 address, expected the length of a prefix: "/64"');
      const bits = prefix === null ? 128 : prefixLength(prefix, 128);
      if (prefix !== null && bits !== 128) assertNet(qualifiers, prefix);
      assertNetworkBits(
        token.words.every((word, index) => (word & ~prefixMask(bits - 32 * index)) === 0),
        prefix,
        column,
      );
      return ipv6Host(link, qualifiers, token.words, bits, column);
    }
    case 'mac':
      if (type !== 'host' && type !== null)
        throw new FilterError(column, `an Ethernet address stands after "${type}", expected host before it`);
      return etherHost(link, qualifiers, token.bytes, column);
    default:
      return named(link, qualifiers, token.text.replace(/^\\/, ''), protocol, column);
  }
}

/** A plain number is an address of 32 bits, or for a network its first bytes: `net 10` is 10.0.0.0/8. */
function numbered(link: Link, qualifiers: Qualifiers, value: number, column: number): Condition {
  const { protocol, type } = qualifiers;
  switch (type) {
    case 'port':
    case 'portrange':
      return ports(link, qualifiers, checkPort(value, column), value, column);
    case 'proto':
      return encapsulates(link, protocol, value, column);
    case 'net': {
      let bits = 32;
      let address = value;
      for (; address !== 0 && address <= 0xffffff; bits -= 8) address *= 256;
      return ipv4Host(link, qualifiers, address, prefixMask(bits), column);
    }
    default:
      return ipv4Host(link, qualifiers, value, prefixMask(32), column);
  }
}

function named(link: Link, qualifiers: Qualifiers, name: string, protocol: Qualifiers['protocol'], column: number): Condition {
  switch (qualifiers.type) {
    case 'proto':
      return encapsulates(link, protocol, protocolNumber(protocol, name, column), column);
    case 'port':
    case 'portrange':
      return ports(link, qualifiers, ...parsePorts(name, qualifiers.type === 'portrange', column), column);
    default:
      throw new FilterError(
        column,
        `"${name.length > 40 ? `${name.slice(0, 37)}...` : name}" stands there, expected the address of a ${qualifiers.type === 'net' ? 'network' : 'host'}`,
        'names are not looked up',
      );
  }
}

function cast(link: Link, { cast: which, protocol, column }: Node & { kind: 'cast' }): Condition {
  const refused = (expected: string): FilterError =>
    new FilterError(column, `"${which}" stands after "${protocol ?? ''}", expected ${expected} or nothing before it`);
  if (protocol === null || protocol === 'ether') {
    assertEthernet(link, `"${which}"`, column);
    if (which === 'multicast') return hasBit(link.fromHeader(1, 0), 1);
    return all(equals(link.fromHeader(4, 2), 0xffffffff), equals(link.fromHeader(2, 0), 0xffff));
  }
  if (protocol === 'ip') {
    const destination = link.fromNetwork(4, 16);
    const isIpv4 = carries(link, ETHERTYPE.ip, column);
    // The mask of the interface's network is not known here: what is a broadcast on every network remains.
    return which === 'broadcast'
      ? all(isIpv4, any(equals(destination, 0), equals(destination, 0xffffffff)))
      : all(isIpv4, atLeast(link.fromNetwork(1, 16), 224));
  }
  if (protocol === 'ip6' && which === 'multicast') return all(carries(link, ETHERTYPE.ip6, column), equals(link.fromNetwork(1, 24), 255));
  throw refused(which === 'broadcast' ? 'ether, ip' : 'ether, ip, ip6');
}

function assertAddress({ type }: Qualifiers, what: string, column: number): void {
  if (type === 'host' || type === 'net' || type === null) return;
  throw new FilterError(column, `${what} stands after "${type}", expected ${type === 'proto' ? 'a protocol' : 'the number of a port'}`);
}

function assertNet({ type }: Qualifiers, prefix: Prefix): void {
  if (type === 'net') return;
  throw new FilterError(
    prefix.column,
    `a ${prefix.kind === 'mask' ? 'mask' : 'prefix'} narrows a network, expected "net" before the address`,
  );
}

function prefixLength(prefix: Prefix & { kind: 'length' }, most: number): number {
  if (prefix.length > most) throw new FilterError(prefix.column, `a prefix of ${prefix.length} bits, an address has ${most}`);
  return prefix.length;
}

function assertNetworkBits(none: boolean, prefix: Prefix | null, column: number): void {
  if (none) return;
  throw new FilterError(
    column,
    `the address has bits beyond its ${prefix?.kind === 'mask' ? 'mask' : 'prefix'}`,
    'a network is written with zeros there',
  );
}
