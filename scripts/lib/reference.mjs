/** docs/reference/: what the doc comments of the public surface say, as pages of Markdown. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { filesBelow, writeIfChanged } from './files.mjs';
import { Problem, root } from './run.mjs';

const FOLDER = join(root, 'docs', 'reference');

const OPTIONS = {
  entryPoints: [join(root, 'src', 'index.ts')],
  tsconfig: join(root, 'tsconfig.json'),
  name: '@netring/node-red',
  plugin: ['typedoc-plugin-markdown'],
  logLevel: 'Warn',
  readme: 'none',
  // The build has the compiler check the same files.
  skipErrorChecking: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeProtected: true,
  // What a class inherits from Node.js is in Node.js's own reference.
  excludeExternals: true,
  disableSources: true,
  githubPages: false,
  useHTMLAnchors: true,
  expandParameters: true,
  expandObjects: true,
  sort: ['static-first', 'source-order'],
  router: 'reference',
  theme: 'reference',
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  classPropertiesFormat: 'table',
  typeAliasPropertiesFormat: 'table',
  tableColumnSettings: { hideDefaults: true, hideInherited: true, hideModifiers: true, hideOverrides: true },
  validation: { notExported: true, invalidLink: true, notDocumented: true, rewrittenLink: true },
  requiredToBeDocumented: ['Class', 'Function', 'Interface', 'TypeAlias', 'Variable', 'Constructor', 'Method', 'Accessor', 'Property'],
};

/** Rewrites docs/reference/ and returns the paths that changed. Rejects, and writes nothing, when the comments are not complete. */
export async function writeReference() {
  const made = await makeReference();
  const changed = [...made].filter(([path, text]) => writeIfChanged(path, text)).map(([path]) => path);
  for (const path of filesBelow(FOLDER).filter((file) => !made.has(file))) {
    rmSync(path);
    changed.push(path);
  }
  return changed.map((path) => relative(root, path));
}

/** Rejects when the comments are not complete, or are not what docs/reference/ holds. */
export async function checkReference() {
  const made = await makeReference();
  const stale = new Set([...filesBelow(FOLDER), ...made.keys()]);
  for (const [path, text] of made) if (filesBelow(FOLDER).includes(path) && readFileSync(path, 'utf8') === text) stale.delete(path);
  if (stale.size > 0) {
    const names = [...stale].map((path) => relative(root, path));
    throw new Problem(`the reference is not that of the doc comments (run "npm run docs"): ${names.join(', ')}`);
  }
}

/** The text of each page by its path. */
async function makeReference() {
  // Not at the top: a script that fails for want of packages must be able to say so.
  const { Application, LogLevel, Logger } = await import('typedoc');
  const { ReferenceRouter, ReferenceTheme, arrange } = await import('./reference-theme.mjs');
  const app = await Application.bootstrapWithPlugins(OPTIONS);
  const complaints = [];
  app.logger = new (class extends Logger {
    log(message, level) {
      // The forms of a type alias are told by its own comment.
      if (level >= LogLevel.Warn && !message.includes('.__type.')) complaints.push(message);
    }
  })();
  app.renderer.defineRouter('reference', ReferenceRouter);
  app.renderer.defineTheme('reference', ReferenceTheme);
  const project = await app.convert();
  if (project !== undefined) app.validate(project);
  if (complaints.length > 0) throw new Problem(complaints.join('\n'));
  arrange(project);
  const folder = mkdtempSync(join(tmpdir(), 'netring-reference-'));
  try {
    await app.generateDocs(project, folder);
    if (complaints.length > 0) throw new Problem(complaints.join('\n'));
    const pages = new Map(filesBelow(folder).map((path) => [join(FOLDER, relative(folder, path)), tidy(readFileSync(path, 'utf8'))]));
    const broken = brokenLinks(pages);
    if (broken.length > 0) throw new Problem(broken.join('\n'));
    return pages;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const tidy = (text) => `${text.replace(/\n{3,}/g, '\n\n').trimEnd()}\n`;

/** Links to places in the reference that it does not have: its own, and those of what is written by hand. */
function brokenLinks(pages) {
  const texts = new Map(pages);
  for (const path of [
    join(root, 'README.md'),
    ...filesBelow(join(root, 'docs'), (file) => file.endsWith('.md') && !file.startsWith(FOLDER)),
  ])
    texts.set(path, readFileSync(path, 'utf8'));
  return [...texts].flatMap(([path, text]) =>
    [...text.matchAll(/\]\(([\w./-]*)#([\w.]+)\)/g)].flatMap(([, file, anchor]) => {
      const page = pages.get(file === '' ? path : join(dirname(path), file));
      return page === undefined || page.includes(`<a id="${anchor}"></a>`)
        ? []
        : [`${relative(root, path)} links to ${file}#${anchor}, which is not there`];
    }),
  );
}
