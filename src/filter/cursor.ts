/** The place in the tokens, and how deep in parentheses it is. */
import { FilterError, RAW_HINT } from './filter-error';
import { type Token } from './lexer';

/** Parentheses, brackets and negations nested deeper than this are refused. */
const MAX_DEPTH = 64;

export class Cursor {
  #at = 0;
  #depth = 0;
  /** Where the parentheses close, by where they open; made when it is first asked for. */
  #closing: Int32Array | null = null;

  constructor(private readonly tokens: readonly Token[]) {}

  get token(): Token {
    return this.tokens[this.#at] as Token;
  }

  get atEnd(): boolean {
    return this.token.kind === 'end';
  }

  /** The token `distance` further on; `end` beyond the end. */
  ahead(distance: number): Token {
    return this.tokens[Math.min(this.#at + distance, this.tokens.length - 1)] as Token;
  }

  /** How far ahead the parenthesis closes that opens here; the end if it does not. */
  closing(): number {
    this.#closing ??= closings(this.tokens);
    return (this.#closing[this.#at] as number) - this.#at;
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  isSign(...signs: readonly string[]): boolean {
    return this.token.kind === 'sign' && signs.includes(this.token.sign);
  }

  /** Takes one of the signs if it stands here. */
  take(...signs: readonly string[]): string | null {
    if (this.token.kind !== 'sign' || !signs.includes(this.token.sign)) return null;
    const { sign } = this.token;
    this.next();
    return sign;
  }

  expect(sign: string): void {
    if (this.take(sign) === null) this.refuse(`"${sign}"`);
  }

  expectNumber(what: string): number {
    if (this.token.kind !== 'number') this.refuse(what);
    const { value } = this.token;
    this.next();
    return value;
  }

  /** What `body` makes of the inside of a nesting. */
  nested<T>(body: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw new FilterError(this.token.column, `nested deeper than ${MAX_DEPTH}`);
    try {
      return body();
    } finally {
      this.#depth--;
    }
  }

  /** Throws what is wrong at this place. */
  refuse(expected: string, hint = ''): never {
    const { token } = this;
    if (token.kind === 'reserved')
      throw new FilterError(token.column, `${shown(token)} is a word of tcpdump that is not compiled here, expected ${expected}`, RAW_HINT);
    throw new FilterError(token.column, `${shown(token)} stands there, expected ${expected}`, hint);
  }
}

function closings(tokens: readonly Token[]): Int32Array {
  const closing = new Int32Array(tokens.length).fill(tokens.length - 1);
  const open: number[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'sign') continue;
    if (token.sign === '(') open.push(at);
    else if (token.sign === ')' && open.length > 0) closing[open.pop() as number] = at;
  }
  return closing;
}

/** A token in the text of an error. */
export function shown(token: Token): string {
  if (token.kind === 'end') return 'the end';
  return JSON.stringify(token.text.length > 40 ? `${token.text.slice(0, 37)}...` : token.text);
}
