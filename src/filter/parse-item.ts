/** An address, a network, a number or a name, with what narrows an address to a network. */
import { shown, type Cursor } from './cursor';
import { FilterError } from './filter-error';
import { type Token } from './lexer';
import { type Node, type Prefix, type Qualifiers } from './syntax';

export function parseItem(cursor: Cursor, qualifiers: Qualifiers | null): Node {
  const { token } = cursor;
  if (token.kind !== 'name' && token.kind !== 'number' && token.kind !== 'mac' && token.kind !== 'ipv4' && token.kind !== 'ipv6')
    cursor.refuse(asked(qualifiers), token.kind === 'protocol' ? `a protocol is named with a backslash: "\\${token.text}"` : '');
  if (qualifiers === null)
    throw new FilterError(
      token.column,
      `${shown(token)} stands there, where no host, net, port or proto before it says what it is`,
      wordBefore(token),
    );
  // Before what comes behind it is looked at: a mistyped word is taken for one.
  if (token.kind === 'name' && (qualifiers.type === null || qualifiers.type === 'host' || qualifiers.type === 'net'))
    cursor.refuse(asked(qualifiers), 'names are not looked up');
  cursor.next();
  return { kind: 'item', qualifiers, item: token, prefix: token.kind === 'ipv4' || token.kind === 'ipv6' ? parsePrefix(cursor) : null };
}

/** The hint for an address or a number that no word stands before. */
export function wordBefore({ kind, text }: Token): string {
  if (kind === 'ipv4' || kind === 'ipv6') return `an address wants a word before it: "host ${text}"`;
  if (kind === 'mac') return `an Ethernet address wants words before it: "ether host ${text}"`;
  return kind === 'number' ? `a number wants a word before it: "port ${text}"` : '';
}

/** What the words before an item ask for. */
function asked(qualifiers: Qualifiers | null): string {
  const ether = qualifiers?.protocol === 'ether';
  switch (qualifiers?.type) {
    case 'port':
      return 'the number of a port';
    case 'portrange':
      return 'a range of ports such as 1000-2000';
    case 'net':
      return 'a network such as 10.0.0.0/8';
    case 'proto':
      return 'the number of a protocol';
    case 'host':
      return ether ? 'an Ethernet address' : 'an address';
    default:
      return ether ? '"host" or an Ethernet address' : '"host", "net", "port", "portrange" or an address';
  }
}

function parsePrefix(cursor: Cursor): Prefix | null {
  const { column } = cursor.token;
  if (cursor.take('/') !== null) return { kind: 'length', length: cursor.expectNumber('the length of a prefix'), column };
  if (cursor.take('mask') === null) return null;
  if (cursor.token.kind !== 'ipv4') cursor.refuse('a mask such as 255.255.0.0');
  const { address } = cursor.token;
  cursor.next();
  return { kind: 'mask', mask: address, column };
}
