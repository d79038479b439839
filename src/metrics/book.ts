/**
 * The series of one kind of counted things. A thing is read when somebody asks; what it had counted when it ended is kept, so that the series of an
 * interface only grow, however often it is opened.
 */

/** A metric, or one of those of the same name that differ in `labels`. */
export interface Column {
  /** Without prefix and without `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labels?: Readonly<Record<string, string>>;
}

/** One row: the values of a book's label names, and one number for each of its columns. */
export interface Row {
  readonly labels: readonly string[];
  readonly values: readonly number[];
}

interface Entry<T extends object> {
  readonly thing: WeakRef<T>;
  rows: readonly Row[];
}

/** Rows that are kept of things that are no more: interfaces come and go, those of containers under ever new names. */
export const MOST_KEPT = 256;

export class Book<T extends object> {
  readonly prefix: string;
  readonly labelNames: readonly string[];
  readonly columns: readonly Column[];
  readonly #read: (thing: T) => readonly Row[];
  readonly #entries = new Set<Entry<T>>();
  readonly #entryOf = new WeakMap<T, Entry<T>>();
  /** What has ended, the longest ago first. */
  readonly #kept = new Map<string, Row>();
  /** A thing that is never closed is lost with its last reading. */
  readonly #lost = new FinalizationRegistry<Entry<T>>((entry) => this.#settle(entry));
  #rows: readonly Row[] | undefined;

  /** `read` is called while the thing is open and once after; the labels of its rows never change. */
  constructor(prefix: string, labelNames: readonly string[], columns: readonly Column[], read: (thing: T) => readonly Row[]) {
    this.prefix = prefix;
    this.labelNames = labelNames;
    this.columns = columns;
    this.#read = read;
  }

  open(thing: T): void {
    const entry: Entry<T> = { thing: new WeakRef(thing), rows: this.#read(thing) };
    this.#entries.add(entry);
    this.#entryOf.set(thing, entry);
    this.#lost.register(thing, entry, entry);
    this.#rows = undefined;
  }

  /** Reads the thing for the last time; no effect on one that is not open. */
  close(thing: T): void {
    const entry = this.#entryOf.get(thing);
    if (entry === undefined) return;
    this.#entryOf.delete(thing);
    this.#lost.unregister(entry);
    entry.rows = this.#grown(entry.rows, this.#read(thing));
    this.#settle(entry);
  }

  /** Counts for something that is not in the book. */
  record(row: Row): void {
    this.#keep(row);
  }

  /** The sums by labels, read anew once in every run of the event loop's callbacks: one scrape asks for each metric by itself. */
  rows(): readonly Row[] {
    if (this.#rows === undefined) {
      this.#rows = this.#sum();
      queueMicrotask(() => (this.#rows = undefined));
    }
    return this.#rows;
  }

  #sum(): Row[] {
    const sums = new Map(this.#kept);
    for (const entry of this.#entries) {
      const thing = entry.thing.deref();
      if (thing !== undefined) entry.rows = this.#grown(entry.rows, this.#read(thing));
      for (const row of entry.rows) sums.set(keyOf(row), this.#added(sums.get(keyOf(row)), row));
    }
    return [...sums.values()];
  }

  /** A counter that something else is subtracted from may seem to step back while the kernel lags behind in telling. */
  #grown(before: readonly Row[], now: readonly Row[]): readonly Row[] {
    return now.map(({ labels, values }, i) => ({
      labels,
      values: values.map((value, k) => (this.columns[k]?.type === 'counter' ? Math.max(value, before[i]?.values[k] ?? 0) : value)),
    }));
  }

  #added(sum: Row | undefined, row: Row): Row {
    return sum === undefined ? row : { labels: row.labels, values: row.values.map((value, k) => value + (sum.values[k] ?? 0)) };
  }

  #settle(entry: Entry<T>): void {
    this.#entries.delete(entry);
    for (const row of entry.rows) this.#keep(row);
  }

  #keep(row: Row): void {
    const key = keyOf(row);
    const counted = { labels: row.labels, values: row.values.map((value, k) => (this.columns[k]?.type === 'counter' ? value : 0)) };
    const sum = this.#added(this.#kept.get(key), counted);
    this.#kept.delete(key);
    this.#kept.set(key, sum);
    this.#rows = undefined;
    if (this.#kept.size > MOST_KEPT) this.#forgetOldest();
  }

  /** The oldest that is not open again: a series that is there must not fall. */
  #forgetOldest(): void {
    const open = new Set([...this.#entries].flatMap(({ rows }) => rows.map(keyOf)));
    for (const key of this.#kept.keys()) {
      if (open.has(key)) continue;
      this.#kept.delete(key);
      return;
    }
  }
}

const keyOf = ({ labels }: Row): string => labels.join('\0');
