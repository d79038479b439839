/** One suite under one runtime: mocha in a private namespace. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isolated, namespaceObstacle } from './namespace.mjs';
import { root } from './run.mjs';
import { DEFAULT_RUNTIME, runtime, suite } from './suites.mjs';
import { missingPrograms } from './system.mjs';

/** A suite that takes longer hangs. */
const LIMIT_MS = 1_200_000;
/** Time that a process without leaked handles may take to end after its last test. */
const EXIT_MS = 10_000;

/**
 * Resolves to `{ passed, failed, skipped, output }` of the suite, whatever happens to it. `output` is empty unless `capture` is set: it was printed
 * then.
 */
export async function runSuite(name, runtimeName, { mochaArgs = [], capture = false } = {}) {
  const skipped = (reason) => ({ passed: 0, failed: [], skipped: [{ title: 'the whole suite', reason }], output: '' });
  const { needs, exit } = suite(name);
  const missing = missingPrograms(needs);
  if (missing.length > 0) return skipped(`missing here: ${missing.join(', ')}`);
  const obstacle = namespaceObstacle();
  if (obstacle !== null) return skipped(obstacle);
  const { node, env, obstacle: noRuntime } = await runtime(runtimeName);
  if (noRuntime !== undefined) return skipped(noRuntime);

  const folder = mkdtempSync(join(tmpdir(), 'netring-test-'));
  try {
    const file = join(folder, 'result.json');
    const end = await watch(
      isolated(node, [
        '--expose-gc',
        join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'),
        ...['--reporter', join(root, 'scripts', 'lib', 'reporter.cjs'), '--forbid-only', '--timeout', '10000', ...(exit ? ['--exit'] : [])],
        ...mochaArgs,
        join(root, 'dist', 'test', name, '**', '*.test.js'),
      ]),
      {
        ...process.env,
        ...env,
        NETRING_TEST_RESULT: file,
        NETRING_TEST_RUNTIME: runtimeName,
        NETRING_TEST_FIRST: String(runtimeName === DEFAULT_RUNTIME),
      },
      { resultFile: file, capture },
    );
    const told = resultIn(file);
    const result = { passed: 0, failed: [], skipped: [], ...told, output: end.output };
    if (end.late) result.failed.push(end.late);
    else if (end.code !== 0 && result.failed.length === 0) result.failed.push(`mocha ended with ${end.signal ?? `exit code ${end.code}`}`);
    else if (told === null) result.failed.push('the process ended before the tests did');
    return result;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function watch([command, args], env, { resultFile, capture }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env, stdio: capture ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text) => (output += text));
    let late;
    const kill = (reason) => {
      late = reason;
      child.kill('SIGKILL');
    };
    const limit = setTimeout(kill, LIMIT_MS, `the suite did not end within ${LIMIT_MS / 1000} s`);
    let finished;
    const poll = setInterval(() => {
      if (resultIn(resultFile) === null) return;
      finished ??= performance.now();
      if (performance.now() - finished > EXIT_MS) kill('the process did not end after its last test: something was left open');
    }, 500);
    child.once('exit', (code, signal) => {
      clearTimeout(limit);
      clearInterval(poll);
      const done = () => resolve({ code, signal, late, output });
      child.once('close', done);
      // A process that was left behind may hold on to the output.
      setTimeout(done, 1000);
    });
  });
}

function resultIn(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}
