/** The editor half of the nodes: Node-RED wants one HTML file beside each node's JavaScript, with catalogues and icons next to it. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, relative } from 'node:path';
import { filesBelow, writeIfChanged } from './files.mjs';
import { Problem, root } from './run.mjs';

const require = createRequire(import.meta.url);
const target = join(root, 'dist', 'nodes');
const EDITOR_MARKER = '<!-- netring:editor -->';

/** Assembles dist/nodes/*.html, its locales and its icons. Returns the paths of the files that belong there. */
export function assembleEditor() {
  const generator = optionsGenerator();
  const shared = sharedScript();
  const files = [];
  const put = (path, content) => {
    writeIfChanged(path, content);
    files.push(path);
  };
  for (const name of readdirSync(join(root, 'nodes')).filter((file) => file.endsWith('.html'))) {
    const source = readFileSync(join(root, 'nodes', name), 'utf8');
    put(join(target, name), withShared(generator.renderPanel(basename(name, '.html'), source), shared, name));
  }
  for (const [from, to] of [
    ['nodes/locales', 'locales'],
    ['icons', 'icons'],
  ]) {
    for (const path of filesBelow(join(root, from))) put(join(target, to, relative(join(root, from), path)), readFileSync(path));
  }
  return files;
}

/** Rewrites what is derived from the table of options: the builders and the tables of README.md. Returns the changed files. */
export const writeGenerated = () => optionsGenerator().writeGenerated(root);

const optionsGenerator = () => require(join(root, 'dist', 'src', 'options', 'generate.js'));

/** The panels' shared code as one classic script: the editor loads a node's HTML into a page that knows no modules of ours. */
function sharedScript() {
  // Required here and not at the top: a build that fails for want of packages must be able to say so.
  const { buildSync } = require('esbuild');
  const built = buildSync({
    entryPoints: [join(root, 'nodes', 'editor', 'index.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2020',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
  });
  return built.outputFiles[0].text.replaceAll('</script', '<\\/script');
}

function withShared(html, script, name) {
  if (!html.includes(EDITOR_MARKER)) throw new Problem(`nodes/${name} has no ${EDITOR_MARKER}`);
  return html.replace(EDITOR_MARKER, () => `<script type="text/javascript">\n${script}</script>`);
}
