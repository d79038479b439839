import { strict as assert } from 'node:assert';
import type { Locator } from 'playwright-core';
import { Lab, type Wire } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { Witness } from '../support/witness';
import { openEditor, type Editor } from './editor';
import { ETHERTYPE, FURNITURE } from './flow';

describe('a flow drawn with the mouse', function () {
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
    // A long text is cut until it is clicked.
    assert.match(shown, /PacketBatch .*: 1 packet, 60 bytes.*02:00:00:00:00:01 >/s);
    const [frame] = await witness.expect(3);
    assert.equal(frame?.protocol, ETHERTYPE);
    assert.equal(frame?.data.length, 60);
    assert.ok(frame?.data.subarray(14).every((byte) => byte === 0x5a));
    await editor.ask(`RED.sidebar.show('debug')`);
    await editor.screenshot('running');
  });

  it('sends decoded packets once the panel says so', async () => {
    await editor.edit(capture);
    await editor.tab('output');
    await editor.field('output').selectOption('decoded');
    assert.match((await editor.page.locator('#netring-about-output').textContent()) ?? '', /its layers: ethernet, vlans/);
    await editor.screenshot('decoded-panel');
    await editor.done();
    await editor.deploy();
    await editor.waitForStatus(capture, /[1-9].* pps/);
    await editor.ask(`RED.sidebar.show('debug')`);
    await editor.ask(`RED.debug.clearMessageList(true)`);
    // The first one that is left: it stays where it is while others come.
    const message = editor.page
      .locator('.red-ui-debug-msg')
      .filter({ hasText: /array\[\d+\]/ })
      .first();
    await message.locator('.red-ui-debug-msg-object-header').first().click();
    await entry(message, '0').click();
    await entry(message, 'ethernet').click();
    assert.match((await message.textContent()) ?? '', /source: "02:00:00:00:00:01"/);
    await editor.screenshot('decoded-running');
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

  it('has a panel that can be read, in the light and in the dark', async () => {
    const [major] = (await editor.ask<string>('RED.settings.version')).split('.');
    // Node-RED before 5 has no dark theme of its own.
    for (const theme of Number(major) < 5 ? ['light'] : ['light', 'dark']) {
      await editor.ask(`document.documentElement.classList.toggle('nr-theme-dark', ${theme === 'dark'})`);
      await editor.edit(capture);
      await editor.tab('ring');
      await editor.screenshot(theme);
      const contrasts = await editor.ask<Record<string, number>>(CONTRASTS);
      for (const [what, contrast] of Object.entries(contrasts)) assert.ok(contrast > 4.5, `${what} in ${theme}: ${contrast}`);
      await editor.cancel();
    }
  });
});

/** The line of a property in a message of the debug sidebar. */
function entry(message: Locator, key: string): Locator {
  return message.locator(`.red-ui-debug-msg-object-key:text-is("${key}")`).first();
}

/** Contrast (WCAG) of what is read against what it stands on. */
const CONTRASTS = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => channels(colour).slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const background = (element) => {
    const own = getComputedStyle(element).backgroundColor;
    return channels(own)[3] === 0 ? background(element.parentElement) : own;
  };
  const contrast = (element) => {
    const [light, dark] = [luminance(getComputedStyle(element).color), luminance(background(element))].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const parts = ['#netring-ring-summary', '#netring-about-profile', '#netring-tab-ring label', '.netring-capability', '.netring-unit'];
  return Object.fromEntries(parts.map((part) => [part, contrast(document.querySelector('.netring-panel ' + part))]));
})()`;
