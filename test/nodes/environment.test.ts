/** Properties that an environment variable holds. */
import assert from 'node:assert/strict';
import { load, useFlows } from './flow';

const UNSET = '${NETRING_CERTAINLY_UNSET}';

describe('environment variables in the properties of nodes', () => {
  useFlows();

  for (const [type, properties] of [
    ['netring-capture-in', { interface: UNSET }],
    ['netring-inject-out', { interface: UNSET }],
    ['netring-bridge', { interfaceA: 'x', interfaceB: UNSET }],
    ['netring-xdp', { interface: UNSET }],
  ] as const)
    it(`${type} names the variable that should hold its interface and is not set`, async () => {
      const flow = await load(type, properties);
      assert.match((await flow.status(/bad/)).fill, /red/);
      assert.match(
        await flow.refused({ payload: Buffer.alloc(60) }),
        /interface(?:B)? is required, and the environment variable NETRING_CERTAINLY_UNSET is not set/,
      );
    });
});
