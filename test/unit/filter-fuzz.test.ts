/** The parser against noise: it ends with a program or with a FilterError, and soon. NETRING_FUZZ_SECONDS lets it run longer. */
import assert from 'node:assert/strict';
import { compileFilter, FilterError } from '../../src';
import { parseFilter } from '../../src/options/filter-program';
import { EXPRESSIONS } from '../support/filter/expressions';
import { Random } from '../support/filter/random';
import { randomExpression } from '../support/filter/random-expressions';
import { REJECTS } from '../support/filter/rejects';

const SECONDS = Number(process.env['NETRING_FUZZ_SECONDS'] ?? 3);
/** A text of any length that is taken; the machine may be busy. */
const LIMIT_MS = 1000;

const WORDS = [
  ...new Set(
    [...EXPRESSIONS, ...REJECTS]
      .filter((text) => text.length < 100)
      .flatMap((text) => text.match(/[A-Za-z0-9._:\\-]+|[^A-Za-z0-9 ]+/g) ?? []),
  ),
];

describe('filters: fuzz', function () {
  this.timeout(SECONDS * 1000 + 20_000);

  it(`nothing but FilterError in ${SECONDS} s`, () => {
    const seed = Number(process.env['NETRING_FUZZ_SEED'] ?? 1);
    const random = new Random(seed);
    const end = performance.now() + SECONDS * 1000;
    let [taken, refused, slowest, slowText] = [0, 0, 0, ''];
    while (performance.now() < end) {
      const text = noise(random);
      const start = performance.now();
      try {
        const program = compileFilter(text, { for: random.of(['socket', 'file'] as const), linkType: random.of([1, 1, 1, 65534]) });
        assert.deepEqual(parseFilter(program), program);
        taken++;
      } catch (error) {
        assert.ok(error instanceof FilterError, `seed ${seed}: ${JSON.stringify(text)}: ${String(error)}`);
        assert.ok(error.column >= 1 && error.column <= text.length + 1, `column ${error.column} of ${JSON.stringify(text)}`);
        refused++;
      }
      const took = performance.now() - start;
      if (took > slowest) [slowest, slowText] = [took, text];
    }
    if (process.env['NETRING_FUZZ_SECONDS'] !== undefined)
      console.log(
        `      ${taken} taken, ${refused} refused, slowest ${slowest.toFixed(1)} ms for ${slowText.length} characters: ${slowText.slice(0, 80)}`,
      );
    assert.ok(slowest < LIMIT_MS, `${slowest} ms for ${JSON.stringify(slowText.slice(0, 500))}`);
    assert.ok(taken > 100 && refused > 100, `${taken} taken, ${refused} refused`);
  });
});

function noise(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return String.fromCharCode(
        ...Array.from({ length: random.below(60) }, () => (random.chance(90) ? 32 + random.below(95) : random.below(65536))),
      );
    case 1:
      return Array.from({ length: random.below(random.chance(2) ? 2000 : 30) }, () => random.of(WORDS)).join(random.chance(80) ? ' ' : '');
    case 2:
      return randomExpression(random, random.below(7));
    default:
      return bent(random, random.chance(50) ? randomExpression(random) : random.of(EXPRESSIONS));
  }
}

/** Pieces of it doubled, swapped, lost or replaced. */
function bent(random: Random, text: string): string {
  let result = text;
  for (let count = 1 + random.below(4); count > 0; count--) {
    const [from, length] = [random.below(result.length + 1), random.below(12)];
    const piece = result.slice(from, from + length);
    const instead = random.of([
      () => '',
      () => piece + piece,
      () => random.of(WORDS),
      () => ` ${random.of(WORDS)} `,
      () => piece.toUpperCase(),
      () => random.of([...'()[]!&|<>=+-*/%^:\\ \0']),
    ])();
    result = result.slice(0, from) + instead + result.slice(from + length);
  }
  return result;
}
