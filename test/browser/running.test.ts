import { strict as assert } from 'node:assert';
import { Lab, type Wire } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { Witness } from '../support/witness';
import { openEditor, type Editor } from './editor';
import { ETHERTYPE, FURNITURE } from './flow';

describe('a flow drawn with the mouse', function () {
  this.timeout(60_000);
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
  afterEach(() => assert.deepEqual(editor.problems, []));

  it('injects and captures: statuses count packets, the sidebar shows a batch, a witness sees the frames', async () => {
    const witness = await Witness.open(lab, wire.b);
    inject = await editor.drag('netring-inject-out', 690, 190);
    capture = await editor.drag('netring-capture-in', 330, 290);
    await editor.edit(inject);
    await editor.pickInterface(wire.a);
    await editor.done();
    await editor.edit(capture);
    await editor.pickInterface(wire.b);
    await editor.done();
    await editor.wire('frame', 0, inject);
    await editor.wire(capture, 0, 'shown');
    await editor.deploy();

    assert.match(await editor.waitForStatus(capture, /[1-9].* pps/), /^[0-9.]+ pps$/);
    await editor.waitForStatus(inject, /[1-9]/);
    await editor.page.locator('.red-ui-debug-msg').first().waitFor({ state: 'attached' });
    const shown = await editor.ask<string>(`document.querySelector('.red-ui-debug-msg .red-ui-debug-msg-payload').textContent`);
    assert.match(shown, /PacketBatch/);
    const [frame] = await witness.expect(3);
    assert.equal(frame?.protocol, ETHERTYPE);
    assert.equal(frame?.data.length, 60);
    assert.ok(frame?.data.subarray(14).every((byte) => byte === 0x5a));
    await editor.ask(`RED.sidebar.show('debug')`);
    await editor.screenshot('running');
  });

  it('tells under the node that its cable is gone, and recovers when it is back', async () => {
    lab.ip(`link set ${wire.b} down`);
    await editor.waitForStatus(capture, /down/);
    await editor.screenshot('down');
    lab.ip(`link set ${wire.b} up`);
    await editor.waitForStatus(capture, /[1-9].* pps/);
  });

  it('comes back after the page is loaded again', async () => {
    await editor.page.reload();
    await editor.node(capture).waitFor();
    await editor.waitForStatus(capture, /pps/);
    assert.equal(await editor.property(capture, 'interface'), wire.b);
    assert.equal(await editor.property(capture, 'changed'), false);
  });
});
