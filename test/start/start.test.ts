import { strict as assert } from 'node:assert';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Lab } from '../support/lab';
import { root } from '../support/paths';
import { type Child, output } from '../support/process';
import { until } from '../support/wait';
import { Witness, flood } from '../support/witness';

const NOBODY = 65_534;
/** Root of the machine and not only of a user namespace, where nobody else exists. */
const isRoot = /^\s*0\s+0\s/.test(readFileSync('/proc/self/uid_map', 'utf8'));

/** A user's PATH: none of root's own folders. */
const PATH = [...new Set([dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'])].join(':');

describe('npm start', function () {
  this.timeout(180_000);
  const lab = new Lab();
  after(() => lab.close());

  const temporary = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-clone-'));
    lab.defer(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  };

  /** What a clone holds, with the packages of this checkout already installed and everything else still to be built. */
  const clone = (): string => {
    const folder = temporary();
    const built = ['.git', '.cache', 'dist', 'node_modules', 'build', 'prebuilds'];
    cpSync(root, folder, { recursive: true, filter: (path) => !built.includes(path.slice(dirname(path).length + 1)) });
    mkdirSync(join(folder, 'node_modules'));
    output('mount', ['--bind', join(root, 'node_modules'), join(folder, 'node_modules')]);
    lab.defer(() => output('umount', [join(folder, 'node_modules')]));
    return folder;
  };

  const start = (args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv; prefix?: readonly string[] } = {}): Child => {
    const cwd = options.cwd ?? root;
    const [command, ...rest] = [...(options.prefix ?? []), process.execPath, join(cwd, 'scripts', 'start.mjs'), ...args];
    return heard(lab.start(command ?? '', rest, { cwd, env: options.env ?? process.env }));
  };
  const heard = (child: Child): Child => {
    child.process.stdout.setEncoding('utf8').on('data', (text: string) => printed.set(child, (printed.get(child) ?? '') + text));
    return child;
  };
  const printed = new Map<Child, string>();
  const said = (child: Child): string => printed.get(child) ?? '';

  it('builds a clone and captures in a private network, as a user without any privilege', async () => {
    const folder = clone();
    const home = temporary();
    if (isRoot) output('chown', ['-R', `${NOBODY}:${NOBODY}`, folder, home], { timeoutMs: 60_000 });
    const nobody = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];
    // Root of a user namespace can be nobody else, only weaker.
    const prefix = ['setpriv', ...(isRoot ? nobody : ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin'])];
    const child = start(['--check'], { cwd: folder, prefix, env: { PATH, HOME: home } });
    assert.equal(await child.exitCode(170_000), 0, said(child) + child.errors);
    assert.match(said(child), /^check: the flow captured \d{3,} packets$/m);
  });

  it('shows the editor on localhost and leaves nothing behind', async () => {
    const folder = temporary();
    const child = start(['--port', '18801'], { env: { ...process.env, TMPDIR: folder } });
    await until(() => said(child).includes('http://'), 60_000, 'the address of the editor');
    const page = await (await fetch('http://127.0.0.1:18801/')).text();
    assert.match(page, /<title>netring<\/title>/);
    const flows = (await (await fetch('http://127.0.0.1:18801/flows')).json()) as { type: string }[];
    assert.ok(flows.some((node) => node.type === 'netring-capture-in'));
    assert.equal(await child.stop('SIGINT'), 0);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('ends with the npm that started it', async () => {
    const folder = temporary();
    const child = heard(lab.start('npm', ['start', '--', '--port', '18804'], { cwd: root, env: { ...process.env, TMPDIR: folder } }));
    await until(() => said(child).includes('http://'), 60_000, 'the address of the editor');
    await child.stop('SIGTERM');
    await until(() => readdirSync(folder).length === 0, 10_000, 'the end of the folder');
    await assert.rejects(fetch('http://127.0.0.1:18804/'));
  });

  it('captures on an interface it is given, and sends nothing into it', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.a);
    const child = start(['--interface', wire.b, '--check']);
    await until(() => said(child).includes('http://'), 60_000, 'the address of the editor');
    await flood(lab, wire.a, { count: 200, rate: 200 });
    assert.equal(await child.exitCode(), 0, said(child) + child.errors);
    assert.deepEqual(await witness.close(), []);
  });

  it('says what it wants of the system when there is no compiler', async () => {
    const folder = temporary();
    symlinkSync(process.execPath, join(folder, 'node'));
    const child = start([], { prefix: ['env', `PATH=${folder}`] });
    assert.equal(await child.exitCode(), 1);
    assert.match(child.errors, /missing here: make, g\+\+, python3\.\n.*apt-get install build-essential python3/s);
  });

  it('refuses options that it does not know, with its help', async () => {
    const child = start(['--interfaces', 'eth0']);
    assert.equal(await child.exitCode(), 1);
    assert.match(child.errors, /Unknown option '--interfaces'.*--interface NAME/s);
  });
});
