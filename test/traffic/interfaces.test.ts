import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { Capture, interfaceInfo, interfaces, suggestFanoutThreads, suggestProfile, type InterfaceOffloads } from '@netring/node-red';
import { Lab, link, links } from '../support/lab';
import { output } from '../support/process';

/** What `ip -j addr` tells of an interface. */
interface IpLink {
  ifname: string;
  ifindex: number;
  mtu: number;
  operstate: string;
  flags: string[];
  addr_info: { local: string; prefixlen: number }[];
}

const ip = <T>(...args: string[]): T[] => JSON.parse(output('ip', ['-j', ...args])) as T[];
const WORDS: Readonly<Record<string, string>> = {
  NOARP: 'no-arp',
  POINTOPOINT: 'point-to-point',
  PROMISC: 'promiscuous',
  ALLMULTI: 'all-multicast',
};

/** What ethtool calls the offloads. */
const FEATURES: Readonly<Record<keyof InterfaceOffloads, string>> = {
  vlanStripping: 'rx-vlan-offload',
  largeReceive: 'large-receive-offload',
  genericReceive: 'generic-receive-offload',
  genericSegmentation: 'generic-segmentation-offload',
  tcpSegmentation: 'tcp-segmentation-offload',
  receiveChecksum: 'rx-checksumming',
  sendChecksum: 'tx-checksumming',
};

function offloads(name: string): Record<string, boolean> {
  const lines = output('ethtool', ['-k', name]).matchAll(/^([\w-]+): (on|off)/gm);
  return Object.fromEntries(Array.from(lines, ([, feature, state]): [string, boolean] => [feature!, state === 'on']));
}

/** Mbit/s; 0 where ethtool says "Unknown!" or nothing. */
const ethtoolSpeed = (name: string): number => Number(/Speed: (\d+)Mb\/s/.exec(output('ethtool', [name]))?.[1] ?? 0);

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

  it('agree with ip and ethtool in state, flags, addresses, queues and offloads', async () => {
    const wire = await lab.wire({ link: ['numrxqueues', '4', 'numtxqueues', '2'] });
    lab.ip('link add ifother0 type bridge');
    lab.defer(() => lab.ip('link del ifother0'));
    lab.ip(`addr add 192.0.2.7/24 dev ${wire.a}`);
    lab.ip(`addr add 198.51.100.1 peer 198.51.100.2/32 dev ${wire.a}`);
    lab.ip(`-6 addr add 2001:db8::7/64 dev ifother0 nodad`);
    lab.ip(`link set ${wire.b} down`);
    output('ethtool', ['-K', wire.a, 'gro', 'off', 'tso', 'off', 'tx', 'off', 'rxvlan', 'off']);
    for (const seen of ip<IpLink>('addr', 'show')) {
      const info = interfaceInfo(seen.ifname);
      assert.deepEqual(
        [info.index, info.mtu, info.operState],
        [seen.ifindex, seen.mtu, seen.operstate.toLowerCase().replace(/^lowerlayer/, 'lower-layer-')],
      );
      const flags = seen.flags
        .filter((flag) => flag !== 'NO-CARRIER' && flag !== 'M-DOWN')
        .map((flag) => WORDS[flag] ?? flag.toLowerCase().replace('_', '-'));
      // ip leaves RUNNING out, and makes NO-CARRIER and M-DOWN (the other end of a cable is down) of what is not set.
      assert.deepEqual(info.flagNames.filter((flag) => flag !== 'running').sort(), flags.sort(), seen.ifname);
      assert.equal(info.flags & 1, Number(seen.flags.includes('UP')));
      assert.deepEqual(
        [...info.addresses].sort(),
        seen.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
        seen.ifname,
      );
      const features = offloads(seen.ifname);
      const expected = Object.fromEntries(Object.entries(FEATURES).map(([name, feature]) => [name, features[feature] === true]));
      assert.deepEqual(info.offloads, expected, seen.ifname);
      assert.equal(info.speed, ethtoolSpeed(seen.ifname), seen.ifname);
    }
    const channels = output('ethtool', ['-l', wire.a]).split('Current hardware settings:')[1] ?? '';
    const [rx, tx, combined] = ['RX', 'TX', 'Combined'].map((name) => Number(new RegExp(`${name}:\\s*(\\d+)`).exec(channels)?.[1] ?? 0));
    const info = interfaceInfo(wire.a);
    assert.deepEqual([info.queues, info.sendQueues, info.combinedQueues], [rx! + combined!, tx! + combined!, combined]);
    assert.deepEqual([info.queues, info.sendQueues], [4, 2]);
    assert.deepEqual([info.offloads.genericReceive, info.offloads.sendChecksum], [false, false]);
    lab.ip(`link set ${wire.b} up`);
    lab.ip(`link set ${wire.a} down`);
    assert.deepEqual([interfaceInfo(wire.a).operState, interfaceInfo(wire.a).up], ['down', false]);
  });

  it('feed suggestions', async () => {
    const wire = await lab.wire({ link: ['numrxqueues', '2', 'numtxqueues', '2'] });
    assert.equal(suggestFanoutThreads(wire.a), Math.min(2, availableParallelism()));
    assert.equal(suggestFanoutThreads(interfaceInfo('lo')), 1);
    assert.equal(suggestProfile('lo'), 'balanced');
    // Whatever it suggests can be opened here.
    Capture.builder({ interface: wire.a, profile: suggestProfile(wire.a) })
      .build()
      .close();
    assert.throws(() => suggestProfile('nosuch0'), { kind: 'InterfaceNotFound' });
    assert.throws(() => suggestFanoutThreads('nosuch0'), { kind: 'InterfaceNotFound' });
  });

  it('are found by their alternative names, too', async () => {
    const wire = await lab.wire();
    for (const name of ['lan0', 'a-name-that-is-too-long-to-open']) lab.ip(`link property add dev ${wire.a} altname ${name}`);
    const info = interfaceInfo('lan0');
    assert.deepEqual([info.name, info.altNames], [wire.a, ['lan0', 'a-name-that-is-too-long-to-open']]);
    assert.deepEqual([interfaceInfo(wire.b).altNames, suggestProfile('lan0')], [[], suggestProfile(wire.a)]);
    using capture = Capture.open('lan0');
    assert.equal(capture.interface, wire.a);
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
