/** Addresses, networks, ports and protocol numbers: what the words before them make of them. */
import { oneOfEach, type Condition } from './condition';
import { FilterError } from './filter-error';
import { etherHosts, ipv4Hosts, ipv6Hosts, prefixMask, type Ipv4Net, type Ipv6Net } from './hosts';
import { type Link } from './link';
import { checkPort, parsePorts, ports, type PortRange } from './ports';
import { encapsulates, protocolNumber } from './protocols';
import { type Node, type Prefix, type Qualifiers } from './syntax';

/** What is asked for. */
type Target =
  | { kind: 'ipv4'; net: Ipv4Net }
  | { kind: 'ipv6'; net: Ipv6Net }
  | { kind: 'ether'; bytes: readonly number[] }
  | { kind: 'ports'; range: PortRange }
  | { kind: 'protocol'; value: number };

type ItemNode = Node & { kind: 'item' };

export interface Item {
  node: ItemNode;
  target: Target;
}

/** Whether two items differ in nothing but the value that is asked for. */
export function isAlternative(a: Item, b: Item): boolean {
  const [one, other] = [a.node.qualifiers, b.node.qualifiers];
  return a.target.kind === b.target.kind && one.protocol === other.protocol && one.direction === other.direction && one.type === other.type;
}

/** One of some alternatives. */
export function items(link: Link, alternatives: readonly Item[]): Condition {
  const { node } = alternatives[0] as Item;
  const { qualifiers } = node;
  const { column } = node.item;
  const targets = alternatives.map(({ target }) => target);
  const of = <Kind extends Target['kind']>(kind: Kind): (Target & { kind: Kind })[] =>
    targets.filter((target): target is Target & { kind: Kind } => target.kind === kind);
  switch (targets[0]?.kind) {
    case 'ipv4':
      return ipv4Hosts(
        link,
        qualifiers,
        of('ipv4').map(({ net }) => net),
        column,
      );
    case 'ipv6':
      return ipv6Hosts(
        link,
        qualifiers,
        of('ipv6').map(({ net }) => net),
        column,
      );
    case 'ether':
      return etherHosts(
        link,
        qualifiers,
        of('ether').map(({ bytes }) => bytes),
        column,
      );
    case 'ports':
      return ports(
        link,
        qualifiers,
        of('ports').map(({ range }) => range),
        column,
      );
    default:
      return oneOfEach(of('protocol'), ({ value }) => encapsulates(link, qualifiers.protocol, value, column));
  }
}

/** What an item asks for. Throws FilterError where it does not fit the words before it. */
export function targetOf({ qualifiers, item: token, prefix }: ItemNode): Target {
  const { column } = token;
  const { type } = qualifiers;
  switch (token.kind) {
    case 'number':
      return numbered(qualifiers, token.value, column);
    case 'ipv4': {
      assertAddress(qualifiers, 'an IPv4 address', column);
      if (prefix !== null) assertNet(qualifiers, prefix);
      const mask = prefix === null ? prefixMask(token.bits) : prefix.kind === 'mask' ? prefix.mask : prefixMask(prefixLength(prefix, 32));
      assertNetworkBits((token.address & ~mask) === 0, prefix, column);
      return { kind: 'ipv4', net: { address: token.address, mask } };
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
      return { kind: 'ipv6', net: { words: token.words, bits } };
    }
    case 'mac':
      if (type !== 'host' && type !== null)
        throw new FilterError(column, `an Ethernet address stands after "${type}", expected host before it`);
      return { kind: 'ether', bytes: token.bytes };
    default:
      return named(qualifiers, token.text.replace(/^\\/, ''), column);
  }
}

/** A plain number is an address of 32 bits, or for a network its first bytes: `net 10` is 10.0.0.0/8. */
function numbered({ type }: Qualifiers, value: number, column: number): Target {
  switch (type) {
    case 'port':
    case 'portrange':
      return { kind: 'ports', range: [checkPort(value, column), value] };
    case 'proto':
      return { kind: 'protocol', value };
    case 'net': {
      let bits = 32;
      let address = value;
      for (; address !== 0 && address <= 0xffffff; bits -= 8) address *= 256;
      return { kind: 'ipv4', net: { address, mask: prefixMask(bits) } };
    }
    default:
      return { kind: 'ipv4', net: { address: value, mask: prefixMask(32) } };
  }
}

/** A name: of a protocol, or a range of ports; of a host it is refused when it is read. */
function named({ protocol, type }: Qualifiers, name: string, column: number): Target {
  switch (type) {
    case 'port':
    case 'portrange':
      return { kind: 'ports', range: parsePorts(name, type === 'portrange', column) };
    default:
      return { kind: 'protocol', value: protocolNumber(protocol, name, column) };
  }
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
