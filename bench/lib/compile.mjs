/** Builds the C references into .cache/bench, again whenever a source is newer than its program. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = join(root, 'bench', 'c');
const output = join(root, '.cache', 'bench');
const flags = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-O2'];
const programs = {
  rx3: ['reader', 'ring'],
  witness: ['reader', 'ring'],
  forward: ['reader', 'ring'],
  latency: ['reader'],
  tx: [],
  live: [],
  xdp_rx: ['reader', 'xdp'],
  xdp_tx: ['xdp'],
};

/** @returns {Record<keyof typeof programs, string>} Paths of the programs. */
export function compile() {
  mkdirSync(output, { recursive: true });
  const newest = Math.max(...readdirSync(sources).map((file) => statSync(join(sources, file)).mtimeMs));
  const paths = {};
  for (const [name, parts] of Object.entries(programs)) {
    const path = join(output, name);
    if (!existsSync(path) || statSync(path).mtimeMs < newest) {
      const files = [name, 'common', ...parts].map((part) => join(sources, `${part}.c`));
      execFileSync(process.env.CC ?? 'cc', [...flags, '-o', path, ...files], { stdio: 'inherit' });
    }
    paths[name] = path;
  }
  return paths;
}
