/** Text to tokens. */
import { parseIpv4, parseIpv6, parseMac, parseNumber } from './addresses';
import { FilterError, RAW_HINT } from './filter-error';
import { meaningOf, type Protocol } from './words';

/** Longer texts are refused before anything looks at them: a thousand hosts fit. */
const MAX_LENGTH = 65_536;

/** What every token has: its place, counted from 1, and its text. */
interface Placed {
  column: number;
  text: string;
}

export type Token = Placed &
  (
    | { kind: 'number'; value: number }
    | { kind: 'name' }
    | { kind: 'mac'; bytes: number[] }
    | { kind: 'ipv4'; address: number; bits: number }
    | { kind: 'ipv6'; words: number[] }
    | { kind: 'protocol'; protocol: Protocol }
    | { kind: 'reserved' }
    /** A word of the grammar or a sign, by its meaning: `&&` is `and`, `==` is `=`. */
    | { kind: 'sign'; sign: string }
    | { kind: 'end' }
  );

const SIGNS: Readonly<Record<string, string>> = { '&&': 'and', '||': 'or', '!': 'not', '==': '=' };
const SPACES = ' \t\r\n';
const SIGN = /&&|\|\||>=|<=|!=|==|<<|>>|[-+*/%:[\]!<>()&|^=]/y;
/** Ends neither in `-` nor in `_`. */
const WORD = /[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y;
/** With two colons or more it is an address; with one it is part of an index, `ip[0:2]`. */
const COLONS = /[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:]*(?:[0-9]*(?:\.[0-9]+)+)?/y;
/** A program as `tcpdump -d` and `-dd` print it: `(000) ldh [12]`, `{ 0x28, 0, 0, 0x0000000c },`. */
const LISTING = /^\s*(?:\(0+\)\s|\{\s*0x)/;
/** `\tcp` is the name "tcp", not the word. */
const ESCAPED = /\\[^ !()\n\t]+/y;

/** The tokens of `text`, with an `end` at the end. Throws FilterError. */
export function tokenize(text: string): Token[] {
  if (text.length > MAX_LENGTH)
    throw new FilterError(MAX_LENGTH + 1, `the expression has ${text.length} characters, more than ${MAX_LENGTH}`);
  const tokens: Token[] = [];
  for (let at = afterSpace(text, 0); at < text.length;) {
    const token = next(text, at);
    tokens.push(token);
    at = afterSpace(text, at + token.text.length);
  }
  tokens.push({ kind: 'end', column: text.length + 1, text: '' });
  return tokens;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && SPACES.includes(text.charAt(at))) at++;
  return at;
}

/** What a pattern matches at a place; '' for nothing. */
function match(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.test(text) ? text.slice(at, pattern.lastIndex) : '';
}

function next(text: string, at: number): Token {
  const column = at + 1;
  const word = match(WORD, text, at);
  // What has two colons begins with one, or has one behind digits.
  if (text.charAt(at + word.length) === ':') {
    const colons = match(COLONS, text, at);
    if (colons !== '') return withColons(column, colons);
  }
  if (word !== '') return wordToken(column, word);
  const sign = match(SIGN, text, at);
  if (sign !== '') return { kind: 'sign', column, text: sign, sign: SIGNS[sign] ?? sign };
  const escaped = match(ESCAPED, text, at);
  if (escaped !== '') return { kind: 'name', column, text: escaped };
  const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
  throw new FilterError(
    column,
    `${JSON.stringify(character)} stands there, no word, number, address or sign begins so`,
    LISTING.test(text) ? RAW_HINT : character === ',' ? 'several are joined by "or": "port 80 or 443"' : '',
  );
}

function withColons(column: number, text: string): Token {
  const bytes = parseMac(text);
  if (bytes !== null) return { kind: 'mac', column, text, bytes };
  const words = parseIpv6(text);
  if (words !== null) return { kind: 'ipv6', column, text, words };
  throw new FilterError(column, `${text} stands there, which is neither an IPv6 nor an Ethernet address`);
}

function wordToken(column: number, text: string): Token {
  const meaning = meaningOf(text);
  if (meaning?.kind === 'protocol') return { kind: 'protocol', column, text, protocol: meaning.protocol };
  if (meaning?.kind === 'grammar') return { kind: 'sign', column, text, sign: meaning.meaning };
  if (meaning?.kind === 'number') return { kind: 'number', column, text, value: meaning.value };
  if (meaning?.kind === 'reserved') return { kind: 'reserved', column, text };
  const bytes = parseMac(text);
  if (bytes !== null) return { kind: 'mac', column, text, bytes };
  const value = parseNumber(text);
  if (value === -1)
    throw new FilterError(
      column,
      `${text} stands there, which is no number of 32 bits`,
      'a number that begins with 0 is octal, one that begins with 0x hexadecimal',
    );
  if (value !== null) return { kind: 'number', column, text, value };
  if (/^[0-9]+(?:\.[0-9]+){1,3}$/.test(text)) {
    const ipv4 = parseIpv4(text);
    if (ipv4 === null) throw new FilterError(column, `${text} stands there, which is no IPv4 address: its numbers go from 0 to 255`);
    return { kind: 'ipv4', column, text, ...ipv4 };
  }
  return { kind: 'name', column, text };
}
