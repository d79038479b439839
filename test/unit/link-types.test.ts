import assert from 'node:assert/strict';
import { assertLinkType } from '../../src/interfaces/link-types';

describe('link types', () => {
  it('accepts Ethernet, loopback and raw IP, refuses another by name and number', () => {
    for (const known of [1, 772, 65534]) assertLinkType(known, 'eth0');
    assert.throws(() => assertLinkType(778, 'gre0'), {
      kind: 'Config',
      option: 'interface',
      message: /interface gre0 has link type 778; supported are 1 \(Ethernet\)/,
    });
  });
});
