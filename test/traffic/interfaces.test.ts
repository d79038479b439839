import assert from 'node:assert/strict';
import { interfaceInfo, interfaces } from '@netring/node-red';
import { Lab, link, links } from '../support/lab';

describe('interfaces', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('are those that iproute2 lists', async () => {
    await lab.wire({ mtu: 9000 });
    await lab.wire({ up: false });
    const told = interfaces().map(({ name, index, mtu, address }) => ({ name, index, mtu, address }));
    const expected = links().map((entry) => ({ name: entry.ifname, index: entry.ifindex, mtu: entry.mtu, address: entry.address }));
    assert.deepEqual(told, expected);
  });

  it('tell flags, carrier, link type, queues, driver', async () => {
    const wire = await lab.wire({ link: ['numrxqueues', '2', 'numtxqueues', '2'] });
    const info = interfaceInfo(wire.a);
    assert.ok((info.flags & 1) !== 0, 'IFF_UP');
    assert.deepEqual([info.up, info.carrier, info.loopback, info.linkType], [true, true, false, 1]);
    assert.equal(info.driver, 'veth');
    assert.equal(info.queues, 2);
    assert.equal(info.speed, 10_000, 'what veth claims');
    assert.equal(info.defaultRoute, false);
    lab.ip(`link set ${wire.b} down`);
    const without = interfaceInfo(wire.a);
    assert.deepEqual([without.up, without.carrier], [false, false]);
    assert.ok((without.flags & 1) !== 0, 'administratively still up');
    assert.deepEqual([interfaceInfo('lo').loopback, interfaceInfo('lo').linkType, interfaceInfo('lo').driver], [true, 772, '']);
  });

  it('tell a speed that nobody knows as 0', async () => {
    const name = 'iftun0';
    lab.ip(`tuntap add dev ${name} mode tun`);
    lab.defer(() => lab.ip(`link del ${name}`));
    lab.ip('link add ifbridge0 type bridge');
    lab.defer(() => lab.ip('link del ifbridge0'));
    assert.equal(interfaceInfo('ifbridge0').speed, 0);
    assert.equal(interfaceInfo(name).address, '', 'no link-layer address');
    assert.equal(interfaceInfo(name).linkType, 65534);
  });

  it('tell which ones a default route leaves through', async () => {
    const wire = await lab.wire();
    lab.ip(`addr add 192.0.2.1/24 dev ${wire.a}`);
    lab.ip(`addr add 203.0.113.1/24 dev ${wire.b}`);
    const routed = (): string[] =>
      interfaces()
        .filter((entry) => entry.defaultRoute)
        .map((entry) => entry.name);
    assert.deepEqual(routed(), []);
    lab.ip('route add default via 192.0.2.2');
    assert.deepEqual(routed(), [wire.a]);
    lab.ip('route replace default nexthop via 192.0.2.2 nexthop via 203.0.113.2');
    assert.deepEqual(routed().sort(), [wire.a, wire.b].sort());
    lab.ip('route replace unreachable default');
    assert.deepEqual(routed(), []);
  });

  it('are found by name, and only then', async () => {
    const wire = await lab.wire();
    assert.equal(interfaceInfo(wire.a).index, link(wire.a).ifindex);
    assert.throws(() => interfaceInfo('nosuch0'), {
      name: 'NetringError',
      kind: 'InterfaceNotFound',
      code: 'ENODEV',
      interface: 'nosuch0',
      message: 'interface not found: nosuch0',
    });
    assert.throws(() => interfaceInfo(7 as unknown as string), TypeError);
  });
});
