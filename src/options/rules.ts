/**
 * What a valid option is, in a form that runs in two places: in the library, and (by its source text, see panel.ts) in the editor.
 *
 * So every predicate here is self-contained: it uses its arguments and the language, never a name of its module.
 */

/** What an option can hold once it is checked; null: off, or left to the kernel. */
export type OptionValue = string | number | boolean | readonly unknown[] | null;

/** Checked options by name. */
export type OptionValues = Readonly<Record<string, OptionValue>>;

/** The bound of a rule that depends on the machine. */
export const PAGE_SIZE = 'PAGE_SIZE';

/** Page size where the machine's is not known: in the editor, which may run elsewhere. Larger pages are multiples of it. */
export const EDITOR_PAGE_SIZE = 4096;

/** A rule over one number. */
export interface Limit {
  readonly kind: 'powerOfTwo' | 'multipleOf' | 'onceOrTwice' | 'atLeast' | 'atMost';
  readonly broken: (value: number, bound: number) => boolean;
  readonly bound: number | typeof PAGE_SIZE;
  /** What is wrong, with `{name}`, `{value}` and `{bound}` to fill in. */
  readonly text: string;
  /** The rule in the words of the documentation, with `{bound}`. */
  readonly says: string;
}

export function powerOfTwo(): Limit {
  return {
    kind: 'powerOfTwo',
    broken: (value) => !(value > 0 && Math.pow(2, Math.round(Math.log2(value))) === value),
    bound: 0,
    text: '{name} {value} is not a power of 2',
    says: 'a power of 2',
  };
}

export function multipleOf(bound: Limit['bound'], called: string): Limit {
  return {
    kind: 'multipleOf',
    broken: (value, bound) => value % bound !== 0,
    bound,
    text: `{name} {value} is not a multiple of ${called} ({bound})`,
    says: bound === PAGE_SIZE ? 'a multiple of the page size' : 'a multiple of {bound}',
  };
}

export function onceOrTwice(bound: number): Limit {
  return {
    kind: 'onceOrTwice',
    broken: (value, bound) => value !== bound && value !== 2 * bound,
    bound,
    text: `{name} {value} is neither {bound} nor ${2 * bound}: the kernel takes no other`,
    says: `{bound} or ${2 * bound}`,
  };
}

export function atLeast(bound: number, text = '{name} {value} is less than {bound}'): Limit {
  return { kind: 'atLeast', broken: (value, bound) => value < bound, bound, text, says: 'at least {bound}' };
}

export function atMost(bound: number): Limit {
  const text = '{name} {value} is more than {bound}';
  return { kind: 'atMost', broken: (value, bound) => value > bound, bound, text, says: 'at most {bound}' };
}

/** A rule over several options, checked when each by itself is right. */
export interface Combination {
  /** The option that is named as the wrong one. */
  readonly option: string;
  /** A warning instead of an error: the options have no effect together, but do no harm. */
  readonly warns?: true;
  /** Holds only for options that were given, not filled in; for warnings, which the editor does not show. */
  readonly given?: readonly string[];
  /** Every option that it looks at. */
  readonly reads: readonly string[];
  /** Self-contained, as the predicates are: of the names it may use only `reads`. */
  readonly broken: (values: OptionValues, pageSize: number, reads: readonly string[]) => boolean;
  /** What is wrong, with the names of options in braces to fill in. */
  readonly text: string;
}

/** Fills the `{names}` of a rule's text. Self-contained, as the predicates are. */
export function fill(text: string, values: Readonly<Record<string, unknown>>): string {
  return text.replace(/\{(\w+)\}/g, function (_whole, name: string) {
    const value = values[name];
    let shown;
    try {
      // eslint-disable-next-line @typescript-eslint/no-base-to-string -- objects are no strings here, and the rest has a text of its own
      shown = typeof value === 'string' || typeof value === 'object' ? JSON.stringify(value) : String(value);
    } catch {
      shown = 'of type object';
    }
    if (typeof value === 'bigint') shown += 'n';
    return shown.length > 60 ? shown.slice(0, 57) + '...' : shown;
  });
}

/** What is wrong with the name of an interface, the value of `option`; null: nothing. The kernel's dev_valid_name(), and '' for a missing one. Self-contained. */
export function interfaceProblem(name: string, option: string): string | null {
  if (name === '') return option + ' is required';
  // The kernel looks at bytes: its white space includes 0xa0, which is the second byte of some UTF-8 letters.
  const bytes = unescape(encodeURIComponent(name));
  if (bytes.length > 15) return option + ' ' + JSON.stringify(name) + ' is ' + bytes.length + ' bytes long, a name has at most 15';
  if (name === '.' || name === '..' || /[/:\0\t-\r \xa0]/.test(bytes))
    return (
      option + ' ' + JSON.stringify(name) + ' is no name of an interface: it has no "/", ":", white space or NUL and is not "." or ".."'
    );
  return null;
}

/** What is wrong with what names a network namespace: a name of `ip netns`, an absolute path, or the id of a process; null: nothing. Self-contained. */
export function namespaceProblem(where: string, option: string): string | null {
  if (/^\/[^\0]+$/.test(where) || /^0*[1-9]\d*$/.test(where)) return null;
  const name = where.indexOf('/') < 0 && where.indexOf('\0') < 0 && where !== '.' && where !== '..' && where.length <= 255;
  if (name && !/^\d*$/.test(where)) return null;
  return option + ' ' + JSON.stringify(where) + ' is neither a name of a network namespace, nor an absolute path, nor the id of a process';
}
