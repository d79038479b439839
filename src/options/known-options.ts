/** Checks of plain-object options, for which an unknown name is a mistake: a limit that is spelt wrong would be no limit. */
import { NetringError } from '../errors/errors';
import { fill } from './rules';

/** The names of an interface's options. One that is missing in it, or is none, does not compile. */
export type NamesOf<Options> = Readonly<Record<keyof Options, true>>;

/** An option, and the setter by whose name somebody may look for it. */
interface Named {
  readonly name: string;
  readonly setter?: string;
}

/** Throws `NetringError` kind `Config` for what is no object with options in it. */
export function assertOptions(options: unknown): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw NetringError.config('the options are not an object');
}

/** Returns `options`. Throws `NetringError` kind `Config` when they are no object, or have a name that is none of `names`. */
export function knownOptions<Options extends object>(options: Options, names: NamesOf<Options>): Options {
  assertOptions(options);
  for (const name of Object.keys(options))
    if (!Object.hasOwn(names, name))
      throw unknownOption(
        name,
        Object.keys(names).map((known) => ({ name: known })),
      );
  return options;
}

/** Throws `NetringError` kind `Config` unless the option is of the type, or left out. */
export function checkType<Options extends object>(options: Options, name: keyof Options & string, type: 'function' | 'string'): void {
  const value: unknown = options[name];
  if (value !== undefined && typeof value !== type) throw NetringError.config(fill(`${name} is {value}: a ${type}`, { value }), name);
}

/** The error for a name that is none of `rows`. */
export function unknownOption(name: string, rows: readonly Named[]): NetringError {
  const meant = closest(name, rows);
  const suggestion = meant === undefined ? '' : `, did you mean "${meant}"?`;
  return NetringError.config(`unknown option ${fill('{name}', { name })}${suggestion}`, name);
}

/** The option whose name (or setter) is spelt nearly so; netring's own spelling with underscores counts as the same. */
function closest(name: string, rows: readonly Named[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  let best: string | undefined;
  let least = Math.min(3, Math.floor(name.length / 2) + 1);
  for (const row of rows) {
    for (const candidate of [row.name, row.setter ?? row.name]) {
      const distance = editDistance(plain(name), plain(candidate));
      if (distance < least) {
        least = distance;
        best = row.name;
      }
    }
  }
  return best;
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
