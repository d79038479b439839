/** The xdp node in a real browser: its panel, and a flow that receives and sends past the kernel. */
import { strict as assert } from 'node:assert';
import { NODE_GROUPS, OPTION_TABLE } from '../../src/options/table';
import { ICMP } from '../support/bridge-lab';
import { needsXdp } from '../support/skip';
import { Lab, xdpProgram, type Wire } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { until } from '../support/wait';
import { Witness } from '../support/witness';
import { openEditor, TEXTS, UNLABELLED, type Editor } from './editor';
import { ETHERTYPE, FURNITURE } from './flow';

const OPTIONS = NODE_GROUPS.xdp.flatMap((group) => OPTION_TABLE[group]).map((row) => row.name);

/** A filter that picks the frames of the furniture: `tcpdump -ddd ether proto 0x88b5`. */
const FURNITURE_FRAMES = `4\n40 0 0 12\n21 0 1 ${ETHERTYPE}\n6 0 0 262144\n6 0 0 0`;

describe('the xdp node in a real browser', function () {
  this.timeout(120_000);
  const lab = new Lab();
  let wire: Wire;
  let single: Wire;
  let red: NodeRed;
  let editor: Editor;
  let xdp: string;

  before(async () => {
    wire = await lab.wire({ link: ['numrxqueues', '4', 'numtxqueues', '4'] });
    single = await lab.wire({ link: ['numrxqueues', '1', 'numtxqueues', '1'] });
    red = await NodeRed.start(lab, { flow: [...FURNITURE] });
    editor = await openEditor(lab, red);
  });
  after(() => lab.close());
  afterEach(async () => {
    await editor.leave();
    assert.deepEqual(editor.problems.splice(0), []);
  });

  it('is dragged onto the canvas: one input, two outputs, its icon', async () => {
    xdp = await editor.drag('netring-xdp', 560, 330);
    assert.equal(await editor.node(xdp).locator('.red-ui-flow-port-input').count(), 1);
    assert.equal(await editor.node(xdp).locator('.red-ui-flow-port-output').count(), 2);
    const image = editor.node(xdp).locator('image.red-ui-flow-node-icon');
    await image.waitFor();
    assert.equal(await image.getAttribute('href'), 'icons/@netring/node-red/netring-xdp.svg');
    assert.equal(await editor.property(xdp, 'valid'), false, 'without an interface the node is marked');
    await editor.screenshot('xdp-dragged');
  });

  it('has a labelled field for every option, and no raw keys on any tab', async () => {
    await editor.edit(xdp);
    for (const option of OPTIONS) assert.equal(await editor.field(option).count(), 1, `a field for ${option}`);
    assert.deepEqual(await editor.ask(UNLABELLED), []);
    for (const tab of ['interface', 'program', 'memory', 'polling', 'messages']) {
      await editor.tab(tab);
      const text = await editor.ask<string>(TEXTS);
      assert.doesNotMatch(text, /\b(xdp|netring)\.[a-z]/i, `tab ${tab}`);
      assert.doesNotMatch(text, /__\w+__|undefined|NaN/, `tab ${tab}`);
      await editor.screenshot(`xdp-${tab}`);
    }
  });

  it('knows the queues of the interface', async () => {
    await editor.edit(xdp);
    const queues = editor.page.locator('#netring-queues');
    await editor.pickInterface(single.b);
    assert.equal(await queues.innerText(), `${single.b} has 1 queue (0).`);
    await editor.pickInterface(wire.b);
    assert.equal(await queues.innerText(), `${wire.b} has 4 queues (0 to 3).`);
    await editor.type('queueId', '4');
    assert.equal(await queues.innerText(), `${wire.b} has no queue 4: it has 4 queues (0 to 3).`);
    await editor.screenshot('xdp-queue');
    await editor.type('queueId', 'some');
    await editor
      .error('queueId')
      .filter({ hasText: /neither the number of a queue nor "all"/ })
      .waitFor();
    await editor.type('queueId', 'all');
    await editor.error('queueId').waitFor({ state: 'detached' });
    await editor.done();
    assert.deepEqual([await editor.property(xdp, 'interface'), await editor.property(xdp, 'queueId')], [wire.b, 'all']);
    assert.equal(await editor.property(xdp, 'valid'), true);
  });

  it('says what the memory comes to, and shows what a mode needs', async () => {
    await editor.edit(xdp);
    await editor.tab('memory');
    const summary = editor.page.locator('#netring-ring-summary');
    assert.match(await summary.innerText(), /^2048 frames x 2 KiB = 4 MiB per queue, 16 MiB for 4 queues/);
    await editor.field('frameSize').selectOption('4096');
    await editor.type('frameCount', '512');
    assert.match(await summary.innerText(), /^512 frames x 4 KiB = 2 MiB per queue, 8 MiB for 4 queues/);
    await editor.tab('interface');
    await editor.type('queueId', '0');
    await editor.tab('memory');
    assert.match(await summary.innerText(), /^512 frames x 4 KiB = 2 MiB per queue, locked/);
    assert.equal(await editor.field('prefill').isVisible(), false);
    await editor.field('mode').selectOption('custom');
    await editor.type('prefill', '513');
    await editor
      .error('prefill')
      .filter({ hasText: /is more than frameCount 512/ })
      .waitFor();
    await editor.screenshot('xdp-invalid');
    await editor.field('mode').selectOption('rxtx');
    assert.deepEqual([await editor.field('prefill').isVisible(), await editor.field('prefill').inputValue()], [false, '']);
    await editor.error('prefill').waitFor({ state: 'detached' });
    await editor.done();
    assert.deepEqual([await editor.property(xdp, 'frameSize'), await editor.property(xdp, 'frameCount')], ['4096', '512']);
  });

  it('warns of taking every frame, checks the filter, and takes a map only for a program from outside', async () => {
    await editor.edit(xdp);
    await editor.tab('program');
    const takesAll = editor.page.locator('#netring-takes-all');
    assert.ok(await takesAll.isVisible());
    assert.equal(await editor.field('mapPin').isVisible(), false);
    await editor.field('filter').fill(ICMP);
    const state = editor.page.locator('#netring-filter-state');
    await until(async () => (await state.innerText()) === 'Accepted: 6 instructions.', 15_000, 'the runtime accepts the filter');
    assert.equal(await takesAll.isVisible(), false);
    await editor.field('filter').fill('icmp and inbound');
    await editor
      .error('filter')
      .filter({ hasText: /column 10: "inbound" stands there, and an XDP program does not know the direction/ })
      .waitFor();
    await editor.field('filter').fill(ICMP);
    await editor.error('filter').waitFor({ state: 'detached' });
    await editor.field('attach').selectOption('none');
    await editor
      .error('filter')
      .filter({ hasText: /attach none/ })
      .waitFor();
    await editor.type('mapPin', 'xsks');
    await editor
      .error('mapPin')
      .filter({ hasText: /no absolute path/ })
      .waitFor();
    await editor.screenshot('xdp-outside');
    await editor.field('attach').selectOption('auto');
    await editor.field('filter').fill(FURNITURE_FRAMES);
    await editor.error('filter').waitFor({ state: 'detached' });
    assert.equal(await editor.field('mapPin').inputValue(), '');
    await editor.done();
    assert.equal(await editor.property(xdp, 'valid'), true);
  });

  it('writes the properties of the table into the flow, and nothing else; and has help', async () => {
    const exported = await editor.ask<Record<string, unknown>[]>('RED.nodes.createExportableNodeSet(RED.nodes.filterNodes({}))');
    const node = exported.find((candidate) => candidate['type'] === 'netring-xdp');
    assert.ok(node);
    assert.deepEqual(Object.keys(node).sort(), ['id', 'type', 'z', 'name', 'schema', 'x', 'y', 'wires', ...OPTIONS].sort());
    const help = await editor.ask<string>(`RED.nodes.getNodeHelp('netring-xdp')`);
    assert.match(help, /<h3>Inputs<\/h3>[^]*message-properties[^]*CAP_BPF/);
  });

  it('counts what it receives under the node, and what it sends; nothing stays when it is deleted', async function () {
    needsXdp(this);
    const inject = await editor.drag('netring-inject-out', 690, 160);
    await editor.edit(inject);
    await editor.pickInterface(wire.a);
    await editor.done();
    await editor.edit(xdp);
    await editor.type('queueId', 'all');
    await editor.done();
    await editor.wire('frame', 0, inject);
    await editor.wire(xdp, 0, 'shown');
    await editor.deploy();
    await editor.waitForStatus(xdp, /^(driver|skb), copy: [1-9][\d.]* pps$/);
    await editor.screenshot('xdp-running');

    const witness = await Witness.open(lab, wire.a);
    await editor.wire('frame', 0, xdp);
    await editor.deploy();
    await editor.waitForStatus(xdp, /^(driver|skb), copy: in [1-9][\d.]*, out [1-9][\d.]* pps$/);
    await until(() => witness.frames.filter(({ protocol }) => protocol === ETHERTYPE).length > 5, 15_000, 'frames at the other end');

    assert.notEqual(xdpProgram(wire.b), undefined);
    await editor.node(xdp).click();
    await editor.page.keyboard.press('Delete');
    await editor.deploy();
    await until(() => xdpProgram(wire.b) === undefined, 15_000, 'the program is gone');
  });
});
