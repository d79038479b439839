import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_GROUPS, OPTION_TABLE, type NodeName } from '../../src/options/table';
import { Lab, type Wire } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { root } from '../support/paths';
import { until } from '../support/wait';
import { openEditor, TEXTS, UNLABELLED, type Editor } from './editor';
import { FURNITURE } from './flow';

const TYPES = ['netring-capture-in', 'netring-inject-out'] as const;

describe('the panels in a real browser', function () {
  this.timeout(120_000);
  const lab = new Lab();
  let wire: Wire;
  let red: NodeRed;
  let editor: Editor;
  let capture: string;
  let inject: string;

  before(async () => {
    wire = await lab.wire();
    red = await NodeRed.start(lab, { flow: FURNITURE });
    editor = await openEditor(lab, red);
  });
  after(() => lab.close());
  afterEach(async () => {
    await editor.leave();
    assert.deepEqual(editor.problems.splice(0), []);
  });

  it('offers the nodes in a palette group of their own, with the icons of the package', async () => {
    const icons = (await (await red.request('/icons')).json()) as Record<string, string[]>;
    assert.deepEqual(icons['@netring/node-red']?.sort(), [
      'netring-bridge.svg',
      'netring-capture-in.svg',
      'netring-inject-out.svg',
      'netring-xdp.svg',
    ]);
    for (const [type, label] of [
      ['netring-capture-in', 'capture in'],
      ['netring-inject-out', 'inject out'],
      ['netring-bridge', 'bridge'],
      ['netring-xdp', 'xdp'],
    ] as const) {
      const entry = editor.paletteEntry(type);
      assert.equal((await entry.innerText()).trim(), label);
      assert.equal(
        await editor.ask(`document.querySelector('[data-palette-type="${type}"]').closest('.red-ui-palette-category').id`),
        'red-ui-palette-container-netring',
      );
      // Node-RED answers any icon's address with an arrow of its own, so only the bytes tell.
      const address = `icons/@netring/node-red/${type}.svg`;
      assert.ok((await entry.locator('.red-ui-palette-icon').getAttribute('style'))?.includes(address));
      assert.equal(await (await red.request(`/${address}`)).text(), readFileSync(join(root, 'icons', `${type}.svg`), 'utf8'));
    }
  });

  it('drags both nodes onto the canvas', async () => {
    capture = await editor.drag('netring-capture-in', 330, 300);
    inject = await editor.drag('netring-inject-out', 620, 300);
    for (const [id, icon] of [
      [capture, 'icons/@netring/node-red/netring-capture-in.svg'],
      [inject, 'icons/@netring/node-red/netring-inject-out.svg'],
    ] as const) {
      const image = editor.node(id).locator('image.red-ui-flow-node-icon');
      await image.waitFor();
      assert.equal(await image.getAttribute('href'), icon);
    }
    assert.equal(await editor.node(capture).locator('.red-ui-flow-port-output').count(), 2);
    assert.equal(await editor.node(capture).locator('.red-ui-flow-port-input').count(), 0);
    assert.equal(await editor.node(inject).locator('.red-ui-flow-port-input').count(), 1);
    assert.equal(await editor.property(capture, 'valid'), false, 'without an interface the node is marked');
    await editor.screenshot('canvas');
  });

  it('has a field for every option of the table, and a label for every field', async () => {
    for (const [id, name] of [
      [capture, 'capture-in'],
      [inject, 'inject-out'],
    ] as [string, NodeName][]) {
      await editor.edit(id);
      const options = NODE_GROUPS[name].flatMap((group) => OPTION_TABLE[group]).map((row) => row.name);
      for (const option of options) assert.equal(await editor.field(option).count(), 1, `a field for ${option}`);
      assert.deepEqual(await editor.ask(UNLABELLED), []);
      await editor.cancel();
    }
  });

  it('shows no raw keys of the catalogue, on any tab', async () => {
    for (const [id, tabs] of [
      [capture, ['interface', 'ring', 'filter', 'scaling', 'time', 'output']],
      [inject, ['interface', 'sending', 'ring']],
    ] as const) {
      await editor.edit(id);
      for (const tab of tabs) {
        await editor.tab(tab);
        const text = await editor.ask<string>(TEXTS);
        assert.doesNotMatch(text, /\b(capture-in|inject-out|netring)\.[a-z]/i, `tab ${tab}`);
        assert.doesNotMatch(text, /__\w+__|undefined|NaN/, `tab ${tab}`);
        await editor.screenshot(`${id === capture ? 'capture-in' : 'inject-out'}-${tab}`);
      }
      await editor.cancel();
    }
  });

  it('picks an interface from a list that tells state and address', async () => {
    const [{ address }] = JSON.parse(lab.ip(`-j link show ${wire.b}`)) as [{ address: string }];
    await editor.edit(capture);
    assert.match((await editor.error('interface').textContent()) ?? '', /interface is required/);
    const entries = await editor.openInterfaceList();
    const texts = await entries.allInnerTexts();
    assert.ok(
      texts.some((text) => text.startsWith('lo ')),
      texts.join('; '),
    );
    assert.ok(
      texts.some((text) => text.includes(`${wire.b} · up`) && text.includes(address)),
      texts.join('; '),
    );
    await editor.screenshot('interface-list');
    await entries.filter({ hasText: wire.b }).click();
    assert.match(await editor.picked().innerText(), new RegExp(wire.b));
    assert.match(await editor.page.locator('#netring-interface-state').innerText(), new RegExp(`up .*MTU 1500 · ${address}`));
    assert.equal(await editor.error('interface').count(), 0);
    await editor.done();
    assert.equal(await editor.property(capture, 'interface'), wire.b);
    assert.equal(await editor.property(capture, 'valid'), true);
  });

  /** Runs the body while the list of interfaces does not arrive, until the body lets it. */
  async function withLateList(body: (arrive: () => Promise<unknown>) => Promise<void>): Promise<void> {
    const { page } = editor;
    let admit = (): void => undefined;
    const late = new Promise<void>((resolve) => (admit = resolve));
    await page.route('**/netring/interfaces*', async (route) => late.then(() => route.continue()));
    const arrive = (): Promise<unknown> => {
      admit();
      // Until the panel has made of it what it makes.
      return page.waitForFunction('$.active === 0');
    };
    try {
      await body(arrive);
    } finally {
      admit();
      await page.unroute('**/netring/interfaces*');
    }
  }

  it('keeps a menu open when the list arrives late', () =>
    withLateList(async (arrive) => {
      const { page } = editor;
      await editor.ask(`RED.nodes.node('${capture}').interface = ''`);
      await editor.edit(capture);
      await page.locator('#netring-interface + .red-ui-typedInput-container .red-ui-typedInput-option-trigger').click();
      assert.equal(await (await editor.menu()).count(), 1, 'the invitation to choose, and nothing to choose from');
      await arrive();
      const entries = await editor.menu(`${wire.b} · up`);
      await entries.filter({ hasText: `${wire.b} · up` }).click();
      assert.equal(await editor.field('interface').inputValue(), wire.b);
      await entries.first().waitFor({ state: 'detached' });
      await editor.done();
      assert.equal(await editor.property(capture, 'interface'), wire.b);
    }));

  it('keeps what is typed when the list arrives late', () =>
    withLateList(async (arrive) => {
      await editor.edit(inject);
      await editor.pickType('env variable');
      const typed = editor.page.locator('.netring-panel .red-ui-typedInput-input');
      await typed.pressSequentially('LATE');
      await arrive();
      await editor.page
        .locator('#netring-interface-state')
        .filter({ hasText: /^Read from the environment/ })
        .waitFor();
      await typed.pressSequentially('_PORT');
      assert.equal(await editor.field('interface').inputValue(), '${LATE_PORT}');
      await editor.cancel();
    }));

  it('keeps an interface that is not there, and says so', async () => {
    await editor.ask(`RED.nodes.node('${capture}').interface = 'eth7'`);
    await editor.edit(capture);
    assert.equal(await editor.picked().innerText(), 'eth7 (not present)');
    await editor.screenshot('interface-absent');
    await editor.done();
    assert.equal(await editor.property(capture, 'interface'), 'eth7');
    await editor.edit(capture);
    await editor.pickInterface(wire.b);
    await editor.done();
    assert.equal(await editor.property(capture, 'interface'), wire.b);
  });

  it('takes an environment variable or a name typed by hand for the interface', async () => {
    for (const [label, typed, saved] of [
      ['env variable', 'CAPTURE_PORT', '${CAPTURE_PORT}'],
      ['name', 'wlan0', 'wlan0'],
    ] as const) {
      await editor.edit(inject);
      await editor.pickType(label);
      await editor.page.locator('.netring-panel .red-ui-typedInput-input').fill(typed);
      const state = saved === '${CAPTURE_PORT}' ? /^Read from the environment/ : /^This machine has no interface of that name/;
      await editor.page.locator('#netring-interface-state').filter({ hasText: state }).waitFor();
      await editor.done();
      assert.equal(await editor.property(inject, 'interface'), saved);
    }
    await editor.edit(inject);
    assert.equal(await editor.picked().innerText(), 'wlan0 (not present)');
    await editor.pickInterface(wire.a);
    await editor.done();
  });

  it('fills and greys the ring with the profile, and leaves it to the profile in the flow', async () => {
    await editor.edit(capture);
    await editor.tab('ring');
    const summary = editor.page.locator('#netring-ring-summary');
    assert.match(await summary.innerText(), /^64 blocks x 256 KiB = 16 MiB/);
    await editor.field('profile').selectOption('high-throughput');
    assert.equal(await editor.field('blockSize').inputValue(), '4194304');
    assert.equal(await editor.field('blockCount').inputValue(), '256');
    assert.equal(await editor.field('blockTimeoutMs').isDisabled(), true);
    assert.match(await summary.innerText(), /^256 blocks x 4 MiB = 1 GiB/);
    await editor.field('profile').selectOption('low-latency');
    assert.equal(await editor.field('blockTimeoutMs').inputValue(), '1');
    await editor.done();
    assert.equal(await editor.property(capture, 'profile'), 'low-latency');
    assert.equal(await editor.property(capture, 'blockSize'), '', 'a size that is spelt out would win over the profile');
  });

  it('shows an invalid size while it is typed, with option, value and rule', async () => {
    await editor.edit(capture);
    await editor.tab('ring');
    await editor.field('profile').selectOption('');
    assert.equal(await editor.field('blockSize').isDisabled(), false);
    await editor.type('blockSize', '3000');
    // Every key is judged by itself: this is the last one's error.
    await editor.error('blockSize').filter({ hasText: 'blockSize 3000 is not a power of 2' }).waitFor();
    assert.match((await editor.field('blockSize').getAttribute('class')) ?? '', /input-error/);
    assert.equal(await editor.page.locator('.netring-tab-error').innerText(), 'Ring');
    await editor.screenshot('invalid');
    await editor.type('blockSize', '1048576');
    await editor.error('blockSize').waitFor({ state: 'detached' });
    await editor.type('frameSize', '2097152');
    await editor.error('frameSize').filter({ hasText: 'frameSize 2097152 exceeds blockSize 1048576' }).waitFor();
    await editor.type('frameSize', '2048');
    await editor.error('frameSize').waitFor({ state: 'detached' });
    await editor.done();
    assert.equal(await editor.property(capture, 'profile'), '');
    assert.equal(await editor.property(capture, 'blockSize'), '1048576');
    await editor.edit(capture);
    await editor.tab('ring');
    assert.equal(await editor.field('profile').inputValue(), '', 'sizes of its own are "custom"');
    assert.match(await editor.page.locator('#netring-ring-summary').innerText(), /^64 blocks x 1 MiB = 64 MiB/);
    await editor.field('profile').selectOption('balanced');
    await editor.done();
  });

  it('marks a node with an invalid option before it is deployed', async () => {
    await editor.edit(inject);
    await editor.tab('ring');
    await editor.type('frameSize', '100');
    await editor.error('frameSize').waitFor();
    await editor.done();
    assert.equal(await editor.property(inject, 'valid'), false);
    await editor.edit(inject);
    await editor.tab('ring');
    await editor.type('frameSize', '4096');
    assert.match(await editor.page.locator('#netring-ring-summary').innerText(), /^256 slots x 4 KiB = 1 MiB/);
    await editor.field('frameSize').fill('');
    await editor.done();
    assert.equal(await editor.property(inject, 'valid'), true);
  });

  it('checks a filter with the runtime', async () => {
    await editor.edit(capture);
    await editor.tab('filter');
    const state = editor.page.locator('#netring-filter-state');
    assert.match(await state.innerText(), /every packet/);
    await editor.field('filter').fill('4\n40 0 0 12\n21 0 1 2054\n6 0 0 262144\n6 0 0 0');
    await until(async () => (await state.innerText()) === 'Accepted: 4 instructions.', 15_000, 'the runtime accepts the filter');
    await editor.field('filter').fill('1\n21 9 9 9');
    await editor.error('filter').waitFor();
    assert.match(await editor.error('filter').innerText(), /filter/);
    await editor.screenshot('filter-wrong');
    await editor.field('filter').fill('');
    await editor.error('filter').waitFor({ state: 'detached' });
    await editor.done();
    assert.equal(await editor.property(capture, 'filter'), '');
  });

  it('keeps fanout flags as an array, and clears them with the mode', async () => {
    await editor.edit(capture);
    await editor.tab('scaling');
    assert.equal(await editor.page.locator('#netring-fanout').isVisible(), false);
    await editor.field('fanoutMode').selectOption('hash');
    await editor.type('fanoutGroup', '7');
    await editor.page.check('#netring-fanout-rollover');
    await editor.page.check('#netring-fanout-defrag');
    await editor.screenshot('fanout');
    await editor.done();
    assert.deepEqual(await editor.property(capture, 'fanoutFlags'), ['rollover', 'defrag']);
    await editor.edit(capture);
    await editor.tab('scaling');
    assert.equal(await editor.page.isChecked('#netring-fanout-defrag'), true);
    await editor.page.check('#netring-fanout-unique-id');
    await editor.error('fanoutGroup').waitFor();
    await editor.field('fanoutMode').selectOption('');
    await editor.done();
    assert.equal(await editor.property(capture, 'fanoutGroup'), '');
    assert.deepEqual(await editor.property(capture, 'fanoutFlags'), []);
    assert.equal(await editor.property(capture, 'valid'), true);
  });

  it('gives the node an input while it takes control messages', async () => {
    await editor.edit(capture);
    await editor.tab('output');
    await editor.page.check('#node-input-control');
    await editor.done();
    assert.equal(await editor.node(capture).locator('.red-ui-flow-port-input').count(), 1);
    await editor.edit(capture);
    await editor.tab('output');
    await editor.page.uncheck('#node-input-control');
    await editor.done();
    assert.equal(await editor.node(capture).locator('.red-ui-flow-port-input').count(), 0);
  });

  it('leaves environment variables in selects, checkboxes and numbers alone', async () => {
    const saved = { profile: '${RING}', promiscuous: '${PROMISC}', snapLen: '${SNAP}', output: '${FORM}' };
    await editor.ask(`Object.assign(RED.nodes.node('${capture}'), ${JSON.stringify(saved)})`);
    await editor.edit(capture);
    await editor.screenshot('environment');
    await editor.done();
    for (const [name, value] of Object.entries(saved)) assert.equal(await editor.property(capture, name), value);
    await editor.ask(
      `Object.assign(RED.nodes.node('${capture}'), { profile: 'balanced', promiscuous: false, snapLen: '', output: 'batch' })`,
    );
  });

  it('asks for a rate only where the pacing needs one', async () => {
    await editor.edit(inject);
    await editor.tab('sending');
    assert.equal(await editor.field('rate').isVisible(), false);
    await editor.field('pacing').selectOption('pps');
    await editor.error('rate').waitFor();
    assert.match(await editor.error('rate').innerText(), /rate is required with pacing "pps"/);
    await editor.type('rate', '1000');
    await editor.error('rate').waitFor({ state: 'detached' });
    await editor.field('pacing').selectOption('none');
    await editor.done();
    assert.equal(await editor.property(inject, 'valid'), true);
  });

  it('writes the properties of the table into the flow, and nothing else', async () => {
    const exported = await editor.ask<Record<string, unknown>[]>('RED.nodes.createExportableNodeSet(RED.nodes.filterNodes({}))');
    for (const [name, type] of [
      ['capture-in', TYPES[0]],
      ['inject-out', TYPES[1]],
    ] as [NodeName, string][]) {
      const node = exported.find((candidate) => candidate['type'] === type);
      assert.ok(node);
      const options = NODE_GROUPS[name].flatMap((group) => OPTION_TABLE[group]).map((row) => row.name);
      const expected = ['id', 'type', 'z', 'name', 'schema', 'x', 'y', 'wires', ...(name === 'capture-in' ? ['inputs'] : []), ...options];
      assert.deepEqual(Object.keys(node).sort(), expected.sort());
    }
  });

  it('has help for both nodes', async () => {
    for (const type of TYPES) {
      const help = await editor.ask<string>(`RED.nodes.getNodeHelp('${type}')`);
      assert.match(help, /<h3>Inputs<\/h3>/);
      assert.match(help, /message-properties/);
      assert.match(help, /CAP_NET_RAW/);
    }
    await editor.ask(`RED.sidebar.help.show('netring-capture-in')`);
    await editor.page.locator('.red-ui-help h3').first().waitFor();
    await editor.screenshot('help');
  });
});
