/** What an expression says, before it is known what that means on a link. */
import { type Token } from './lexer';
import { type Protocol } from './words';

export type Direction = 'src' | 'dst' | 'either' | 'both';

/** What stands before an address, a number or a name, and holds for those that follow without one. */
export interface Qualifiers {
  protocol: Protocol | null;
  direction: Direction | null;
  type: 'host' | 'net' | 'port' | 'portrange' | 'proto' | null;
}

export type Joint = 'and' | 'or';

export type Node =
  | { kind: 'chain'; first: Node; rest: { joint: Joint; node: Node }[] }
  | { kind: 'not'; node: Node }
  | { kind: 'protocol'; protocol: Protocol; column: number }
  | { kind: 'item'; qualifiers: Qualifiers; item: Token; prefix: Prefix | null }
  | { kind: 'relation'; relation: string; left: Arithmetic; right: Arithmetic }
  | { kind: 'cast'; cast: 'broadcast' | 'multicast'; protocol: Protocol | null; column: number }
  | { kind: 'byte'; offset: number; relation: string; value: number }
  | { kind: 'less' | 'greater' | 'ifindex'; value: number }
  | { kind: 'inbound' | 'outbound'; column: number }
  | { kind: 'vlan' | 'mpls' | 'pppoed' | 'pppoes'; id: number | null; column: number };

/** What narrows an address to a network: `/24`, or `mask 255.255.255.0`. */
export type Prefix = { kind: 'length'; length: number; column: number } | { kind: 'mask'; mask: number; column: number };

/** Arithmetic in unsigned 32 bits. */
export type Arithmetic =
  | { kind: 'number'; value: number }
  | { kind: 'length' }
  | { kind: 'negate'; of: Arithmetic }
  | { kind: 'calculate'; operator: string; left: Arithmetic; right: Arithmetic; column: number }
  | { kind: 'load'; protocol: Protocol; index: Arithmetic; size: number; column: number };
