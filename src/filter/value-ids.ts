/** Numbers for values, so that the same value has the same number. */
import { type Value } from './condition';

export class ValueIds {
  readonly #ids = new Map<string, number>();
  readonly #known = new WeakMap<Value, number>();

  of(value: Value): number {
    let id = this.#known.get(value);
    if (id !== undefined) return id;
    const key = this.#key(value);
    id = this.#ids.get(key) ?? this.#ids.size;
    this.#ids.set(key, id);
    this.#known.set(value, id);
    return id;
  }

  #key(value: Value): string {
    switch (value.kind) {
      case 'number':
        return `#${value.value}`;
      case 'length':
        return 'length';
      case 'ancillary':
        return `ancillary ${value.which}`;
      case 'load':
        return `load ${value.size} ${value.offset} ${value.header ?? ''} ${value.index === null ? '' : this.of(value.index)}`;
      case 'negate':
        return `-${this.of(value.of)}`;
      case 'calculate':
        return `${value.operation} ${this.of(value.left)} ${this.of(value.right)}`;
    }
  }
}
