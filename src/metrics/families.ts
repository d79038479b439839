/** All metrics of the process, by name. */
import type { Book } from './book';
import { bridges, captures, channels, injectors, xdpSockets } from './books';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric with its series. */
export interface Family {
  /** A counter's ends with `_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labelNames: readonly string[];
  /** Reads what is open. Everything that is asked for in one run of callbacks comes of one reading. */
  samples(): Sample[];
}

/** What is asked of a book of any kind. */
export type AnyBook = Pick<Book<object>, 'prefix' | 'labelNames' | 'columns' | 'rows'>;

const books: AnyBook[] = [captures, channels, injectors, xdpSockets, bridges];

/** Adds what others than the library's handles count. */
export function addBook(book: AnyBook): void {
  books.push(book);
}

export const families = (): Family[] => books.flatMap(familiesOf);

function familiesOf(book: AnyBook): Family[] {
  const names = [...new Set(book.columns.map(({ name }) => name))];
  return names.map((name) => {
    const places = [...book.columns.keys()].filter((place) => book.columns[place]!.name === name);
    const { help, type, labels = {} } = book.columns[places[0]!]!;
    return {
      name: `${book.prefix}${name}${type === 'counter' ? '_total' : ''}`,
      help,
      type,
      labelNames: [...book.labelNames, ...Object.keys(labels)],
      samples: () => book.rows().flatMap((row) => places.map((place) => sampleOf(book, row, place))),
    };
  });
}

function sampleOf(book: AnyBook, row: ReturnType<AnyBook['rows']>[number], place: number): Sample {
  const labels = Object.fromEntries(book.labelNames.map((name, i) => [name, row.labels[i] ?? '']));
  return { labels: { ...labels, ...book.columns[place]?.labels }, value: row.values[place] ?? 0 };
}
