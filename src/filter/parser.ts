/** Tokens to what they say, by tcpdump's grammar: `and` and `or` have equal rank and associate to the left, `not` binds one term. */
import { Cursor } from './cursor';
import { FilterError } from './filter-error';
import { tokenize, type Token } from './lexer';
import { CONTINUES, isArithmetic, OPERATORS, parseArithmetic, RELATIONS } from './parse-arithmetic';
import { parseItem, wordBefore } from './parse-item';
import { type Direction, type Joint, type Node, type Qualifiers } from './syntax';
import { type Protocol } from './words';

/** A node with the qualifiers that hold for what follows it without any: `port 80 or 443`. */
interface Parsed {
  node: Node;
  qualifiers: Qualifiers | null;
}

/** `tcp.port`, `ip.addr`. */
const DISPLAY_FILTER = /^[a-z][a-z0-9_]*\.[a-z]/;
const TERM = 'a protocol, host, net, port, proto, vlan, len or another word that begins a term';

/** What `text` says; null for a text with nothing in it. Throws FilterError. */
export function parse(text: string): Node | null {
  const cursor = new Cursor(tokenize(text));
  if (cursor.atEnd) return null;
  const { node } = parseChain(cursor, null);
  if (!cursor.atEnd) cursor.refuse('"and", "or" or the end', wordBefore(cursor.token));
  return node;
}

/** Terms joined by `and` and `or`. `before` holds for a parenthesis that opens right here. */
function parseChain(cursor: Cursor, before: Qualifiers | null): Parsed {
  const first = parseTerm(cursor, before);
  let { qualifiers } = first;
  const rest: { joint: Joint; node: Node }[] = [];
  for (let joint = cursor.take('and', 'or'); joint !== null; joint = cursor.take('and', 'or')) {
    const parsed = parseTermOrItem(cursor, qualifiers);
    rest.push({ joint: joint as Joint, node: parsed.node });
    ({ qualifiers } = parsed);
  }
  return { node: rest.length === 0 ? first.node : { kind: 'chain', first: first.node, rest }, qualifiers };
}

/** What follows a joint: a term, or an address, number or name that takes over the qualifiers before it. */
function parseTermOrItem(cursor: Cursor, qualifiers: Qualifiers | null): Parsed {
  if (beginsItems(cursor)) return { node: parseItems(cursor, qualifiers), qualifiers };
  return parseTerm(cursor, qualifiers);
}

/** Whether what stands here is an item, negated or in parentheses: `443`, `not 443`, `(443 or 80)`. */
function beginsItems(cursor: Cursor): boolean {
  let at = 0;
  while (isSign(cursor.ahead(at), ['(', 'not'])) at++;
  const { kind } = cursor.ahead(at++);
  if (kind !== 'number') return kind === 'name' || kind === 'mac' || kind === 'ipv4' || kind === 'ipv6';
  // `(5) + 1 = len`: a number can turn out to be arithmetic.
  while (isSign(cursor.ahead(at), [')'])) at++;
  return !isSign(cursor.ahead(at), CONTINUES);
}

function isSign(token: Token, signs: readonly string[]): boolean {
  return token.kind === 'sign' && signs.includes(token.sign);
}

function parseTerm(cursor: Cursor, before: Qualifiers | null): Parsed {
  let negated = false;
  while (cursor.take('not') !== null) negated = !negated;
  const parsed = parsePlainTerm(cursor, before);
  return negated ? { ...parsed, node: { kind: 'not', node: parsed.node } } : parsed;
}

function parsePlainTerm(cursor: Cursor, before: Qualifiers | null): Parsed {
  if (isArithmetic(cursor)) return { node: parseRelation(cursor), qualifiers: null };
  if (cursor.take('(') !== null) {
    const { node } = cursor.nested(() => parseChain(cursor, before));
    cursor.expect(')');
    return { node, qualifiers: before };
  }
  const other = parseOther(cursor);
  if (other !== null) return { node: other, qualifiers: null };
  const { token } = cursor;
  const protocol = token.kind === 'protocol' ? token.protocol : null;
  if (protocol !== null) cursor.next();
  const cast = cursor.take('broadcast', 'multicast') as 'broadcast' | 'multicast' | null;
  if (cast !== null) return { node: { kind: 'cast', cast, protocol, column: token.column }, qualifiers: null };
  const qualifiers = parseQualifiers(cursor, protocol);
  if (qualifiers !== null) return { node: parseItems(cursor, qualifiers), qualifiers };
  if (protocol === null) refuseTerm(cursor);
  return { node: { kind: 'protocol', protocol, column: token.column }, qualifiers: null };
}

/** Something that begins no term. An address that stands alone is the commonest. */
function refuseTerm(cursor: Cursor): never {
  const { token } = cursor;
  if (token.kind === 'number') cursor.refuse(TERM, `${wordBefore(token)}, or a relation after it`);
  if (token.kind !== 'name') cursor.refuse(TERM, wordBefore(token));
  if (DISPLAY_FILTER.test(token.text))
    cursor.refuse(TERM, `that is a display filter of Wireshark; here it is tcpdump's language, as in "host 10.0.0.1 and tcp port 80"`);
  return cursor.refuse(TERM, 'the words of the language are lower-case, and there are no names of hosts');
}

/** Direction and type, in this order; null if there is neither. */
function parseQualifiers(cursor: Cursor, protocol: Protocol | null): Qualifiers | null {
  const direction = parseDirection(cursor);
  const types = direction === null ? ['host', 'net', 'port', 'portrange', 'proto'] : ['host', 'net', 'port', 'portrange'];
  const type = cursor.take(...types) as Qualifiers['type'];
  return direction === null && type === null ? null : { protocol, direction, type };
}

function parseDirection(cursor: Cursor): Direction | null {
  const first = cursor.take('src', 'dst');
  if (first === null) return null;
  const joint = cursor.token;
  const second = cursor.ahead(1);
  const isPair =
    joint.kind === 'sign' &&
    (joint.sign === 'and' || joint.sign === 'or') &&
    second.kind === 'sign' &&
    (second.sign === 'src' || second.sign === 'dst');
  if (!isPair) return first as Direction;
  // `src or dst`: after a direction nothing but the other one can follow a joint.
  if (second.sign === first)
    throw new FilterError(second.column, `"${first}" stands there again, expected "${first === 'src' ? 'dst' : 'src'}"`);
  cursor.next();
  cursor.next();
  return joint.sign === 'or' ? 'either' : 'both';
}

/** An item, one that is negated, or several in parentheses. */
function parseItems(cursor: Cursor, qualifiers: Qualifiers | null): Node {
  let negated = false;
  while (cursor.take('not') !== null) negated = !negated;
  const node = cursor.isSign('(') ? parseItemList(cursor, qualifiers) : parseItem(cursor, qualifiers);
  return negated ? { kind: 'not', node } : node;
}

function parseItemList(cursor: Cursor, qualifiers: Qualifiers | null): Node {
  cursor.next();
  return cursor.nested(() => {
    const first = parseItems(cursor, qualifiers);
    const rest: { joint: Joint; node: Node }[] = [];
    for (let joint = cursor.take('and', 'or'); joint !== null; joint = cursor.take('and', 'or'))
      rest.push({ joint: joint as Joint, node: parseItems(cursor, qualifiers) });
    if (cursor.take(')') === null) cursor.refuse('"and", "or" or ")"');
    return rest.length === 0 ? first : { kind: 'chain', first, rest };
  });
}

function parseRelation(cursor: Cursor): Node {
  const left = parseArithmetic(cursor);
  const relation = cursor.take(...RELATIONS);
  if (relation === null) cursor.refuse(`a relation (${RELATIONS.join(' ')}) or an operator (${OPERATORS.join(' ')})`);
  return { kind: 'relation', relation, left, right: parseArithmetic(cursor) };
}

/** The terms that begin with a word of their own. */
function parseOther(cursor: Cursor): Node | null {
  const { token } = cursor;
  const word = cursor.take('less', 'greater', 'ifindex', 'byte', 'inbound', 'outbound', 'vlan', 'mpls', 'pppoed', 'pppoes');
  switch (word) {
    case 'less':
    case 'greater':
    case 'ifindex':
      return { kind: word, value: cursor.expectNumber(word === 'ifindex' ? 'the number of an interface' : 'a length in bytes') };
    case 'byte':
      return parseByte(cursor);
    case 'inbound':
    case 'outbound':
      return { kind: word, column: token.column };
    case 'vlan':
    case 'mpls':
    case 'pppoes':
      return { kind: word, id: parseId(cursor), column: token.column };
    case 'pppoed':
      return { kind: word, id: null, column: token.column };
    default:
      return null;
  }
}

function parseByte(cursor: Cursor): Node {
  const offset = cursor.expectNumber('the offset of a byte');
  if (cursor.isSign('&', '|')) cursor.refuse('"=", "<" or ">"', `say it as "ether[${offset}] & ... != 0"`);
  const relation = cursor.take('=', '<', '>');
  if (relation === null) cursor.refuse('"=", "<" or ">"');
  return { kind: 'byte', offset, relation, value: cursor.expectNumber('a number') };
}

/** A number, in parentheses or not, if one stands here. */
function parseId(cursor: Cursor): number | null {
  let open = 0;
  while (isSign(cursor.ahead(open), ['('])) open++;
  if (cursor.ahead(open).kind !== 'number') return null;
  for (let at = 0; at < open; at++) cursor.next();
  const id = cursor.expectNumber('a number');
  for (let at = 0; at < open; at++) cursor.expect(')');
  return id;
}
