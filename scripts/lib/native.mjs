/** The native build: the addon and the sandbox of `npm start`, by node-gyp in native/. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { hashOf } from './files.mjs';
import { Problem, output, root, run, which } from './run.mjs';

const native = join(root, 'native');
const release = join(native, 'build', 'Release');

/**
 * Builds native/build/Release. Incremental: make decides what is stale, the project files are made again only when binding.gyp or Node.js
 * changed. `targets` names what to build; all by default.
 */
export async function buildNative(targets = []) {
  requireTools();
  const gyp = await toolchain();
  const nodeGyp = (args) =>
    run(process.execPath, [gyp.bin, ...args, '--loglevel=error', ...headers()], {
      cwd: native,
      env: gyp.env,
      capture: true,
      what: 'the native build',
    });
  const configuration = hashOf(readFileSync(join(native, 'binding.gyp')), process.version, process.execPath, gyp.bin);
  const stamp = join(native, 'build', '.configured');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== configuration) {
    await nodeGyp(['configure']);
    writeFileSync(stamp, configuration);
  }
  await nodeGyp(['build', '--jobs=max', ...targets]);
}

/** Puts the stripped addon where the package ships it, and refuses one that older systems cannot load. */
export async function makePrebuilt() {
  await buildNative();
  const file = join(native, 'prebuilds', `linux-${process.arch}.node`);
  mkdirSync(dirname(file), { recursive: true });
  copyFileSync(join(release, 'netring.node'), file);
  await run('strip', ['--strip-unneeded', file]);
  const floor = checkFloor(file);
  return { file, floor };
}

/** Highest symbol versions a binary may ask of the system: those that the official Node.js 20 binary itself asks for. */
const FLOOR = { GLIBC: [2, 28], GLIBCXX: [3, 4, 21], CXXABI: [1, 3, 9] };

function checkFloor(file) {
  const symbols = output('objdump', ['-T', file]);
  if (symbols === null) throw new Problem('objdump is missing, which checks what the binary asks of the system: install binutils');
  const found = {};
  for (const [, family, version] of symbols.matchAll(/\b(GLIBC|GLIBCXX|CXXABI)_([\d.]+)/g)) {
    const parts = version.split('.').map(Number);
    if (found[family] === undefined || compare(parts, found[family]) > 0) found[family] = parts;
  }
  for (const [family, version] of Object.entries(found)) {
    if (compare(version, FLOOR[family]) > 0) {
      const culprits = symbols.split('\n').filter((line) => line.includes(`${family}_${version.join('.')}`));
      throw new Problem(`${file} needs ${family}_${version.join('.')}, more than ${FLOOR[family].join('.')}:\n${culprits.join('\n')}`);
    }
  }
  return Object.entries(found).map(([family, version]) => `${family}_${version.join('.')}`);
}

function compare(a, b) {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function requireTools() {
  const missing = ['make', 'g++', 'python3'].filter((tool) => which(tool) === null);
  if (missing.length === 0) return;
  throw new Problem(
    `The native part needs a C++20 compiler, make and python3; missing here: ${missing.join(', ')}.\n` +
      '  Debian, Ubuntu, Raspberry Pi OS: sudo apt-get install build-essential python3\n' +
      '  Alpine:                          sudo apk add build-base linux-headers python3\n' +
      '  Fedora:                          sudo dnf install gcc-c++ make python3',
  );
}

/** node-gyp and node-addon-api: development packages of a checkout, fetched on their own in an installed package, which has none. */
async function toolchain() {
  const require = createRequire(join(root, 'package.json'));
  try {
    require.resolve('node-addon-api/package.json');
    return { bin: join(dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js'), env: process.env };
  } catch {
    const folder = join(root, '.cache', 'toolchain');
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const wanted = ['node-gyp', 'node-addon-api'].map((name) => `${name}@${devDependencies[name]}`);
    mkdirSync(folder, { recursive: true });
    await run('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error', ...wanted], {
      cwd: folder,
    });
    const modules = join(folder, 'node_modules');
    return { bin: join(modules, 'node-gyp', 'bin', 'node-gyp.js'), env: { ...process.env, NODE_PATH: modules } };
  }
}

/** Headers that came with this Node.js spare the download of the same from the network. */
function headers() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
}
