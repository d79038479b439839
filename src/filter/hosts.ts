/** Hosts and networks: IPv4 (with ARP and RARP), IPv6, Ethernet. */
import { all, any, equals, type Condition, type Value } from './condition';
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

/** An IPv4 address or network. Without a protocol it is looked for in IPv4, ARP and RARP. */
export function ipv4Host(link: Link, { protocol, direction, type }: Qualifiers, address: number, mask: number, column: number): Condition {
  const within = (one: keyof typeof PLACES): Condition => {
    const { src, dst, type: etherType } = PLACES[one];
    const at = (offset: number): Condition =>
      all(carries(link, etherType, column), ...(mask === 0 ? [] : [equals(masked(link.fromNetwork(4, offset), mask), address)]));
    return bothWays(
      direction,
      () => at(src),
      () => at(dst),
    );
  };
  if (protocol === 'ip' || protocol === 'arp' || protocol === 'rarp') return within(protocol);
  if (protocol !== null)
    throw doesNotFit(protocol, type === 'net' ? 'an IPv4 network' : 'an IPv4 address', 'ip, arp, rarp or nothing', column);
  return link.labels > 0 ? within('ip') : any(within('ip'), within('arp'), within('rarp'));
}

/** An IPv6 address or network, as four words. */
export function ipv6Host(
  link: Link,
  { protocol, direction, type }: Qualifiers,
  address: readonly number[],
  bits: number,
  column: number,
): Condition {
  if (protocol !== null && protocol !== 'ip6')
    throw doesNotFit(protocol, type === 'net' ? 'an IPv6 network' : 'an IPv6 address', 'ip6 or nothing', column);
  const at = (offset: number): Condition => {
    const words = address.map((word, index): [Value, number, number] => [
      link.fromNetwork(4, offset + 4 * index),
      prefixMask(bits - 32 * index),
      word,
    ]);
    const tests = words.filter(([, mask]) => mask !== 0).map(([value, mask, word]) => equals(masked(value, mask), word));
    return all(carries(link, ETHERTYPE.ip6, column), ...tests);
  };
  return bothWays(
    direction,
    () => at(8),
    () => at(24),
  );
}

/** An Ethernet address. */
export function etherHost(link: Link, { protocol, direction }: Qualifiers, bytes: readonly number[], column: number): Condition {
  if (protocol !== 'ether')
    throw new FilterError(column, 'an Ethernet address stands there', 'it wants "ether host", "ether src" or "ether dst" before it');
  assertEthernet(link, 'an Ethernet address', column);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  // The last four bytes tell most, so they are asked first.
  const at = (offset: number): Condition =>
    all(
      equals(link.fromHeader(4, offset + 2), ((c << 24) | (d << 16) | (e << 8) | f) >>> 0),
      equals(link.fromHeader(2, offset), (a << 8) | b),
    );
  return bothWays(
    direction,
    () => at(6),
    () => at(0),
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

/** A condition on the source and one on the destination, joined as the direction says. */
export function bothWays(direction: Qualifiers['direction'], src: () => Condition, dst: () => Condition): Condition {
  switch (direction) {
    case 'src':
      return src();
    case 'dst':
      return dst();
    case 'both':
      return all(src(), dst());
    default:
      return any(src(), dst());
  }
}

function doesNotFit(protocol: Protocol, what: string, expected: string, column: number): FilterError {
  return new FilterError(column, `${what} stands after "${protocol}", expected ${expected} before it`);
}
