/** Numbers for values, so that the same value has the same number. */
import { type Value } from './condition';
import { Tuples } from './tuples';

const KIND = { number: 0, length: 1, ancillary: 2, load: 3, negate: 4, calculate: 5 } as const;

const NONE = -1;

export class ValueIds {
  readonly #tuples = new Tuples();
  readonly #values: Value[] = [];
  readonly #known = new Map<Value, number>();

  of(value: Value): number {
    let id = this.#known.get(value);
    if (id !== undefined) return id;
    id = this.#number(value);
    if (id === this.#values.length) this.#values.push(value);
    this.#known.set(value, id);
    return id;
  }

  /** A value of that number. */
  value(id: number): Value {
    return this.#values[id] as Value;
  }

  #number(value: Value): number {
    switch (value.kind) {
      case 'number':
        return this.#tuples.of(KIND.number, value.value, NONE, NONE, NONE);
      case 'length':
        return this.#tuples.of(KIND.length, NONE, NONE, NONE, NONE);
      case 'ancillary':
        return this.#tuples.of(KIND.ancillary, value.which, NONE, NONE, NONE);
      case 'load':
        return this.#tuples.of(
          KIND.load,
          value.size,
          value.offset,
          value.header ?? NONE,
          value.index === null ? NONE : this.of(value.index),
        );
      case 'negate':
        return this.#tuples.of(KIND.negate, this.of(value.of), NONE, NONE, NONE);
      case 'calculate':
        return this.#tuples.of(KIND.calculate, value.operation, this.of(value.left), this.of(value.right), NONE);
    }
  }
}
