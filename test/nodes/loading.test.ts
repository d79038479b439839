/** The nodes load, register and explain themselves where nothing can be captured. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { output } from '../support/process';

/** Loads the nodes with as little of Node-RED as there is, runs one of each, and prints statuses, errors and answers. */
const SCRIPT = `
const EventEmitter = require('node:events');
if (process.argv[3]) Object.defineProperty(process, 'platform', { value: process.argv[3] });
const types = {};
const said = {};
const RED = {
  nodes: {
    registerType: (type, constructor) => (types[type] = constructor),
    createNode: (node, config) => Object.assign(node, config),
  },
  httpAdmin: { get() {}, post() {} },
  auth: { needsPermission: () => () => {} },
};
for (const file of ['bridge', 'capture-in', 'inject-out', 'xdp']) require(process.argv[2] + '/nodes/' + file + '.js')(RED);
for (const [type, constructor] of Object.entries(types)) {
  const note = (said[type] = { statuses: [], errors: [], answers: [] });
  const node = Object.assign(new EventEmitter(), {
    wires: [['x'], ['x']],
    status: ({ fill, text }) => note.statuses.push(fill + ' ' + text),
    send() {}, log() {}, warn() {}, error: (text) => note.errors.push(text),
  });
  Object.setPrototypeOf(constructor.prototype, EventEmitter.prototype);
  constructor.call(node, { id: type, type, ...(type.includes('bridge') ? { interfaceA: 'lo', interfaceB: 'eth0' } : { interface: 'lo' }) });
  node.emit('input', { payload: Buffer.alloc(60), action: type.includes('inject') ? undefined : 'start' }, () => {}, (error) => note.answers.push(error ? error.message : 'done'));
  setTimeout(() => node.emit('close', false, () => {}), 300);
}
process.once('beforeExit', () => console.log(JSON.stringify(said)));
`;

interface Said {
  statuses: string[];
  errors: string[];
  answers: string[];
}

describe('loading', () => {
  const dist = resolve(__dirname, '..', '..');
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'netring-loading-'));
    writeFileSync(join(folder, 'load.js'), SCRIPT);
  });
  after(() => rmSync(folder, { recursive: true }));

  const run = (where: string, platform = ''): Record<string, Said> =>
    JSON.parse(output(process.execPath, [join(folder, 'load.js'), where, platform])) as Record<string, Said>;

  for (const platform of ['darwin', 'win32']) {
    it(`on ${platform}: all nodes say "Linux only", in the status, the log and to the sender`, () => {
      const said = run(dist, platform);
      assert.deepEqual(Object.keys(said), ['netring-bridge', 'netring-capture-in', 'netring-inject-out', 'netring-xdp']);
      for (const { statuses, errors } of Object.values(said)) {
        assert.deepEqual(statuses, ['red Linux only']);
        assert.deepEqual(errors, [`Linux only: this is ${platform}`]);
      }
      assert.deepEqual(said['netring-inject-out']!.answers, [`Linux only: this is ${platform}`]);
    });
  }

  it('without a binary: all nodes say so, and how to get one', () => {
    cpSync(join(dist, 'src'), join(folder, 'package', 'dist', 'src'), { recursive: true });
    cpSync(join(dist, 'nodes'), join(folder, 'package', 'dist', 'nodes'), { recursive: true });
    writeFileSync(join(folder, 'package', 'package.json'), '{}');
    const said = run(join(folder, 'package', 'dist'));
    for (const { statuses, errors } of Object.values(said)) {
      assert.deepEqual(statuses, [`red no binary for linux-${process.arch}`]);
      assert.match(errors.join(), /no native binary for linux-.*npm run build:native/);
    }
    assert.match(said['netring-inject-out']!.answers.join(), /no native binary/);
  });
});
