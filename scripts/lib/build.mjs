/** The TypeScript build: dist/src, dist/nodes and the editor's files beside the latter. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { assembleEditor, writeGenerated } from './editor.mjs';
import { Memory, filesBelow, hashOf } from './files.mjs';
import { ensurePackages } from './packages.mjs';
import { Problem, bin, root, run } from './run.mjs';

/** Builds from whatever state the checkout is in. With `generate`, first rewrites what the table of options gives. */
export async function build({ generate = false } = {}) {
  await ensurePackages();
  const sources = sourcesHash();
  const projects = ['tsconfig.json', 'nodes/editor/tsconfig.json'];
  let results = await Promise.all(projects.map(compile));
  if (!existsSync(join(root, 'dist', 'nodes'))) throw new Problem(results.join('\n'));
  if (generate) {
    const changed = writeGenerated();
    for (const path of changed) console.log(`${path} rewritten`);
    if (changed.length > 0) results = await Promise.all(projects.map(compile));
  }
  removeStaleIn('src');
  try {
    removeStaleIn('nodes', new Set(assembleEditor()));
  } catch (error) {
    results.push(`the panels cannot be assembled: ${error.message}`);
  }
  // Last, because the compiler writes its output in spite of type errors and the rest of the house can be tried with it.
  if (results.some((text) => text !== '')) throw new Problem(results.filter(Boolean).join('\n'));
  built.keepOnly(new Set());
  built.add(sources);
}

/** Builds unless dist/ already stands for these sources. */
export async function buildIfStale() {
  if (!built.has(sourcesHash()) || !existsSync(join(root, 'dist', 'nodes', 'inject-out.html'))) await build();
}

const built = new Memory('build');

function sourcesHash() {
  const sources = ['src', 'nodes', 'icons'].flatMap((part) => filesBelow(join(root, part)));
  const inputs = [...sources, join(root, 'tsconfig.json'), join(root, 'package-lock.json')];
  return hashOf(...inputs.flatMap((path) => [path, readFileSync(path)]));
}

/** Compiles test/ to dist/test, which must be done after `build()`. */
export async function compileTests() {
  removeStaleIn('test');
  const complaints = await compile('test/tsconfig.json');
  if (complaints !== '') throw new Problem(complaints);
}

/** Resolves to the compiler's complaints, empty when there are none. */
export async function compile(project) {
  const { code, output } = await run(bin('tsc'), ['-p', join(root, project), '--pretty', 'false'], { capture: true, mayFail: true });
  return code === 0 ? '' : `${project} does not compile:\n${output.trimEnd()}`;
}

/** What no source stands for any more: a deleted module must not go on working from an old dist/. */
function removeStaleIn(part, assembled = new Set()) {
  const compiled = /(\.d\.ts|\.js)$/;
  const folder = join(root, 'dist', part);
  for (const path of filesBelow(folder)) {
    const source = join(root, part, relative(folder, path).replace(compiled, '.ts'));
    if (path.endsWith('.tsbuildinfo')) continue;
    if (!assembled.has(path) && !(compiled.test(path) && existsSync(source))) rmSync(path);
  }
}
