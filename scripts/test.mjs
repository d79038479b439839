/**
 * npm test                                everything, from a fresh clone
 * npm test -- traffic [mocha's options]   one suite (a folder of test/) while developing
 * npm test -- nodes@node24-nodered5       the same under another runtime (scripts/lib/suites.mjs)
 * npm test -- native                      the tests of the native core
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, compileTests } from './lib/build.mjs';
import { runSuite } from './lib/mocha.mjs';
import { buildNative, makePrebuilt } from './lib/native.mjs';
import { runNativeTests } from './lib/native-tests.mjs';
import { ensurePackages } from './lib/packages.mjs';
import { inParallel } from './lib/parallel.mjs';
import { Problem, main, root, runIdle } from './lib/run.mjs';
import { DEFAULT_RUNTIME, installRuntimes, plan, suites } from './lib/suites.mjs';
import { installPrograms } from './lib/system.mjs';
import { Tally, seconds } from './lib/tally.mjs';

const tally = new Tally();

async function everything() {
  await installPrograms();
  await ensurePackages();
  const built = await Promise.all([
    tally.check('the native part compiles', () => buildNative()),
    tally.check('TypeScript compiles: library, nodes, panels, tests', async () => {
      await build();
      await compileTests();
    }),
    installRuntimes(),
  ]);
  // The suites wait more than they work: meanwhile the processors check and compile.
  const linted = tally.check('formatters and linters find nothing', () => runIdle('lint.mjs'));
  const nativeCompiled = tally.check('the tests of the native core compile', () => runIdle('compile-native-tests.mjs'));
  if (built.includes(false)) {
    await Promise.all([linted, nativeCompiled]);
    return console.log('\nThe other suites need a build that works.');
  }
  await tally.check('the prebuilt binary asks no more of a system than Node.js 20 does', () => makePrebuilt());
  const { first, alone, quiet, beside, extra } = plan();
  await inTurn(first);
  await nativeCompiled;
  // The native core's load nothing that a suite could write.
  await Promise.all([nativeTests(), inTurn(alone, { capture: true })]);
  await linted;
  await inTurn(quiet);
  // Not more at a time: with three that work on two processors, browsers missed their times. What suites print is held back until they end: it would be
  // mixed up.
  await Promise.all([
    inParallel(beside, ({ suite, runtime }) => oneSuite(suite, runtime, { capture: true })),
    inTurn(extra, { capture: true }),
  ]);
}

async function inTurn(entries, options) {
  for (const { suite, runtime } of entries) await oneSuite(suite, runtime, options);
}

async function oneSuite(suite, runtime, options) {
  const where = `${suite} on ${runtime}`;
  const start = performance.now();
  if (!options?.capture) console.log(`\n== ${where}`);
  const { output, ...result } = await runSuite(suite, runtime, options);
  tally.add(where, result);
  console.log(`${output}== ${where}: ${counts(result)} in ${seconds(start)} s`);
}

async function nativeTests(filter) {
  const start = performance.now();
  const { output, ...result } = await runNativeTests(filter);
  tally.add('native core', result);
  console.log(`\n${output}== native core: ${counts(result)} in ${seconds(start)} s`);
}

const counts = ({ passed, failed, skipped }) => `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`;

async function developing(argument, rest) {
  await ensurePackages();
  if (argument === 'native') return nativeTests(rest[0]);
  const [suite, runtime = DEFAULT_RUNTIME] = argument.split('@');
  if (!suites().includes(suite)) throw new Problem(`no suite ${suite}; there are ${suites().join(', ')} and native`);
  await tally.check('the native part builds', () => buildNative());
  // Each goes on without the other: while one part of the house is being rebuilt, the tests of another still run.
  await tally.check('the package compiles', () => build());
  await tally.check('the tests compile', () => compileTests());
  if (existsSync(join(root, 'dist', 'test', suite))) await oneSuite(suite, runtime, { mochaArgs: rest });
}

await main(async () => {
  const [argument, ...rest] = process.argv.slice(2);
  try {
    await (argument === undefined ? everything() : developing(argument, rest));
  } finally {
    tally.report();
  }
});
