/**
 * The examples in doc comments: each is a whole ES module, which is type-checked and run where eth0, eth1 and eth2 are ends of cables, over whose other
 * ends numbered frames come in, and where /sys/fs/bpf has the programs that some of them attach. It has to end by itself.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import * as ts from 'typescript';
import { BpfPins, byteAt, onlyEtherType } from '../support/ebpf';
import { Lab } from '../support/lab';
import { root, runtimeCache } from '../support/paths';
import { needsEbpf } from '../support/skip';
import { probe } from '../support/witness';

interface Example {
  /** What it documents: file and name. */
  readonly title: string;
  readonly code: string;
  readonly file: string;
}

/** Inside the checkout, so that the package's own name leads to it. */
const FOLDER = runtimeCache('reference');
const PORTS = ['eth0', 'eth1', 'eth2'];
/** What of an example takes a program of eBPF. */
const TAKES_PROGRAM = /Xdp|Ebpf/;
const FENCE = /^```ts\n([^]*?)\n```$/m;

function examplesOf(path: string): Example[] {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  const found: Example[] = [];
  const visit = (node: ts.Node): void => {
    for (const tag of ts.getJSDocTags(node)) {
      // A tag counts as one of every node inside a declaration as well.
      if (tag.tagName.text !== 'example' || tag.parent.parent !== node) continue;
      const text = ts.getTextOfJSDocComment(tag.comment) ?? '';
      const name = (node as Partial<ts.NamedDeclaration>).name?.getText() ?? 'module';
      const title = `${relative(root, path)} ${name}`;
      const code = FENCE.exec(text)?.[1];
      assert.ok(code !== undefined, `${title}: an example is a block between \`\`\`ts and \`\`\``);
      found.push({ title, code, file: join(FOLDER, `${title.replace(/\W+/g, '-')}-${found.length}.mts`) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** What an example says that it prints: comments behind a `console.log`, or on the lines below it. */
function promisedBy(code: string): string[] {
  const statements = code.matchAll(/console\.log\(.*\);(?: \/\/ (.*))?((?:\n\/\/ .*)*)/g);
  return [...statements].flatMap(([, behind, below = '']) => [behind ?? '', ...below.split('\n// ')].filter((line) => line !== ''));
}

describe('examples of the reference', function () {
  this.timeout(60_000);
  const lab = new Lab();
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  const examples = sources.flatMap((path) => examplesOf(join(root, 'src', path)));

  before(() => {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const { file, code } of examples) writeFileSync(file, `${code}\n`);
    for (const port of PORTS) {
      lab.ip(`link add ${port} type veth peer name far-${port}`);
      lab.defer(() => lab.ip(`link del ${port}`));
      for (const end of [port, `far-${port}`]) lab.ip(`link set ${end} addrgenmode none up`);
      lab.start(probe(), ['flood', `far-${port}`, '1000000', '200', '2000']);
    }
  });
  after(async () => {
    await lab.close();
    rmSync(FOLDER, { recursive: true, force: true });
  });

  it('there are some, and they are correct TypeScript', () => {
    assert.ok(examples.length > 0);
    const program = ts.createProgram(
      examples.map(({ file }) => file),
      {
        target: ts.ScriptTarget.ES2022,
        lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        strict: true,
        skipLibCheck: true,
        types: ['node'],
        typeRoots: [join(root, 'node_modules', '@types')],
      },
    );
    // First: one with a wrong type is not to keep the others from being run.
    program.emit();
    const problems = ts.getPreEmitDiagnostics(program);
    const host = { getCurrentDirectory: () => root, getCanonicalFileName: (name: string) => name, getNewLine: () => '\n' };
    assert.equal(ts.formatDiagnostics(problems, host), '');
  });

  const run = async ({ code, file }: Example): Promise<void> => {
    const child = lab.start(process.execPath, [file.replace(/\.mts$/, '.mjs')], { cwd: FOLDER });
    let text = '';
    child.process.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    const status = await child.exitCode(20_000);
    assert.equal(child.errors, '');
    assert.equal(status, 0);
    if (code.includes('console.log')) assert.notEqual(text, '');
    for (const line of promisedBy(code)) assert.ok(text.includes(line), `it says that it prints\n${line}\nand prints\n${text}`);
  };

  for (const example of examples.filter(({ code }) => !TAKES_PROGRAM.test(code))) it(example.title, () => run(example));

  describe('with programs of eBPF', () => {
    before(function () {
      needsEbpf(this);
      const pins = new BpfPins(lab, '/sys/fs/bpf');
      pins.load(onlyEtherType(0x88b5), 'socket', 'only_88b5');
      // An incoming frame begins with its network header for them.
      pins.load(byteAt(0), 'socket', 'by_station');
    });
    for (const example of examples.filter(({ code }) => TAKES_PROGRAM.test(code))) it(example.title, () => run(example));
  });
});
