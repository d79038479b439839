import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '../support/lab';
import { NodeRed, type FlowNode } from '../support/node-red';
import { root } from '../support/paths';
import { openEditor } from './editor';

/**
 * `NETRING_IMAGES=docs/images npm test -- browser -g README` makes the README's pictures anew; otherwise they go to .cache/screenshots/.
 */
const IMAGES = process.env['NETRING_IMAGES'];

describe('the pictures of the README', function () {
  this.timeout(120_000);
  const lab = new Lab();
  after(() => lab.close());

  it('first-steps.png: the example flow runs as it is imported', async () => {
    lab.ip('link add wire0 type veth peer name wire1');
    lab.defer(() => lab.ip('link del wire0'));
    for (const end of ['wire0', 'wire1']) lab.ip(`link set ${end} addrgenmode none up`);
    const flow = JSON.parse(readFileSync(join(root, 'examples', 'flows', 'first-steps.json'), 'utf8')) as FlowNode[];
    const red = await NodeRed.start(lab, { flow });
    const editor = await openEditor(lab, red, { width: 1400, height: 500, scale: 2 });
    const idOf = (type: string): string => flow.find((node) => node.type === type)?.id ?? '';
    await editor.page.locator('#red-ui-palette-search input').pressSequentially('netring');
    await editor.paletteEntry('debug').waitFor({ state: 'hidden' });
    await editor.ask(`RED.sidebar.show('debug')`);
    for (const type of ['netring-capture-in', 'netring-inject-out']) await editor.waitForStatus(idOf(type), /[1-9].* pps/);
    await editor.page.locator('.red-ui-debug-msg').nth(2).waitFor();
    // The pointer stands where a tooltip or a highlight would show otherwise.
    await editor.page.mouse.move(700, 430);
    await editor.screenshot('first-steps', IMAGES === undefined ? undefined : join(root, IMAGES));
    assert.deepEqual(editor.problems, []);
  });
});
