/** Formatters and linters of both languages. What was found good is remembered by content in .cache/. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { filesBelow, hashOf, Memory } from './files.mjs';
import { inParallel } from './parallel.mjs';
import { Problem, bin, output as outputOf, root, run, which } from './run.mjs';

const cacheFlags = (name) => ['--cache', '--cache-strategy', 'content', '--cache-location', join(root, '.cache', name)];
const native = (pattern) => filesBelow(join(root, 'native'), (path) => !path.includes('/build/') && pattern.test(path));

/** `[title, body]` of every check; a body rejects with what is wrong. With `fix`, the formatters and eslint write. */
export function lintChecks({ fix = false } = {}) {
  return [
    [
      'prettier',
      () => quietly(bin('prettier'), [fix ? '--write' : '--check', '--log-level', fix ? 'warn' : 'log', ...cacheFlags('prettier'), '.']),
    ],
    ['eslint', () => quietly(bin('eslint'), ['--max-warnings', '0', ...(fix ? ['--fix'] : []), ...cacheFlags('eslint'), '.'])],
    ['reference', () => reference(fix)],
    ['clang-format', () => clangFormat(fix)],
    ['clang-tidy', clangTidy],
  ];
}

/** Rejects with what the tool found, without its command line: that names every file. */
async function quietly(command, args) {
  const { code, output } = await run(command, args, { capture: true, mayFail: true });
  if (code !== 0) throw new Problem(`${output.trimEnd()}\n("npm run format" mends what is only a matter of form)`);
}

/** Whether docs/reference/ is what the doc comments say, and these are complete. In a process of its own: it computes for seconds. */
async function reference(fix) {
  const good = new Memory('reference');
  const inputs = () => [
    ...filesBelow(join(root, 'src')),
    ...filesBelow(join(root, 'docs'), (path) => path.endsWith('.md')),
    ...filesBelow(join(root, 'scripts'), (path) => /reference/.test(path)),
    ...['README.md', 'package-lock.json', 'tsconfig.json'].map((name) => join(root, name)),
  ];
  const state = () => hashOf(...inputs().flatMap((path) => [path, readFileSync(path)]));
  if (good.has(state())) return;
  await quietly(process.execPath, [join(root, 'scripts', 'docs.mjs'), ...(fix ? [] : ['--check'])]);
  good.keepOnly(new Set());
  good.add(state());
}

async function clangFormat(fix) {
  const files = [
    ...native(/\.(cc|h)$/),
    ...filesBelow(join(root, 'bench'), (path) => path.endsWith('.c')),
    join(root, 'test/support/probe.c'),
  ];
  await quietly(program('clang-format'), [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...files]);
}

async function clangTidy() {
  const tidy = program('clang-tidy');
  const version = outputOf(tidy, ['--version']) ?? '';
  const good = new Memory('clang-tidy');
  const shared = [version, readFileSync(join(root, '.clang-tidy')), ...native(/\.h$/).map((path) => readFileSync(path))];
  const sources = native(/\/native\/(core|addon|sandbox)\/.*\.cc$/).map((path) => ({
    path,
    key: hashOf(path, readFileSync(path), ...shared),
  }));
  const findings = await inParallel(
    sources.filter(({ key }) => !good.has(key)),
    async ({ path, key }) => {
      const result = await run(tidy, ['--quiet', path, '--', ...compilerFlags()], { capture: true, mayFail: true });
      if (result.code === 0) good.add(key);
      return result.code === 0 ? '' : `${relative(root, path)}:\n${result.output}`;
    },
  );
  good.keepOnly(new Set(sources.map(({ key }) => key)));
  if (findings.some((text) => text !== '')) throw new Problem(findings.filter(Boolean).join('\n'));
}

function compilerFlags() {
  const require = createRequire(join(root, 'package.json'));
  const nodeHeaders = [join(dirname(dirname(process.execPath)), 'include', 'node'), ...cachedHeaders()].find((folder) =>
    existsSync(join(folder, 'uv.h')),
  );
  return [
    '-std=c++20',
    '-fno-exceptions',
    '-DNAPI_VERSION=8',
    '-DNAPI_DISABLE_CPP_EXCEPTIONS',
    '-DNODE_ADDON_API_DISABLE_DEPRECATED',
    // Not ours to lint.
    ...['-isystem', require('node-addon-api').include_dir],
    ...(nodeHeaders === undefined ? [] : ['-isystem', nodeHeaders]),
  ];
}

/** Where node-gyp keeps the headers that it downloaded. */
function cachedHeaders() {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? '', '.cache'), 'node-gyp', process.versions.node);
  return [join(folder, 'include', 'node')];
}

function program(name) {
  const path = which(name);
  if (path === null) throw new Problem(`${name} is missing: install the package of that name`);
  return path;
}
