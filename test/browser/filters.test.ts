/** The filter fields in a real browser: what the runtime says of an expression while it is typed. */
import { strict as assert } from 'node:assert';
import { Lab, type Wire } from '../support/lab';
import { NodeRed } from '../support/node-red';
import { until } from '../support/wait';
import { openEditor, type Editor } from './editor';
import { FURNITURE } from './flow';

describe('the filter fields in a real browser', function () {
  this.timeout(120_000);
  const lab = new Lab();
  let wire: Wire;
  let editor: Editor;
  let capture: string;

  before(async () => {
    wire = await lab.wire();
    const red = await NodeRed.start(lab, { flow: FURNITURE });
    editor = await openEditor(lab, red);
  });
  after(() => lab.close());
  afterEach(async () => {
    await editor.leave();
    assert.deepEqual(editor.problems.splice(0), []);
  });

  const state = (property: string): Promise<string> => editor.page.locator(`#netring-${property}-state`).innerText();
  const accepted = (property: string): Promise<boolean> =>
    until(async () => /^Accepted: [1-9]\d* instructions\.$/.test(await state(property)), 15_000, `${property} is accepted`);
  /** The line of the expression and the carets below it, once the message names the column. */
  const mistake = async (property: string, column: number): Promise<string[]> => {
    await editor
      .error(property)
      .filter({ hasText: new RegExp(`column ${column}: `) })
      .waitFor();
    const lines = await until(
      async () => {
        const text = (await editor.page.locator(`#netring-${property}-state .netring-mistake`).textContent()) ?? '';
        return text === '' ? undefined : text.split('\n');
      },
      5000,
      `the mistake in ${property}`,
    );
    return lines;
  };

  it('says as one types whether an expression is right, and marks the place where it is not', async () => {
    capture = await editor.drag('netring-capture-in', 330, 300);
    await editor.edit(capture);
    await editor.pickInterface(wire.b);
    await editor.tab('filter');
    assert.equal(await editor.field('filter').getAttribute('placeholder'), 'tcp port 502 and not host 10.0.0.1');
    await editor.type('filter', 'tcp port 502 and not host 10.0.0.1');
    await accepted('filter');
    await editor.screenshot('filter-expression');
    await editor.type('filter', 'tcp port 502 und udp');
    assert.deepEqual(await mistake('filter', 14), ['tcp port 502 und udp', `${' '.repeat(13)}^^^`]);
    assert.equal(await editor.page.locator('#netring-filter-state u').innerText(), 'und');
    await editor.screenshot('filter-expression-wrong');
    for (let i = 0; i < 'und udp'.length; i++) await editor.field('filter').press('Backspace');
    await accepted('filter');
    await editor.field('filter').pressSequentially('and');
    assert.deepEqual(await mistake('filter', 17), ['tcp port 502 and', `${' '.repeat(16)}^`]);
    await editor.screenshot('filter-expression-end');
    await editor.field('filter').pressSequentially(' udp');
    assert.deepEqual(await mistake('filter', 1), ['tcp port 502 and udp', '^^^']);
    await editor.field('filter').press('Home');
    await editor.field('filter').pressSequentially('ip or ');
    await accepted('filter');
    await editor.error('filter').waitFor({ state: 'detached' });
    await editor.done();
  });

  it('shows of a long text the line with the mistake, and no more of it than fits', async () => {
    await editor.edit(capture);
    await editor.tab('filter');
    const hosts = Array.from({ length: 30 }, (_, i) => `host 10.0.0.${i}`).join(' or ');
    await editor.field('filter').fill(`tcp and\n(${hosts} or host 10.0.0.300 or ${hosts})`);
    const column = `tcp and\n(${hosts} or host `.length + 1;
    const [line = '', carets = ''] = await mistake('filter', column);
    assert.equal(line.slice(carets.indexOf('^'), carets.length), '10.0.0.300');
    assert.ok(line.length < 90, line);
    await editor.screenshot('filter-expression-long');
    const box = await editor.page.locator('.netring-mistake').boundingBox();
    const panel = await editor.page.locator('.netring-panel').boundingBox();
    assert.ok(box !== null && panel !== null && box.x + box.width <= panel.x + panel.width, 'within the panel');
  });

  it('a wrong one makes the node invalid for the editor; it is saved all the same, and a right one is deployed', async () => {
    await editor.edit(capture);
    await editor.tab('filter');
    await editor.field('filter').fill('udp prot 53');
    await mistake('filter', 5);
    await editor.done();
    assert.equal(await editor.property(capture, 'valid'), false);
    assert.equal(await editor.property(capture, 'filter'), 'udp prot 53');
    await editor.edit(capture);
    await editor.tab('filter');
    await mistake('filter', 5);
    await editor.field('filter').fill('ether proto 0x88b5 or vlan 7');
    await accepted('filter');
    await editor.done();
    assert.equal(await editor.property(capture, 'valid'), true);
    assert.equal(await editor.property(capture, 'filter'), 'ether proto 0x88b5 or vlan 7');
    const inject = await editor.drag('netring-inject-out', 690, 190);
    await editor.edit(inject);
    await editor.pickInterface(wire.a);
    await editor.done();
    await editor.wire('frame', 0, inject);
    await editor.deploy();
    await editor.waitForStatus(capture, /^[1-9][0-9.]* pps$/);
    await editor.screenshot('filter-expression-running');
  });

  it('checks both fields of a bridge, each by itself', async () => {
    const bridge = await editor.drag('netring-bridge', 560, 430);
    await editor.edit(bridge);
    await editor.tab('filter');
    await editor.type('filterAToB', 'icmp or icmp6');
    await editor.type('filterBToA', 'net 10.0.0.0/33');
    await accepted('filterAToB');
    await mistake('filterBToA', 13);
    await editor.screenshot('filter-expression-bridge');
    await editor.type('filterBToA', 'net 10.0.0.0/8');
    await accepted('filterBToA');
  });

  it('checks the field of xdp', async () => {
    const xdp = await editor.drag('netring-xdp', 560, 520);
    await editor.edit(xdp);
    await editor.tab('program');
    await editor.type('filter', 'udp prot 4789');
    await mistake('filter', 5);
    await editor.screenshot('filter-expression-xdp');
    await editor.type('filter', 'udp port 4789');
    await accepted('filter');
    assert.equal(await editor.page.locator('#netring-takes-all').isVisible(), false);
  });
});
