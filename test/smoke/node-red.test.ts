import { strict as assert } from 'node:assert';
import { Lab } from '../support/lab';
import { NodeRed } from '../support/node-red';

describe('the Node-RED under test', function () {
  this.timeout(60_000);
  const lab = new Lab();
  after(() => lab.close());

  it('starts, deploys, reports statuses and ends', async () => {
    const red = await NodeRed.start(lab);
    await red.deploy([
      { id: 'tab', type: 'tab', label: 'test' },
      { id: 'in', type: 'inject', z: 'tab', props: [{ p: 'payload' }], payload: 'hello', payloadType: 'str', wires: [['fn']] },
      { id: 'fn', type: 'function', z: 'tab', func: 'node.status({ text: msg.payload }); return msg;', outputs: 1, wires: [['out']] },
      { id: 'out', type: 'debug', z: 'tab', complete: 'payload', active: true, tosidebar: true, wires: [] },
    ]);
    await red.inject('in');
    assert.equal((await red.status('fn')).text, 'hello');
    const nodes = (await (await red.request('/nodes', { headers: { Accept: 'application/json' } })).json()) as {
      module: string;
      err?: string;
    }[];
    const ours = nodes.filter((set) => set.module === '@netring/node-red');
    assert.deepEqual(
      ours.map((set) => set.err),
      [undefined, undefined, undefined, undefined],
    );
    assert.equal(await red.stop(), 0);
  });
});
