/** The example flows: imported into the real Node-RED, run, and judged by what others see. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { settingsFromFlow } from '../../src/options/flow';
import { BridgeLab, SERVER } from '../support/bridge-lab';
import { Lab, type Wire } from '../support/lab';
import { NodeRed, type FlowNode } from '../support/node-red';
import { root } from '../support/paths';
import { output } from '../support/process';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { numberedFrame, pcapFile, sendFrames, Tcpdump, tshark, Witness } from '../support/witness';

const FOLDER = join(root, 'examples', 'flows');
const NODES = {
  'netring-bridge': 'bridge',
  'netring-capture-in': 'capture-in',
  'netring-inject-out': 'inject-out',
  'netring-xdp': 'xdp',
} as const;

/** Payload of the talkers, once a second. */
interface Report {
  state: string;
  dropRate: number;
  talkers: { talker: string; bytes: number }[];
}

function read(name: string): FlowNode[] {
  return JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as FlowNode[];
}

/** The flow with ids of its own: what a node of an earlier deploy still says of itself is not taken for a word of this one. */
function renamed(flow: readonly FlowNode[]): FlowNode[] {
  const names = new Map(flow.map(({ id }) => [id, randomBytes(8).toString('hex')]));
  const text = JSON.stringify(flow).replace(/[0-9a-f]{16}/g, (id) => names.get(id) ?? id);
  return JSON.parse(text) as FlowNode[];
}

describe('example flows', () => {
  for (const name of readdirSync(FOLDER))
    it(`${name} can be imported`, () => {
      const flow = read(name);
      const ids = flow.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length, 'ids are unique');
      const tabs = flow.filter(({ type }) => type === 'tab');
      assert.equal(tabs.length, 1);
      assert.ok(
        flow.some(({ type }) => type === 'comment'),
        'it explains itself',
      );
      const places = new Set<string>();
      for (const node of flow.filter(({ type }) => type !== 'tab')) {
        assert.equal(node['z'], tabs[0]!.id);
        for (const target of node.wires!.flat()) assert.ok(ids.includes(target), `${node.id} is wired to ${target}`);
        assert.ok(!places.has(`${String(node['x'])},${String(node['y'])}`), 'no node lies on another');
        places.add(`${String(node['x'])},${String(node['y'])}`);
        const ours = NODES[node.type as keyof typeof NODES];
        if (ours === undefined) continue;
        assert.equal(node['schema'], 1);
        // Node-RED puts the tab's variable in place of its name.
        const interfaces = ours === 'bridge' ? { interfaceA: 'eth0', interfaceB: 'eth1' } : { interface: 'eth0' };
        settingsFromFlow(ours as 'capture-in', { ...node, ...interfaces });
      }
    });
});

describe('example flows on a cable', function () {
  this.timeout(60_000);
  const lab = new Lab();
  let wire: Wire;
  let red: NodeRed;
  before(async () => {
    wire = await lab.wire();
    red = await NodeRed.start(lab);
  });
  after(() => lab.close());

  /** Deploys an example with other values of its tab's environment variables. Resolves to a way to name its nodes. */
  async function deploy(name: string, env: Record<string, string> = {}, example = read(name)): Promise<(label: string) => string> {
    const flow = renamed(example);
    const variables = flow[0]!['env'] as { name: string; value: string }[];
    const own = variables.some((variable) => variable.name === 'NETRING_INTERFACE') ? { NETRING_INTERFACE: wire.a } : {};
    for (const [variable, value] of Object.entries({ ...own, ...env })) {
      const found = variables.find((candidate) => candidate.name === variable);
      assert.ok(found, `the tab of ${name} has ${variable}`);
      found.value = value;
    }
    red.debug.length = 0;
    await red.deploy(flow);
    const idOf = (label: string): string => {
      const found = flow.find((node) => node['name'] === label || node.type === label);
      assert.ok(found, `${name} has a node ${label}`);
      return found.id;
    };
    const ours = flow.filter(({ type }) => type in NODES);
    for (const { id } of ours) await red.status(id, (status) => status.fill === 'green');
    return idOf;
  }

  const payloads = (id: string): unknown[] =>
    red.debug.filter((entry) => entry.id === id).map(({ msg }) => JSON.parse(msg as string) as unknown);

  it('watch-an-interface.json tells who sends how much', async () => {
    const idOf = await deploy('watch-an-interface.json');
    const ipv4 = (source: number[], length: number): Buffer => {
      const frame = numberedFrame(0, length);
      frame.set([0x08, 0x00, 0x45], 12);
      frame.set(source, 26);
      return frame;
    };
    const tagged = Buffer.from(ipv4([10, 0, 0, 3], 104));
    tagged.copyWithin(16, 12, 100);
    tagged.set([0x81, 0x00, 0x00, 0x05], 12);
    await sendFrames(lab, wire.b, [
      ...Array<Buffer>(50).fill(ipv4([10, 0, 0, 1], 1000)),
      ...Array<Buffer>(20).fill(ipv4([192, 168, 255, 254], 200)),
      ...Array<Buffer>(10).fill(tagged),
      numberedFrame(1, 60),
    ]);
    const reports = (): Report[] => payloads(idOf('talkers')) as Report[];
    const bytesOf = (): Record<string, number> => {
      const totals: Record<string, number> = {};
      for (const { talker, bytes } of reports().flatMap(({ talkers }) => talkers)) totals[talker] = (totals[talker] ?? 0) + bytes;
      return totals;
    };
    const expected = { '10.0.0.1': 50_000, '192.168.255.254': 4000, '10.0.0.3': 1040, '02:00:00:00:00:01': 60 };
    await until(() => Object.keys(bytesOf()).length === 4, 10_000, 'all talkers').catch(() => undefined);
    assert.deepEqual(bytesOf(), expected);
    assert.ok(reports().every(({ state, dropRate }) => state === 'up' && dropRate === 0));
    await red.status(idOf('statistics'), ({ text }) => /^\d+ packets\/s, 0 dropped$/.test(text ?? ''));
  });

  it('new-connections.json tells of every TCP connection that is opened', async () => {
    const idOf = await deploy('new-connections.json');
    const tcp = (flags: string): string => `c0000050 00000001 00000000 60${flags}ffff 00000000 020405b4`;
    const ipv4 = `4500002c 00004000 40060000 c0000201 c0000202`;
    const ipv6 = `60000000 00180640 ${'20010db8000000000000000000000001'} ${'20010db8000000000000000000000002'}`;
    const frame = (...parts: string[]): Buffer => Buffer.from(`02000000000b02000000000a${parts.join('')}`.replaceAll(' ', ''), 'hex');
    await sendFrames(lab, wire.b, [
      frame('0800', ipv4, tcp('02')),
      frame('0800', ipv4, tcp('12')),
      frame('81000007', '0800', ipv4, tcp('02')),
      frame('0800', ipv4, tcp('10')),
      frame('86dd', ipv6, tcp('02')),
    ]);
    const seen = (): { time: string }[] => payloads(idOf('connections')) as { time: string }[];
    await until(() => seen().length >= 3, 10_000, 'three connections').catch(() => undefined);
    const [from, to] = ['192.0.2.1 port 49152', '192.0.2.2 port 80'];
    assert.deepEqual(
      seen().map(({ time, ...rest }) => (assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000), rest)),
      [
        { from, to, mss: 1460 },
        { from, to, vlan: 7, mss: 1460 },
        { from: '2001:db8::1 port 49152', to: '2001:db8::2 port 80', mss: 1460 },
      ],
    );
  });

  it('neighbours.json lists who speaks LLDP and ARP', async () => {
    const idOf = await deploy('neighbours.json');
    const tlv = (type: number, value: Buffer): Buffer =>
      Buffer.concat([Buffer.of((type << 1) | (value.length >> 8), value.length & 0xff), value]);
    const lldp = Buffer.concat([
      Buffer.from('0180c200000e0200000000aa88cc', 'hex'),
      tlv(1, Buffer.from('040200000000ab', 'hex')),
      tlv(2, Buffer.from('\x05port 7')),
      tlv(3, Buffer.of(0, 120)),
      tlv(4, Buffer.from('to the roof')),
      tlv(5, Buffer.from('switch.example')),
      tlv(8, Buffer.from('05010a0000fe020000000100', 'hex')),
      tlv(0, Buffer.alloc(0)),
    ]);
    const arp = Buffer.alloc(60);
    arp.set(Buffer.from('ffffffffffff0200000000bb08060001080006040001' + '0200000000bb0a000007' + '0000000000000a000001', 'hex'));
    const probe = Buffer.from(arp);
    probe.fill(0, 28, 32);
    probe[27] = 0xcc;
    const taggedArp = Buffer.concat([arp.subarray(0, 12), Buffer.of(0x81, 0, 0, 9), arp.subarray(12)]);
    taggedArp[31] = 0xdd;
    const [seen] = tshark(pcapFile([lldp]), ['lldp.tlv.system.name', 'lldp.chassis.id.mac', '_ws.expert']);
    assert.deepEqual(
      seen,
      { 'lldp.tlv.system.name': ['switch.example'], 'lldp.chassis.id.mac': ['02:00:00:00:00:ab'] },
      'the frame is sound',
    );

    await sendFrames(lab, wire.b, [
      numberedFrame(1),
      lldp,
      lldp.subarray(0, 30),
      probe,
      arp,
      taggedArp,
      Buffer.concat([arp, Buffer.alloc(9)]),
    ]);
    const expected = [
      {
        mac: '02:00:00:00:00:aa',
        chassis: '02:00:00:00:00:ab',
        port: 'port 7',
        portDescription: 'to the roof',
        systemName: 'switch.example',
        ip: '10.0.0.254',
      },
      { mac: '02:00:00:00:00:bb', ip: '10.0.0.7' },
      { mac: '02:00:00:00:00:dd', ip: '10.0.0.7' },
    ];
    const latest = (): unknown => payloads(idOf('table')).at(-1);
    await until(() => JSON.stringify(latest()) === JSON.stringify(expected), 5000, '').catch(() => undefined);
    assert.deepEqual(latest(), expected);
    await red.status(idOf('neighbours'), ({ text }) => text === '3 neighbours');
  });

  it('wake-on-lan.json sends a magic packet', async () => {
    const idOf = await deploy('wake-on-lan.json', { WAKE_MAC: '02-00-00-00-0A-0b' });
    const tcpdump = await Tcpdump.open(lab, wire.b, ['ether', 'proto', '0x0842']);
    await red.inject(idOf('wake'));
    const [frame, ...rest] = await tcpdump.frames(1);
    assert.equal(frame?.toString('hex'), 'ffffffffffff0200000000010842' + 'ff'.repeat(6) + '020000000a0b'.repeat(16));
    assert.equal(rest.length, 0);
    assert.deepEqual(tshark(tcpdump.file, ['wol.mac']), [{ 'wol.mac': Array<string>(16).fill('02:00:00:00:0a:0b') }]);
    await until(() => payloads(idOf('report')).length > 0, 5000, 'the report');
    assert.deepEqual(payloads(idOf('report')), [{ sent: 1, rejected: 0, dropped: 0, bytes: 116 }]);
  });

  it('wake-on-lan.json refuses what is no MAC address', async () => {
    const idOf = await deploy('wake-on-lan.json', { WAKE_MAC: '02:00:00:00:0a' });
    await red.inject(idOf('wake'));
    await red.status(idOf('magic packet'), ({ text }) => text === 'no MAC address');
    await red.logs('02:00:00:00:0a is no MAC address');
  });

  it('capture-to-pcapng.json writes files that tshark reads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-recordings-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const idOf = await deploy('capture-to-pcapng.json', { NETRING_FOLDER: folder });
    const capture = idOf('netring-capture-in');
    /** Numbers of the frames in each file. */
    const recorded = (): number[][] => {
      const files = readdirSync(folder).sort();
      return files.map((file) => {
        const text = output('tshark', ['-r', join(folder, file), '-T', 'fields', '-e', 'frame.interface_name', '-e', 'data.data']);
        return text.split('\n').flatMap((line) => {
          const [name, data] = line.split('\t');
          if (data === undefined) return [];
          assert.equal(name, wire.a);
          return [Number(`0x${data.slice(0, 16)}`)];
        });
      });
    };
    const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
    const record = async (from: number, to: number, expected: number[][]): Promise<void> => {
      await sendFrames(
        lab,
        wire.b,
        numbers(from, to).map((number) => numberedFrame(number)),
      );
      const complete = (): boolean => {
        try {
          return recorded().flat().length >= expected.flat().length;
        } catch {
          // tshark complains of a file that is being written.
          return false;
        }
      };
      await until(complete, 10_000, 'the recording').catch(() => undefined);
      assert.deepEqual(recorded(), expected);
    };

    await record(0, 500, [numbers(0, 500)]);
    await red.inject(idOf('stop'));
    await red.status(capture, ({ fill }) => fill === 'grey');
    await sendFrames(lab, wire.b, [numberedFrame(999_999)]);
    await red.inject(idOf('record'));
    await red.status(capture, ({ fill }) => fill === 'green');
    await record(1000, 1100, [numbers(0, 500), numbers(1000, 1100)]);
  });

  it('capture-to-pcapng.json ends a recording that grows too large', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-recordings-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const flow = read('capture-to-pcapng.json');
    const limit = flow.find(({ type }) => type === 'function')!;
    assert.match(limit['func'] as string, /LIMIT = 100e6;/);
    limit['func'] = (limit['func'] as string).replace('100e6', '50e3');
    const idOf = await deploy('capture-to-pcapng.json', { NETRING_FOLDER: folder }, flow);
    const frames = Array.from({ length: 50 }, (_, number) => numberedFrame(number, 1500));
    await sendFrames(lab, wire.b, frames);
    await red.status(idOf('netring-capture-in'), ({ fill }) => fill === 'grey');
    await sendFrames(lab, wire.b, frames);
    const recorded = (): number => {
      const files = readdirSync(folder);
      assert.ok(files.length <= 1, files.join());
      return output('tshark', ['-r', join(folder, files[0]!), '-T', 'fields', '-e', 'frame.number'])
        .trim()
        .split('\n').length;
    };
    const isComplete = (): boolean => {
      try {
        return recorded() > 30;
      } catch {
        // Nothing is in the folder yet, or tshark complains of a file that is being written.
        return false;
      }
    };
    await until(isComplete, 10_000, 'the recording').catch(() => undefined);
    await sleep(500);
    const count = recorded();
    assert.ok(count > 30 && count <= 50, `${count} frames`);
  });

  it('answer-pings.json answers what the kernel does not see', async function () {
    needsXdp(this);
    const { a, b, namespace } = await lab.wire({ apart: true, link: ['numrxqueues', '2', 'numtxqueues', '2'] });
    lab.ip(`addr add 10.79.0.1/24 dev ${a}`);
    lab.ip(`addr add 10.79.0.2/24 dev ${b}`, namespace);
    const idOf = await deploy('answer-pings.json', { NETRING_INTERFACE: a });
    await red.status(idOf('echo requests'), ({ fill }) => fill === 'green');
    const tcpdump = await Tcpdump.open(lab, b, ['icmp[icmptype] == icmp-echoreply'], namespace);
    // One by one: of several, ping waits for the last answer only twice as long as for the slowest one before it.
    for (let i = 0; i < 3; i++) assert.match(output('ping', ['-n', '-c', '1', '-W', '5', '10.79.0.1'], { namespace }), / 0% packet loss/);
    assert.equal((await tcpdump.frames(3)).length, 3);
    await red.status(idOf('answered'), ({ text }) => text === '3 of 3 answered');
    const sums = tshark(tcpdump.file, ['icmp.checksum.status']);
    assert.deepEqual(sums, Array<object>(3).fill({ 'icmp.checksum.status': ['1'] }), 'good');
  });

  it('xdp-echo.json sends frames back to where they came from', async function () {
    needsXdp(this);
    const idOf = await deploy('xdp-echo.json');
    const witness = await Witness.open(lab, wire.b);
    const echo = numberedFrame(7);
    echo[0] = 2;
    // What is for all is answered to nobody.
    await sendFrames(lab, wire.b, [numberedFrame(6), echo]);
    const { data } = (await witness.expect(1))[0]!;
    assert.deepEqual([data.subarray(0, 6), data.subarray(6, 12)], [echo.subarray(6, 12), echo.subarray(0, 6)]);
    assert.deepEqual(data.subarray(12), echo.subarray(12));
    await red.status(idOf('counters'), ({ text }) => text === '2 received, 1 sent, 0 dropped');
  });

  it('xdp-generator.json sends a thousand frames', async function () {
    needsXdp(this);
    const idOf = await deploy('xdp-generator.json');
    const witness = await Witness.open(lab, wire.b);
    await red.inject(idOf('1000 frames'));
    const frames = await witness.expect(1000);
    assert.deepEqual(
      frames.map(({ data }) => data.readUInt32BE(14)),
      Array.from({ length: 1000 }, (_, number) => number),
    );
    await red.status(idOf('counters'), ({ text }) => text === '1000 sent');
  });

  it('xdp-udp-5000.json takes datagrams, and leaves ping to the kernel', async function () {
    needsXdp(this);
    const { a, b, namespace } = await lab.wire({ apart: true });
    lab.ip(`addr add 10.79.1.1/24 dev ${a}`);
    lab.ip(`addr add 10.79.1.2/24 dev ${b}`, namespace);
    const idOf = await deploy('xdp-udp-5000.json', { NETRING_INTERFACE: a });
    assert.match(output('ping', ['-n', '-c', '1', '-W', '5', '10.79.1.1'], { namespace }), / 0% packet loss/);
    output('bash', ['-c', 'echo -n hello > /dev/udp/10.79.1.1/5000'], { namespace });
    await until(() => red.debug.some(({ id, msg }) => id === idOf('datagrams') && String(msg).includes('hello')), 5000, 'the text');
    await red.status(idOf('counters'), ({ text }) => text === '1 received, 0 dropped');
  });

  describe('of a bridge', () => {
    const ends = new BridgeLab();
    beforeEach(() => ends.hosts());
    afterEach(() => ends.close());

    const deployBridge = (name: string, env: Record<string, string> = {}, example = read(name)): Promise<(label: string) => string> =>
      deploy(name, { NETRING_INTERFACE_A: ends.left.a, NETRING_INTERFACE_B: ends.right.a, ...env }, example);
    const ping = (): Promise<string> => ends.client('ping', ['-n', '-c', '3', '-i', '0.1', '-W', '1', SERVER]);

    it('transparent-bridge.json joins two hosts and counts', async () => {
      const idOf = await deployBridge('transparent-bridge.json');
      await ends.clientPings(3, SERVER);
      type Totals = { state: string; aToB: { forwarded: number; dropped: number }; bToA: { forwarded: number } };
      const latest = (): Totals | undefined => payloads(idOf('totals')).at(-1) as Totals | undefined;
      await until(() => (latest()?.aToB.forwarded ?? 0) >= 3 && (latest()?.bToA.forwarded ?? 0) >= 3, 5000, 'the counters');
      assert.equal(latest()?.state, 'up');
      await red.status(idOf('counters'), ({ text }) => /^[\d.]+ Mb\/s there, [\d.]+ Mb\/s back$/.test(text ?? ''));
    });

    it('xdp-bridge.json joins two hosts', async function () {
      needsXdp(this);
      const idOf = await deployBridge('xdp-bridge.json');
      await ends.clientPings(3, SERVER);
      await red.status(idOf('counters A'), ({ text }) => /^[1-9]\d* received, [1-9]\d* sent, 0 dropped$/.test(text ?? ''));
    });

    it('bridge-without-ping.json drops ICMP and passes TCP, until told otherwise', async () => {
      const idOf = await deployBridge('bridge-without-ping.json');
      assert.match(await ping(), /100% packet loss/);
      await ends.iperfServer();
      assert.match(await ends.client('iperf3', ['-c', SERVER, '-n', '5M']), /receiver/);
      await red.status(idOf('filtered'), ({ text }) => /^[1-9]\d* frames dropped$/.test(text ?? ''));
      await red.inject(idOf('let ping pass'));
      await until(async () => / 0% packet loss/.test(await ping()), 5000, 'ping');
      await red.inject(idOf('drop ping'));
      await until(async () => /100% packet loss/.test(await ping()), 5000, 'no ping');
    });

    it('rewrite-in-flight.json changes a field on the way, and the far side takes it', async () => {
      const flow = read('rewrite-in-flight.json');
      const bridge = flow.find(({ type }) => type === 'netring-bridge')!;
      // After 100 ms frames pass as they were, which a busy machine may take for the flow.
      assert.equal(bridge['inlineTimeoutMs'], '');
      bridge['inlineTimeoutMs'] = '5000';
      await deployBridge('rewrite-in-flight.json', {}, flow);
      const tcpdump = await Tcpdump.open(ends, ends.right.b, ['icmp[icmptype] == icmp-echo'], ends.right.namespace);
      await ends.clientPings(3, '-Q', '1', SERVER);
      const seen = await tcpdump.frames(3);
      assert.deepEqual(
        seen.map((data) => data[15]),
        [0xb9, 0xb9, 0xb9],
        'EF, and the ECN bit that ping has set',
      );
      const sums = tshark(tcpdump.file, ['ip.checksum.status'], ['-o', 'ip.check_checksum:TRUE']);
      assert.deepEqual(sums.slice(0, 3), Array<object>(3).fill({ 'ip.checksum.status': ['1'] }), 'good');
    });

    it('bridge-tap-to-pcapng.json records both directions in files that tshark reads', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'netring-tap-'));
      lab.defer(() => rmSync(folder, { recursive: true }));
      const idOf = await deployBridge('bridge-tap-to-pcapng.json', { NETRING_FOLDER: folder });
      await ends.clientPings(3, SERVER);
      /** ICMP types in the file of an interface. */
      const recorded = (iface: string): string[] => {
        const file = readdirSync(folder).find((name) => name.startsWith(iface));
        if (file === undefined) return [];
        return output('tshark', ['-r', join(folder, file), '-Y', 'icmp', '-T', 'fields', '-e', 'icmp.type'])
          .trim()
          .split('\n');
      };
      const complete = (): boolean => {
        try {
          return recorded(ends.left.a).length >= 3 && recorded(ends.right.a).length >= 3;
        } catch {
          // tshark complains of a file that is being written.
          return false;
        }
      };
      await until(complete, 10_000, 'the recording');
      assert.deepEqual([recorded(ends.left.a), recorded(ends.right.a)], [Array(3).fill('8'), Array(3).fill('0')]);
      await red.status(idOf('left out'), ({ text }) => text === '0 frames left out');
    });
  });
});
