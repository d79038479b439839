/**
 * The native core tested alone: every native/test/*.cc is a program, linked with all of native/core and run in a private namespace under
 * AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer; one named *_threads.cc under ThreadSanitizer, which excludes the others.
 * A program prints a line a test: `ok NAME`, `not ok NAME REASON` or `skip NAME REASON`, and ends with 0 unless one failed.
 */
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { filesBelow, hashOf } from './files.mjs';
import { isolated, namespaceObstacle } from './namespace.mjs';
import { inParallel } from './parallel.mjs';
import { Problem, root, run, which } from './run.mjs';

const folder = join(root, '.cache', 'native-test');
const FLAGS = [
  // Frames of a UMEM are checked for their owner.
  '-DDEBUG',
  '-std=c++20',
  '-fno-exceptions',
  '-fno-rtti',
  '-g',
  '-O1',
  '-fno-omit-frame-pointer',
  '-Wall',
  '-Wextra',
  '-Wshadow',
  '-Werror',
];
const SANITIZERS = { address: ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'], thread: ['-fsanitize=thread'] };
const ENVIRONMENT = {
  ASAN_OPTIONS: 'detect_stack_use_after_return=1',
  TSAN_OPTIONS: 'halt_on_error=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};
const LIMIT_S = 120;

const programs = (filter) => filesBelow(join(root, 'native', 'test'), (path) => path.endsWith('.cc') && basename(path).includes(filter));

/** Compiles all of it, so that `runNativeTests` finds it done. */
export async function compileNativeTests() {
  if (which('g++') === null) return;
  for (const program of programs('')) await link(program);
}

/** Runs the programs whose name contains `filter`. Resolves to `{ passed, failed, skipped, output }`. */
export async function runNativeTests(filter = '') {
  const result = { passed: 0, failed: [], skipped: [], output: '' };
  const obstacle = which('g++') === null ? 'missing here: g++' : namespaceObstacle();
  if (obstacle !== null) return { ...result, skipped: [{ title: 'all of it', reason: obstacle }] };
  for (const program of programs(filter)) {
    const name = basename(program, '.cc');
    try {
      await runProgram(name, await link(program), result);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      result.output += `${error.message}\n`;
      result.failed.push(`${name} does not compile`);
    }
  }
  return result;
}

async function runProgram(name, file, result) {
  const [command, args] = isolated('timeout', [`${LIMIT_S}`, file]);
  const { code, output } = await run(command, args, { capture: true, mayFail: true, env: { ...process.env, ...ENVIRONMENT } });
  result.output += output;
  const failures = result.failed.length;
  for (const line of output.split('\n')) {
    const [, verdict, test, reason] = /^(ok|not ok|skip) (\S+) ?(.*)$/.exec(line) ?? [];
    if (verdict === 'ok') result.passed++;
    else if (verdict === 'not ok') result.failed.push(`${name} ${test}`);
    else if (verdict === 'skip') result.skipped.push({ title: `${name} ${test}`, reason });
  }
  if (code !== 0 && result.failed.length === failures) {
    result.failed.push(`${name} ${code === 124 ? `did not end within ${LIMIT_S} s` : `ended with exit code ${code}`}`);
  }
}

async function link(program) {
  const sanitizer = SANITIZERS[program.endsWith('_threads.cc') ? 'thread' : 'address'];
  mkdirSync(folder, { recursive: true });
  const sources = [program, ...filesBelow(join(root, 'native', 'core'), (path) => path.endsWith('.cc'))];
  const objects = await inParallel(sources, (source) => compile(source, sanitizer));
  const file = join(folder, hashOf(...objects));
  if (!existsSync(file)) {
    await run('g++', [...sanitizer, ...objects, '-lpthread', '-o', `${file}.new`], { capture: true, what: `linking ${basename(program)}` });
    renameSync(`${file}.new`, file);
  }
  return file;
}

let headers;

async function compile(source, sanitizer) {
  headers ??= hashOf(...filesBelow(join(root, 'native'), (path) => /\/(core|test)\/.*\.h$/.test(path)).map((path) => readFileSync(path)));
  const object = join(folder, `${hashOf(...FLAGS, ...sanitizer, source, readFileSync(source), headers)}.o`);
  if (!existsSync(object)) {
    await run('g++', [...FLAGS, ...sanitizer, '-c', source, '-o', `${object}.new`], { capture: true, what: `compiling ${source}` });
    renameSync(`${object}.new`, object);
  }
  return object;
}
