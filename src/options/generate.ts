/** Writes what is derived from the table of options. Pure text in, text out, but for `writeGenerated`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderBuilders } from './generate/builders';
import { renderReadme } from './generate/readme';

export { renderBuilders } from './generate/builders';
export { renderPanel } from './generate/panel';
export { renderReadme } from './generate/readme';

/** Where `renderBuilders` goes, from the root of the checkout. */
export const BUILDERS_FILE = join('src', 'options', 'generated', 'builders.ts');

/** Rewrites the generated files of a checkout. Returns the paths of those that changed, from `root`. */
export function writeGenerated(root: string): string[] {
  const readme = join(root, 'README.md');
  const wanted: [string, string][] = [[BUILDERS_FILE, renderBuilders()]];
  if (existsSync(readme)) wanted.push(['README.md', renderReadme(readFileSync(readme, 'utf8'))]);
  const changed = wanted.filter(([path, text]) => !existsSync(join(root, path)) || readFileSync(join(root, path), 'utf8') !== text);
  for (const [path, text] of changed) writeFileSync(join(root, path), text);
  return changed.map(([path]) => path);
}
