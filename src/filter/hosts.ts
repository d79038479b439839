/** Hosts and networks: IPv4 (with ARP and RARP), IPv6, Ethernet. */
import { all, any, equals, oneOfEach, TRUE, type Condition, type Value } from './condition';
import { FilterError } from './filter-error';
import { ETHERTYPE, type Link } from './link';
import { carries } from './protocols';
import { type Qualifiers } from './syntax';
import { masked } from './value';
import { type Protocol } from './words';

const ONES = 0xffffffff;

/** Where the addresses stand behind the link's header, by protocol. */
const PLACES = {
  ip: { type: ETHERTYPE.ip, src: 12, dst: 16 },
  arp: { type: ETHERTYPE.arp, src: 14, dst: 24 },
  rarp: { type: ETHERTYPE.rarp, src: 14, dst: 24 },
} as const;

/** Address and mask. */
export interface Ipv4Net {
  address: number;
  mask: number;
}

/** The four words of an address, and how many bits of it count. */
export interface Ipv6Net {
  words: readonly number[];
  bits: number;
}

/** One of some IPv4 addresses or networks. Without a protocol they are looked for in IPv4, ARP and RARP. */
export function ipv4Hosts(link: Link, { protocol, direction, type }: Qualifiers, nets: readonly Ipv4Net[], column: number): Condition {
  const within = (one: keyof typeof PLACES): Condition => {
    const { src, dst, type: etherType } = PLACES[one];
    const isWithin = (value: Value, { address, mask }: Ipv4Net): Condition => (mask === 0 ? TRUE : equals(masked(value, mask), address));
    const [source, destination] = [link.fromNetwork(4, src), link.fromNetwork(4, dst)];
    return all(
      carries(link, etherType, column),
      oneOf(
        direction,
        nets,
        (net) => isWithin(source, net),
        (net) => isWithin(destination, net),
      ),
    );
  };
  if (protocol === 'ip' || protocol === 'arp' || protocol === 'rarp') return within(protocol);
  if (protocol !== null)
    throw doesNotFit(protocol, type === 'net' ? 'an IPv4 network' : 'an IPv4 address', 'ip, arp, rarp or nothing', column);
  return link.labels > 0 ? within('ip') : any(within('ip'), within('arp'), within('rarp'));
}

/** One of some IPv6 addresses or networks. */
export function ipv6Hosts(link: Link, { protocol, direction, type }: Qualifiers, nets: readonly Ipv6Net[], column: number): Condition {
  if (protocol !== null && protocol !== 'ip6')
    throw doesNotFit(protocol, type === 'net' ? 'an IPv6 network' : 'an IPv6 address', 'ip6 or nothing', column);
  const isWithin = (offset: number, { words, bits }: Ipv6Net): Condition =>
    all(
      ...words.flatMap((word, index) => {
        const mask = prefixMask(bits - 32 * index);
        return mask === 0 ? [] : [equals(masked(link.fromNetwork(4, offset + 4 * index), mask), word)];
      }),
    );
  // Several loads each: only all that belongs to one is asked before the next.
  const one = (net: Ipv6Net): Condition =>
    oneOf(
      direction,
      [net],
      () => isWithin(8, net),
      () => isWithin(24, net),
    );
  return all(carries(link, ETHERTYPE.ip6, column), oneOfEach(nets, one));
}

/** One of some Ethernet addresses. */
export function etherHosts(
  link: Link,
  { protocol, direction }: Qualifiers,
  addresses: readonly (readonly number[])[],
  column: number,
): Condition {
  if (protocol !== 'ether')
    throw new FilterError(column, 'an Ethernet address stands there', 'it wants "ether host", "ether src" or "ether dst" before it');
  assertEthernet(link, 'an Ethernet address', column);
  // The last four bytes tell most, so they are asked first.
  const isAt = (offset: number, [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0]: readonly number[]): Condition =>
    all(
      equals(link.fromHeader(4, offset + 2), ((c << 24) | (d << 16) | (e << 8) | f) >>> 0),
      equals(link.fromHeader(2, offset), (a << 8) | b),
    );
  return oneOf(
    direction,
    addresses,
    (address) => isAt(6, address),
    (address) => isAt(0, address),
  );
}

/** Throws where the link, or what the expression has opened (`pppoes`), has no Ethernet header. */
export function assertEthernet(link: Link, what: string, column: number): void {
  if (link.kind === 'ethernet') return;
  throw new FilterError(
    column,
    `${what} stands ${link.kind === 'ppp' ? 'behind pppoes' : 'on a link of raw IP'}, where there is no Ethernet header`,
  );
}

/** The mask of the first `bits` bits of 32; more and fewer are cut off. */
export function prefixMask(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? ONES : (ONES << (32 - bits)) >>> 0;
}

/**
 * One of some values at the source, the destination or both, as the direction says. Each of the two is loaded as seldom as can be without a change of
 * what happens to a frame that ends between them: as if value after value were looked for, first at the source and then at the destination.
 */
export function oneOf<T>(
  direction: Qualifiers['direction'],
  values: readonly T[],
  src: (value: T) => Condition,
  dst: (value: T) => Condition,
): Condition {
  switch (direction) {
    case 'src':
      return oneOfEach(values, src);
    case 'dst':
      return oneOfEach(values, dst);
    case 'both':
      return oneOfEach(values, (value) => all(src(value), dst(value)));
    default: {
      const [first, rest] = [values.slice(0, 1), values.slice(1)];
      return any(...first.map(src), oneOfEach(values, dst), ...(rest.length === 0 ? [] : [oneOfEach(rest, src)]));
    }
  }
}

function doesNotFit(protocol: Protocol, what: string, expected: string, column: number): FilterError {
  const hint = ['tcp', 'udp', 'sctp'].includes(protocol)
    ? `a port wants a word before it: "${protocol} dst port 53"; a host is asked for beside it: "${protocol} and dst host 10.0.0.1"`
    : '';
  return new FilterError(column, `${what} stands after "${protocol}", expected ${expected} before it`, hint);
}
