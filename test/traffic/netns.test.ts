import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { AsyncCapture, AsyncInjector, Capture, Injector, interfaceInfo, interfaces, type NetringError } from '@netring/node-red';
import { Lab, links, type Wire } from '../support/lab';
import { footprint, output } from '../support/process';
import { within } from '../support/wait';
import { sendFrames, Witness } from '../support/witness';
import { collectPackets, frame, SMALL } from './rx';

/** The network namespaces that the threads of this process are in. */
const ownNamespaces = (): string[] => [
  ...new Set(readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`))),
];

describe('interfaces in another network namespace', () => {
  const lab = new Lab();
  let wire: Wire;
  let pid: number;
  let name: string;
  let own: string[];
  beforeEach(async () => {
    own = ownNamespaces();
    assert.equal(own.length, 1);
    wire = await lab.wire({ apart: true });
    pid = wire.namespace!;
    name = `netring${process.pid}x${pid}`;
    output('ip', ['netns', 'attach', name, `${pid}`]);
    lab.defer(() => output('ip', ['netns', 'del', name]));
  });
  afterEach(async () => {
    await lab.close();
    assert.deepEqual(ownNamespaces(), own);
  });

  const ways = (): [string, string | number][] => [
    ['name', name],
    ['path', `/run/netns/${name}`],
    ['pid', pid],
    ['pid as text', `${pid}`],
  ];

  for (const latency of ['block', 'immediate'] as const)
    it(`captures there, by name, path and pid, latency ${latency}`, async () => {
      const witness = await Witness.open(lab, wire.b, { namespace: pid });
      const opened = ways().map(([way, netns]) => {
        const rx = new AsyncCapture(Capture.builder({ ...SMALL, interface: wire.b, netns, latency, promiscuous: true }).build());
        lab.defer(() => rx.close());
        return [way, rx] as const;
      });
      assert.deepEqual(ownNamespaces(), own);
      const sent = Array.from({ length: 50 }, (_, i) => frame(`${i}`, 60 + i));
      await sendFrames(lab, wire.a, sent);
      const seen = (await witness.expect(50)).map(({ data }) => data);
      assert.deepEqual(seen, sent);
      for (const [way, rx] of opened) {
        const packets = await collectPackets(rx, 50);
        assert.deepEqual(
          packets.map(({ data }) => data),
          seen,
          way,
        );
      }
      assert.equal(links(pid).find(({ ifname }) => ifname === wire.b)?.promiscuity, opened.length);
    });

  it('injects there, by name, path and pid', async () => {
    const witness = await Witness.open(lab, wire.a);
    const sent: Buffer[] = [];
    for (const [way, netns] of ways()) {
      const tx = new AsyncInjector(Injector.builder({ interface: wire.b, netns }).build());
      lab.defer(() => tx.close());
      const frames = [frame(`by ${way}`), frame('x', 200)];
      assert.equal((await tx.sendBatch(frames)).sent, 2);
      sent.push(...frames);
    }
    assert.deepEqual(
      (await witness.expect(sent.length)).map(({ data }) => data),
      sent,
    );
  });

  it('an interface of the same name here is another one', async () => {
    lab.ip(`link add ${wire.b} type veth peer name ${wire.b}p`);
    lab.defer(() => lab.ip(`link del ${wire.b}`));
    const here = interfaceInfo(wire.b);
    const there = interfaceInfo(wire.b, { netns: pid });
    assert.equal(here.up, false);
    assert.equal(there.up, true);
    assert.notEqual(here.address, there.address);
  });

  it('lists the interfaces there', () => {
    for (const [way, netns] of ways())
      assert.deepEqual(
        interfaces({ netns }).map(({ name: each, index }) => [each, index]),
        links(pid).map(({ ifname, ifindex }) => [ifname, ifindex]),
        way,
      );
    assert.throws(() => interfaces({ netns: 'a/b' }), { kind: 'Config', option: 'netns' });
    assert.throws(() => interfaces({ netns: {} as string }), { kind: 'Config', option: 'netns' });
  });

  it('hears of the link there: down, up, deleted, and made again', async () => {
    const open = (): AsyncCapture => {
      const rx = new AsyncCapture(Capture.builder({ ...SMALL, interface: wire.b, netns: name }).build());
      lab.defer(() => rx.close());
      return rx;
    };
    const rx = open();
    const event = (which: 'down' | 'up' | 'gone'): Promise<unknown> => within(once(rx, which), 3000, which);
    const down = event('down');
    lab.ip(`link set ${wire.b} down`, pid);
    await down;
    const up = event('up');
    lab.ip(`link set ${wire.b} up`, pid);
    await up;
    const gone = event('gone');
    lab.ip(`link del ${wire.b}`, pid);
    await gone;
    lab.ip(`link add ${wire.a} type veth peer name ${wire.b} netns ${pid}`);
    lab.ip(`link set ${wire.a} addrgenmode none up`);
    lab.ip(`link set ${wire.b} addrgenmode none up`, pid);
    const again = open();
    await sendFrames(lab, wire.a, [frame('new')]);
    assert.equal((await collectPackets(again, 1)).length, 1);
  });

  it('failures say what is missing, and leave nothing', () => {
    const before = footprint();
    const open = (options: { interface: string; netns: string | number }): NetringError => {
      for (const build of [() => Capture.builder({ ...SMALL, ...options }).build(), () => Injector.builder(options).build()]) {
        try {
          build().close();
        } catch (error) {
          assert.deepEqual(ownNamespaces(), own);
          if (build.toString().includes('Injector')) return error as NetringError;
        }
      }
      return assert.fail('it opened');
    };
    const missing = open({ interface: 'nosuchif0', netns: name });
    assert.deepEqual(
      [missing.kind, missing.code, missing.interface, missing.message],
      ['InterfaceNotFound', 'ENODEV', 'nosuchif0', `interface not found: nosuchif0 in the network namespace ${name}`],
    );
    // It is here, not there.
    assert.equal(open({ interface: wire.a, netns: pid }).kind, 'InterfaceNotFound');
    for (const netns of ['nosuchns', '/run/netns/nosuchns', 4194304]) {
      const absent = open({ interface: wire.b, netns });
      assert.deepEqual(
        [absent.kind, absent.code, absent.message],
        ['InterfaceNotFound', 'ENOENT', `network namespace not found: ${netns}`],
      );
      assert.match(absent.hint, /^no such network namespace\n/);
    }
    for (const netns of ['/etc/passwd', `/proc/${pid}/ns/uts`]) {
      const wrong = open({ interface: wire.b, netns });
      assert.deepEqual([wrong.kind, wrong.option], ['Config', 'netns']);
    }
    for (const netns of ['a/b', '.', '..', 0, -1, 1.5, '0', 'x'.repeat(300)]) {
      const refused = open({ interface: wire.b, netns });
      assert.deepEqual([refused.kind, refused.option], ['Config', 'netns'], String(netns));
    }
    assert.equal(footprint().descriptors, before.descriptors);
  });

  it('without CAP_SYS_ADMIN the remedy is named', () => {
    const script = `const {Capture}=require('@netring/node-red');
      try { Capture.builder({interface:'${wire.b}',netns:'${name}',profile:'balanced'}).build(); } catch (error) { console.log(JSON.stringify({...error, message: error.message})); }`;
    const said = output('setpriv', ['--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin', process.execPath, '-e', script]);
    const error = JSON.parse(said) as NetringError;
    assert.deepEqual([error.kind, error.code, error.syscall], ['PermissionDenied', 'EPERM', 'setns']);
    assert.match(error.message, /need CAP_SYS_ADMIN to enter the network namespace/);
    assert.match(error.hint, /^needs CAP_SYS_ADMIN\n/);
  });

  it('no descriptor of the namespace stays open', async () => {
    const rx = new AsyncCapture(Capture.builder({ ...SMALL, interface: wire.b, netns: pid }).build());
    const kinds = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });
    assert.ok(kinds.every((kind) => !kind.startsWith('net:')));
    rx.close();
  });
});
