/** The bridge node in a real browser: its panel, and a wire between two flows. */
import { strict as assert } from 'node:assert';
import { NODE_GROUPS, OPTION_TABLE } from '../../src/options/table';
import { ICMP } from '../support/bridge-lab';
import { Lab, type Wire } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { until } from '../support/wait';
import { sendFrames, Witness } from '../support/witness';
import { openEditor, TEXTS, UNLABELLED, type Editor } from './editor';
import { ETHERTYPE, FURNITURE } from './flow';

const OPTIONS = NODE_GROUPS.bridge.flatMap((group) => OPTION_TABLE[group]).map((row) => row.name);

/** A filter that picks the frames of the furniture: `tcpdump -ddd ether proto 0x88b5`. */
const FURNITURE_FRAMES = `4\n40 0 0 12\n21 0 1 ${ETHERTYPE}\n6 0 0 262144\n6 0 0 0`;

describe('the bridge node in a real browser', function () {
  this.timeout(120_000);
  const lab = new Lab();
  let client: Wire;
  let server: Wire;
  let red: NodeRed;
  let editor: Editor;
  let bridge: string;

  before(async () => {
    client = await lab.wire();
    server = await lab.wire();
    const filterButton = (id: string, y: number, filter: string) => ({
      id,
      type: 'inject',
      z: 'tab',
      x: 130,
      y,
      name: id,
      repeat: '',
      crontab: '',
      once: false,
      onceDelay: 0.1,
      props: [
        { p: 'action', v: 'filter', vt: 'str' },
        { p: 'filter', v: filter, vt: 'str' },
      ],
      wires: [[]],
    });
    const pass = { id: 'pass', type: 'function', z: 'tab', x: 740, y: 420, name: 'pass', func: 'return msg;', outputs: 1, wires: [[]] };
    red = await NodeRed.start(lab, {
      flow: [...FURNITURE, pass, filterButton('hold', 300, FURNITURE_FRAMES), filterButton('free', 360, '')],
    });
    editor = await openEditor(lab, red);
  });
  after(() => lab.close());
  afterEach(async () => {
    await editor.leave();
    assert.deepEqual(editor.problems.splice(0), []);
  });

  it('is dragged onto the canvas: one input, three outputs, its icon', async () => {
    bridge = await editor.drag('netring-bridge', 560, 330);
    assert.equal(await editor.node(bridge).locator('.red-ui-flow-port-input').count(), 1);
    assert.equal(await editor.node(bridge).locator('.red-ui-flow-port-output').count(), 3);
    const image = editor.node(bridge).locator('image.red-ui-flow-node-icon');
    await image.waitFor();
    assert.equal(await image.getAttribute('href'), 'icons/@netring/node-red/netring-bridge.svg');
    assert.equal(await editor.property(bridge, 'valid'), false, 'without interfaces the node is marked');
  });

  it('has a labelled field for every option, and no raw keys on any tab', async () => {
    await editor.edit(bridge);
    for (const option of OPTIONS) assert.equal(await editor.field(option).count(), 1, `a field for ${option}`);
    assert.deepEqual(await editor.ask(UNLABELLED), []);
    for (const tab of ['interfaces', 'filter', 'flow', 'rings']) {
      await editor.tab(tab);
      const text = await editor.ask<string>(TEXTS);
      assert.doesNotMatch(text, /\b(bridge|netring)\.[a-z]/i, `tab ${tab}`);
      assert.doesNotMatch(text, /__\w+__|undefined|NaN/, `tab ${tab}`);
      await editor.screenshot(`bridge-${tab}`);
    }
  });

  it('takes two interfaces, which must be different ones', async () => {
    await editor.edit(bridge);
    await editor.pickInterface(client.b, 'interfaceA');
    await editor.pickInterface(client.b, 'interfaceB');
    await editor
      .error('interfaceB')
      .filter({ hasText: /is interfaceA as well/ })
      .waitFor();
    await editor.screenshot('bridge-twice');
    await editor.pickInterface(server.a, 'interfaceB');
    await editor.error('interfaceB').waitFor({ state: 'detached' });
    await editor.done();
    assert.deepEqual([await editor.property(bridge, 'interfaceA'), await editor.property(bridge, 'interfaceB')], [client.b, server.a]);
    assert.equal(await editor.property(bridge, 'valid'), true);
    assert.match(
      (await editor.node(bridge).locator('.red-ui-flow-node-label').textContent()) ?? '',
      new RegExp(`${client.b} ⇄ ${server.a}`),
    );
  });

  it('fills the rings of both ends with the profile', async () => {
    await editor.edit(bridge);
    await editor.tab('rings');
    const summary = editor.page.locator('#netring-ring-summary');
    assert.match(await summary.innerText(), /^2 x 64 blocks x 256 KiB = 32 MiB/);
    await editor.field('profile').selectOption('low-memory');
    assert.equal(await editor.field('bBlockCount').inputValue(), '16');
    assert.equal(await editor.field('aBlockSize').isDisabled(), true);
    await editor.field('profile').selectOption('');
    await editor.type('bBlockCount', '32');
    assert.match(await summary.innerText(), /^16 blocks x 1 MiB \+ 32 blocks x 1 MiB = 48 MiB/);
    await editor.type('aFrameSize', '100');
    await editor
      .error('aFrameSize')
      .filter({ hasText: /not a multiple of TPACKET_ALIGNMENT/ })
      .waitFor();
    await editor.screenshot('bridge-invalid');
    await editor.type('aFrameSize', '2048');
    await editor.done();
    assert.deepEqual([await editor.property(bridge, 'profile'), await editor.property(bridge, 'bBlockCount')], ['', '32']);
    await editor.edit(bridge);
    await editor.tab('rings');
    await editor.field('profile').selectOption('balanced');
    await editor.done();
    assert.equal(await editor.property(bridge, 'bBlockCount'), '');
  });

  it('shows what a mode needs, and nothing else', async () => {
    await editor.edit(bridge);
    await editor.tab('flow');
    const visible = async (): Promise<string[]> => {
      const names = ['tap', 'tapRate', 'inlineTimeoutMs', 'inlineDefault'];
      const shown = await Promise.all(names.map((name) => editor.field(name).isVisible()));
      return names.filter((_, i) => shown[i]);
    };
    assert.deepEqual(await visible(), ['tap']);
    await editor.field('tap').selectOption('sample');
    assert.deepEqual(await visible(), ['tap', 'tapRate']);
    await editor.field('mode').selectOption('inline');
    assert.deepEqual(await visible(), ['inlineTimeoutMs', 'inlineDefault']);
    await editor.screenshot('bridge-inline');
    await editor.field('mode').selectOption('forward');
    await editor.field('tap').selectOption('off');
    await editor.tab('filter');
    await editor.field('filterAToB').fill(ICMP);
    const state = editor.page.locator('#netring-filterAToB-state');
    await until(async () => (await state.innerText()) === 'Accepted: 6 instructions.', 15_000, 'the runtime accepts the filter');
    await editor.field('filterBToA').fill('1\n21 9 9 9');
    await editor.error('filterBToA').waitFor();
    await editor.screenshot('bridge-filter-wrong');
  });

  it('writes the properties of the table into the flow, and nothing else; and has help', async () => {
    const exported = await editor.ask<Record<string, unknown>[]>('RED.nodes.createExportableNodeSet(RED.nodes.filterNodes({}))');
    const node = exported.find((candidate) => candidate['type'] === 'netring-bridge');
    assert.ok(node);
    assert.deepEqual(Object.keys(node).sort(), ['id', 'type', 'z', 'name', 'schema', 'x', 'y', 'wires', ...OPTIONS].sort());
    const help = await editor.ask<string>(`RED.nodes.getNodeHelp('netring-bridge')`);
    assert.match(help, /<h3>Inputs<\/h3>[^]*message-properties[^]*CAP_NET_RAW/);
  });

  it('BR-09 joins a client and a server flow: both rates under the node, and a filter that changes live', async () => {
    const witness = await Witness.open(lab, server.b);
    const inject = await editor.drag('netring-inject-out', 690, 160);
    const capture = await editor.drag('netring-capture-in', 300, 470);
    await editor.edit(inject);
    await editor.pickInterface(client.a);
    await editor.done();
    await editor.edit(capture);
    await editor.pickInterface(server.b);
    await editor.done();
    await editor.edit(bridge);
    await editor.tab('filter');
    await editor.field('filterAction').selectOption('drop');
    await editor.done();
    await editor.wire('frame', 0, inject);
    await editor.wire('hold', 0, bridge);
    await editor.wire('free', 0, bridge);
    await editor.wire(capture, 0, 'shown');
    await editor.deploy();

    await editor.waitForStatus(bridge, /^A→B [1-9][\d.]*, B→A [\d.]+ pps$/);
    await editor.waitForStatus(capture, /^[1-9][\d.]* pps$/);
    const frames = (): number => witness.frames.filter(({ protocol }) => protocol === ETHERTYPE).length;
    await until(() => frames() > 5, 15_000, 'frames behind the bridge');
    await editor.screenshot('bridge-running');

    await red.inject('hold');
    await editor.waitForStatus(capture, /^0 pps$/);
    await editor.waitForStatus(bridge, /^A→B 0, B→A 0 pps$/);
    // What went to the server before a frame that goes there beside the bridge, the witness has told when it tells of that one.
    const marker = Buffer.alloc(60, 0xff);
    marker.set([2, 0, 0, 0, 0, 1, 0x88, 0xb6], 6);
    let markers = 0;
    const framesSoFar = async (): Promise<number> => {
      await sendFrames(lab, server.a, [marker]);
      markers++;
      await until(() => witness.frames.filter(({ protocol }) => protocol === 0x88b6).length === markers, 15_000, 'the marker');
      return frames();
    };
    const held = await framesSoFar();
    const offered = await Witness.open(lab, client.b);
    await offered.expect(5, 15_000);
    assert.equal(await framesSoFar(), held, 'nothing passes');
    await red.inject('free');
    await editor.waitForStatus(bridge, /^A→B [1-9]/);
    await until(() => frames() > held + 5, 15_000, 'frames again');
  });

  it('lets the frames travel through the flow: output to function to input', async () => {
    const witness = await Witness.open(lab, server.b);
    await editor.edit(bridge);
    await editor.tab('flow');
    await editor.field('mode').selectOption('inline');
    await editor.field('inlineDefault').selectOption('drop');
    await editor.done();
    await editor.wire(bridge, 0, 'pass');
    await editor.wire('pass', 0, bridge);
    await editor.deploy();
    await editor.waitForStatus(bridge, /^A→B [1-9]/);
    await until(() => witness.frames.length > 5, 15_000, 'frames behind the bridge');
  });
});
