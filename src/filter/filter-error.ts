/** What is wrong with a filter expression, and where. */
import { NetringError } from '../errors/errors';

/**
 * An expression that is no filter: kind `Config`, option `filter`. The message names the column, what stands there and what was expected.
 *
 * @example Where it is wrong
 * ```ts
 * import { compileFilter, FilterError } from '@netring/node-red';
 *
 * const expression = 'tcp prot 502';
 * try {
 *   compileFilter(expression);
 * } catch (error) {
 *   if (!(error instanceof FilterError)) throw error;
 *   console.log(`${expression}\n${'^'.padStart(error.column)} ${error.message} ${error.hint}`);
 * }
 * ```
 */
export class FilterError extends NetringError {
  /** Where it is wrong, counted from 1 in UTF-16 units. */
  readonly column: number;

  /** @internal Thrown by `compileFilter` and whatever takes expressions. */
  constructor(column: number, problem: string, hint = '') {
    super('Config', `invalid configuration: filter column ${column}: ${problem}`, { code: 'EINVAL', option: 'filter', hint });
    this.column = column;
  }
}

/** The hint for what tcpdump can and this compiler cannot. */
export const RAW_HINT = `compile it with "tcpdump -ddd -y EN10MB '...'" and give the text that it prints as the filter`;

/** The hint for what is too long. */
export const SHORTER_HINT =
  'networks instead of single hosts, ranges of ports, and a protocol before a list, as in "udp and (...)", take fewer instructions';
