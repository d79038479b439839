/** Compiles the expression in a file, the first that this process compiles, and prints the milliseconds that took. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { compileFilter } = createRequire(import.meta.url)('../../dist/src/index.js');

const expression = readFileSync(process.argv[2], 'utf8');
const from = process.hrtime.bigint();
try {
  compileFilter(expression);
} catch {
  // One that is refused takes its time, too.
}
console.log(Number(process.hrtime.bigint() - from) / 1e6);
