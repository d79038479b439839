import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as ts from 'typescript';
import { Lab, type Wire } from '../support/lab';
import { NodeRed, type FlowNode } from '../support/node-red';
import { root } from '../support/paths';
import { output } from '../support/process';
import { CountingWitness, Witness, flood } from '../support/witness';

/** What `npm pack --json` tells. */
interface Packed {
  filename: string;
  files: { path: string }[];
}

interface Manifest {
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  'node-red': { nodes: Record<string, string> };
}

/** A palette that may neither run scripts nor ask a registry: what a locked-down site gives a module. */
const LOCKED_DOWN = { npm_config_ignore_scripts: 'true', npm_config_offline: 'true', npm_config_registry: 'http://127.0.0.1:9/' };
const PACKETS = 5000;

describe('the package', function () {
  this.timeout(120_000);
  const lab = new Lab();
  let folder: string;
  let packed: Packed;
  after(() => lab.close());

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'netring-package-'));
    lab.defer(() => rmSync(folder, { recursive: true, force: true }));
    // What prepack prints comes first.
    const text = output('npm', ['pack', '--json', '--pack-destination', folder], { timeoutMs: 110_000 });
    packed = (JSON.parse(text.slice(text.lastIndexOf('\n[\n') + 1)) as [Packed])[0];
    output('tar', ['-xzf', join(folder, packed.filename), '-C', folder]);
  });

  const unpacked = (...path: string[]): string => join(folder, 'package', ...path);
  const manifest = (): Manifest => JSON.parse(readFileSync(unpacked('package.json'), 'utf8')) as Manifest;

  it('holds what Node-RED looks for', () => {
    const paths = packed.files.map((file) => file.path);
    for (const path of Object.values(manifest()['node-red'].nodes)) {
      assert.ok(paths.includes(path), path);
      assert.ok(paths.includes(path.replace(/\.js$/, '.html')), `the panel of ${path}`);
    }
    for (const set of ['bridge', 'capture-in', 'inject-out', 'xdp']) {
      assert.ok(paths.includes(`dist/nodes/icons/netring-${set}.svg`));
      for (const extension of ['json', 'html']) assert.ok(paths.includes(`dist/nodes/locales/en-US/${set}.${extension}`));
    }
    assert.ok(paths.includes(`native/prebuilds/linux-${process.arch}.node`));
    assert.ok(paths.some((path) => path.startsWith('examples/flows/')));
    for (const path of ['README.md', 'CHANGELOG.md', 'LICENSE-MIT', 'LICENSE-APACHE']) assert.ok(paths.includes(path), path);
  });

  it('runs nothing at install, and brings no tests', () => {
    const paths = packed.files.map((file) => file.path);
    // npm runs node-gyp by itself for one at the root.
    assert.equal(paths.includes('binding.gyp'), false);
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) assert.equal(manifest().scripts?.[script], undefined, script);
    assert.deepEqual(
      paths.filter((path) => /(^|\/)(test|tests|bench|\.ci|\.cache)\//.test(path) || /\.test\.|\.tsbuildinfo$/.test(path)),
      [],
    );
    assert.deepEqual(Object.keys(manifest().dependencies ?? {}), []);
  });

  it('brings all that "npm run build:native" imports', () => {
    const paths = new Set(packed.files.map((file) => file.path));
    const imported = ['scripts/build-native.mjs'];
    for (const path of imported) {
      assert.ok(paths.has(path), path);
      for (const [, target] of readFileSync(unpacked(path), 'utf8').matchAll(/from '(\.[^']*)'/g)) {
        const found = join(path, '..', target!);
        if (!imported.includes(found)) imported.push(found);
      }
    }
    assert.ok(imported.length > 1);
  });

  it('has a binary for systems as old as glibc 2.28', () => {
    const symbols = output('objdump', ['-T', unpacked('native', 'prebuilds', `linux-${process.arch}.node`)]);
    assert.match(symbols, /napi_register_module_v1|napi_/);
    assert.ok(compare(newest(symbols, 'GLIBC'), [2, 28]) <= 0, `GLIBC ${newest(symbols, 'GLIBC').join('.')}`);
    assert.ok(compare(newest(symbols, 'GLIBCXX'), [3, 4, 21]) <= 0, `GLIBCXX ${newest(symbols, 'GLIBCXX').join('.')}`);
  });

  it('can be read by the flow library', () => {
    const types = Object.values(manifest()['node-red'].nodes).map((path) =>
      registeredType(readFileSync(unpacked(path.replace(/\.js$/, '.html')), 'utf8')),
    );
    assert.deepEqual(
      types.map(({ type, keys }) => [
        type,
        ['category', 'color', 'defaults', 'icon', 'inputs', 'outputs'].filter((key) => !keys.includes(key)),
      ]),
      [
        ['netring-bridge', []],
        ['netring-capture-in', []],
        ['netring-inject-out', []],
        ['netring-xdp', []],
      ],
    );
    // It takes every file of examples/ for a flow.
    const used = packed.files
      .filter((file) => file.path.startsWith('examples/'))
      .flatMap((file) => JSON.parse(readFileSync(unpacked(file.path), 'utf8')) as FlowNode[])
      .map((node) => node.type);
    for (const { type } of types) assert.ok(used.includes(type), `an example of ${type}`);
  });

  it('opens a capture group, whose threads have a file of their own', async () => {
    const wire = await lab.wire();
    const script = `const { captureGroup } = require('${unpacked()}');
      captureGroup(2, { interface: '${wire.a}', profile: 'balanced', fanoutMode: 'load-balance' }).then(async (group) => {
        console.error('open');
        let packets = 0;
        for await (const batch of group) if ((packets += batch.length) === 100) break;
        await group.close();
        console.error((await group.memberStats()).map((stats) => stats.packets).join());
      });`;
    const child = lab.start(process.execPath, ['-e', script], { cwd: folder });
    await child.says('open');
    await flood(lab, wire.b, { count: 100 });
    assert.equal(await child.exitCode(), 0, child.errors);
    assert.match(child.errors, /^50,50$/m);
  });

  it('loads without a binary for the machine, and says under the node what is missing', async () => {
    const bare = join(folder, 'bare.tgz');
    output('tar', ['-czf', bare, '-C', folder, '--exclude=package/native/prebuilds', 'package']);
    const red = await NodeRed.start(lab, { linked: false, env: LOCKED_DOWN });
    await upload(red, bare);
    await red.deploy([
      { id: 'tab', type: 'tab', label: 'test' },
      { id: 'capture', type: 'netring-capture-in', z: 'tab', interface: 'lo', wires: [[], []] },
      { id: 'inject', type: 'netring-inject-out', z: 'tab', interface: 'lo', wires: [[]] },
    ]);
    for (const id of ['capture', 'inject']) {
      assert.deepEqual({ ...(await red.status(id)) }, { fill: 'red', shape: 'ring', text: `no binary for linux-${process.arch}` });
    }
    const interfaces = (await (await red.request('/netring/interfaces')).json()) as { error: { message: string } };
    assert.match(interfaces.error.message, /no native binary/);
    assert.equal(await red.stop(), 0);
  });

  describe('uploaded through the palette of a stock Node-RED', () => {
    let red: NodeRed;
    let wire: Wire;

    before(async () => {
      wire = await lab.wire();
      red = await NodeRed.start(lab, { linked: false, env: LOCKED_DOWN });
      await upload(red, join(folder, packed.filename));
    });

    it('has all nodes, without a restart', async () => {
      const sets = (await (await red.request('/nodes', { headers: { Accept: 'application/json' } })).json()) as Record<string, unknown>[];
      const ours = sets.filter((set) => set['module'] === '@netring/node-red');
      assert.deepEqual(
        ours.map((set) => [set['types'], set['enabled'], set['err']]),
        [
          [['netring-bridge'], true, undefined],
          [['netring-capture-in'], true, undefined],
          [['netring-inject-out'], true, undefined],
          [['netring-xdp'], true, undefined],
        ],
      );
    });

    it('captures every frame that another process sends, at once', async () => {
      await red.deploy(flowOn(wire));
      await red.status('capture', (status) => status.fill === 'green');
      await flood(lab, wire.a, { count: PACKETS, rate: 20_000 });
      await red.status('counter', (status) => status.text === String(PACKETS));
    });

    it('injects frames that another process sees', async () => {
      const witness = await Witness.open(lab, wire.b);
      const counter = await CountingWitness.open(lab, wire.b, 1);
      await red.status('inject', (status) => status.fill === 'green');
      await red.inject('button');
      const [frame] = await witness.expect(1);
      assert.equal(frame?.data.subarray(0, 14).toString('hex'), 'ffffffffffff02000000000188b5');
      assert.deepEqual(
        { ...(await counter.verdict()) },
        { received: 1, missing: 0, doubled: 0, changed: 0, foreign: 0, unordered: 0, dropped: 0 },
      );
    });

    it('serves the icons of the package', async () => {
      const icons = (await (await red.request('/icons')).json()) as Record<string, string[]>;
      assert.deepEqual(icons['@netring/node-red']?.sort(), [
        'netring-bridge.svg',
        'netring-capture-in.svg',
        'netring-inject-out.svg',
        'netring-xdp.svg',
      ]);
      const served = await (await red.request('/icons/@netring/node-red/netring-capture-in.svg')).text();
      assert.equal(served, readFileSync(join(root, 'icons', 'netring-capture-in.svg'), 'utf8'));
    });

    it('lists the examples, and hands them out for import', async () => {
      const listed = await (await red.request('/library/examples/flows/@netring/node-red/flows/')).text();
      for (const file of readdirSync(join(root, 'examples', 'flows'))) {
        const name = file.replace(/\.json$/, '');
        assert.ok(listed.includes(name), `${name} in ${listed}`);
        const answer = await red.request(`/library/examples/flows/@netring/node-red/flows/${name}`);
        assert.deepEqual(await answer.json(), JSON.parse(readFileSync(join(root, 'examples', 'flows', file), 'utf8')));
      }
    });

    it('is removed by the palette without a trace', async () => {
      await red.deploy([]);
      await red.request('/nodes/@netring/node-red', { method: 'DELETE', signal: AbortSignal.timeout(60_000) });
      const sets = await (await red.request('/nodes', { headers: { Accept: 'application/json' } })).text();
      assert.doesNotMatch(sets, /netring/);
    });
  });
});

/** As the palette manager's upload button does. */
async function upload(red: NodeRed, file: string): Promise<void> {
  const form = new FormData();
  form.append('tarball', new Blob([readFileSync(file)], { type: 'application/gzip' }), basename(file));
  await red.request('/nodes', { method: 'POST', body: form, signal: AbortSignal.timeout(60_000) });
}

/** What a reader that does not run the scripts finds: the literal type and the literal properties given to registerType. */
function registeredType(html: string): { type: string; keys: string[] } {
  const scripts = [...html.matchAll(/<script.+?type=['"]text\/javascript['"].*?>([^]*?)<\/script>/gi)].map(([, script]) => script ?? '');
  const calls = scripts.flatMap((script) => registrations(ts.createSourceFile('panel.js', script, ts.ScriptTarget.Latest)));
  assert.equal(calls.length, 1);
  const [type, definition] = calls[0]?.arguments ?? [];
  assert.ok(type && ts.isStringLiteral(type) && definition && ts.isObjectLiteralExpression(definition));
  const literal = definition.properties.filter(ts.isPropertyAssignment).filter(({ initializer }) => !ts.isIdentifier(initializer));
  return { type: type.text, keys: literal.map(({ name }) => (ts.isIdentifier(name) ? name.text : '')) };
}

function registrations(node: ts.Node): ts.CallExpression[] {
  const found: ts.CallExpression[] = [];
  const visit = (child: ts.Node): void => {
    if (ts.isCallExpression(child) && ts.isPropertyAccessExpression(child.expression) && child.expression.name.text === 'registerType')
      found.push(child);
    ts.forEachChild(child, visit);
  };
  visit(node);
  return found;
}

function flowOn(wire: Wire): FlowNode[] {
  const count = `const packets = (context.get('packets') || 0) + msg.payload.length;
context.set('packets', packets);
node.status({ text: String(packets) });`;
  const frame = `const frame = Buffer.alloc(64);
Buffer.from('ffffffffffff02000000000188b5', 'hex').copy(frame);
for (let i = 22; i < 64; i++) frame[i] = i;
return { payload: frame };`;
  return [
    { id: 'tab', type: 'tab', label: 'test' },
    { id: 'capture', type: 'netring-capture-in', z: 'tab', interface: wire.b, ignoreOutgoing: true, wires: [['counter'], []] },
    { id: 'counter', type: 'function', z: 'tab', func: count, outputs: 1, wires: [[]] },
    { id: 'button', type: 'inject', z: 'tab', props: [], wires: [['frame']] },
    { id: 'frame', type: 'function', z: 'tab', func: frame, outputs: 1, wires: [['inject']] },
    { id: 'inject', type: 'netring-inject-out', z: 'tab', interface: wire.a, wires: [[]] },
  ];
}

function newest(symbols: string, family: string): number[] {
  const versions = [...symbols.matchAll(new RegExp(`\\b${family}_([\\d.]+)`, 'g'))].map(([, version]) =>
    (version ?? '').split('.').map(Number),
  );
  assert.ok(versions.length > 0, `symbols of ${family}`);
  return versions.reduce((best, version) => (compare(version, best) > 0 ? version : best));
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) - (b[i] ?? 0);
  return 0;
}
