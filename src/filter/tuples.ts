/** Numbers for tuples, so that equal tuples have the same number. */

const FIELDS = 5;

/** Tuples of five integers of 32 bits. A table of its own: a string for each would be most of the work of a compilation. */
export class Tuples {
  #size = 0;
  #fields = new Int32Array(FIELDS * 32);
  /** Open addressing, at most half full: the number of a tuple and 1, or 0 for none. */
  #slots = new Int32Array(64);

  /** How many there are; the number that the next new one gets. */
  get size(): number {
    return this.#size;
  }

  /** The number of a tuple. */
  of(a: number, b: number, c: number, d: number, e: number): number {
    const slot = this.#slot(a, b, c, d, e);
    const found = (this.#slots[slot] as number) - 1;
    if (found >= 0) return found;
    const number = this.#size++;
    const fields = this.#fields;
    const at = number * FIELDS;
    fields[at] = a;
    fields[at + 1] = b;
    fields[at + 2] = c;
    fields[at + 3] = d;
    fields[at + 4] = e;
    this.#slots[slot] = this.#size;
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    return number;
  }

  /** The same, or -1 for one that has none yet. */
  find(a: number, b: number, c: number, d: number, e: number): number {
    return (this.#slots[this.#slot(a, b, c, d, e)] as number) - 1;
  }

  /** The slot of a tuple, or the free one where it belongs. */
  #slot(a: number, b: number, c: number, d: number, e: number): number {
    const slots = this.#slots;
    const fields = this.#fields;
    const mask = slots.length - 1;
    let slot = hash(a, b, c, d, e) & mask;
    for (let entry = slots[slot] as number; entry !== 0; entry = slots[slot] as number) {
      const at = (entry - 1) * FIELDS;
      if (
        fields[at] === (a | 0) &&
        fields[at + 1] === (b | 0) &&
        fields[at + 2] === (c | 0) &&
        fields[at + 3] === (d | 0) &&
        fields[at + 4] === (e | 0)
      )
        break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const fields = new Int32Array(this.#fields.length * 2);
    fields.set(this.#fields);
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let index = 0; index < this.#size; index++) {
      const at = index * FIELDS;
      const hashed = hash(field(fields, at), field(fields, at + 1), field(fields, at + 2), field(fields, at + 3), field(fields, at + 4));
      let slot = hashed & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#fields = fields;
    this.#slots = slots;
  }
}

const field = (fields: Int32Array, at: number): number => fields[at] as number;

function hash(a: number, b: number, c: number, d: number, e: number): number {
  let mixed = Math.imul(a, 0x9e3779b1) ^ b;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) ^ c;
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) ^ d;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x9e3779b1) ^ e;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}
