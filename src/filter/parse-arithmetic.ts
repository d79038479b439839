/** Arithmetic: numbers, `len`, bytes of a protocol (`tcp[tcpflags]`, `ip[2:2]`), operators. */
import { type Cursor } from './cursor';
import { FilterError } from './filter-error';
import { type Arithmetic } from './syntax';

/**
 * What binds tighter is higher. `%` and `^` have no rank in tcpdump's grammar: whatever stands to the right of them belongs to their right operand,
 * and they to the right operand of what stands before. `ip[0] % 2 + 1` is `ip[0] % (2 + 1)`.
 */
const RANK: Readonly<Record<string, number | null>> = {
  '|': 1,
  '&': 2,
  '<<': 3,
  '>>': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': null,
  '^': null,
};
const NEGATION = 6;

export const OPERATORS = Object.keys(RANK);
export const RELATIONS = ['=', '!=', '>', '>=', '<', '<='];

/** What can follow the left part of a calculation or a relation. */
export const CONTINUES = [...OPERATORS, ...RELATIONS];

/** The tree of an expression is as deep as it has operands: those of one calculation, and with those in its parentheses and brackets. */
const MAX_OPERANDS = 256;
const MAX_OPERANDS_IN_ALL = 2048;

interface Pending {
  operator: string;
  column: number;
  rank: number | null;
}

/** Whether arithmetic begins here. A number and a parenthesis can begin something else: `(80 or 443)`. What comes after them tells. */
export function isArithmetic(cursor: Cursor): boolean {
  const { token } = cursor;
  if (token.kind === 'number') return isSignAt(cursor, 1, CONTINUES);
  if (token.kind === 'protocol') return isSignAt(cursor, 1, ['[']);
  if (cursor.isSign('(')) return isSignAt(cursor, cursor.closing() + 1, CONTINUES);
  return cursor.isSign('-', 'len');
}

function isSignAt(cursor: Cursor, distance: number, signs: readonly string[]): boolean {
  const token = cursor.ahead(distance);
  return token.kind === 'sign' && signs.includes(token.sign);
}

/** Reads arithmetic as far as it goes. `total` counts the operands that it shares a calculation with. */
export function parseArithmetic(cursor: Cursor, total = { operands: 0 }): Arithmetic {
  const operands: Arithmetic[] = [];
  const operators: Pending[] = [];
  const reduce = (): void => {
    const { operator, column } = operators.pop() as Pending;
    const right = operands.pop() as Arithmetic;
    if (operator === 'negate') return void operands.push({ kind: 'negate', of: right });
    operands.push({ kind: 'calculate', operator, left: operands.pop() as Arithmetic, right, column });
  };
  for (let count = 1; ; count++) {
    for (; cursor.isSign('-'); count++) {
      operators.push({ operator: 'negate', column: cursor.token.column, rank: NEGATION });
      cursor.next();
    }
    if (count > MAX_OPERANDS) throw new FilterError(cursor.token.column, `more than ${MAX_OPERANDS} operands in one calculation`);
    if (++total.operands > MAX_OPERANDS_IN_ALL)
      throw new FilterError(cursor.token.column, `more than ${MAX_OPERANDS_IN_ALL} operands in calculations within one another`);
    operands.push(parseOperand(cursor, total));
    if (!cursor.isSign(...OPERATORS)) break;
    const { column } = cursor.token;
    const operator = cursor.next().text;
    const rank = RANK[operator] as number | null;
    for (let last = operators.at(-1); last !== undefined && reducesBefore(last.rank, rank); last = operators.at(-1)) reduce();
    operators.push({ operator, column, rank });
  }
  while (operators.length > 0) reduce();
  return operands[0] as Arithmetic;
}

function reducesBefore(done: number | null, coming: number | null): boolean {
  return done !== null && coming !== null && done >= coming;
}

function parseOperand(cursor: Cursor, total: { operands: number }): Arithmetic {
  const { token } = cursor;
  if (token.kind === 'number') {
    cursor.next();
    return { kind: 'number', value: token.value };
  }
  if (cursor.take('len') !== null) return { kind: 'length' };
  if (cursor.isSign('(')) {
    cursor.next();
    const inside = cursor.nested(() => parseArithmetic(cursor, total));
    cursor.expect(')');
    return inside;
  }
  if (token.kind !== 'protocol') cursor.refuse('a number, len or bytes of a protocol such as tcp[13]');
  cursor.next();
  cursor.expect('[');
  const index = cursor.nested(() => parseArithmetic(cursor, total));
  const size = cursor.take(':') === null ? 1 : cursor.expectNumber('the size of a load: 1, 2 or 4');
  if (size !== 1 && size !== 2 && size !== 4) throw new FilterError(token.column, `a load of ${size} bytes, there are those of 1, 2 and 4`);
  cursor.expect(']');
  return { kind: 'load', protocol: token.protocol, index, size, column: token.column };
}
