import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { settingsFromFlow } from '../../src/options/flow';
import { renderPanel } from '../../src/options/generate';
import { NODE_GROUPS, OPTION_TABLE, type NodeName } from '../../src/options/table';
import { root } from '../support/paths';

type Validate = (this: object, value: unknown, opt: object) => true | string;
interface Property {
  value: unknown;
  required?: boolean;
  validate?: Validate;
}
type Defaults = Record<string, Property>;

/** What a dialog that is open would hold; null: it is closed. */
let form: Record<string, unknown> | null = null;

/** What the panels have heard of expressions that are wrong. */
const heard = new Map<string, string>();
const netringEditor = { refusedFilter: (expression: string): string => heard.get(expression) ?? '' };

/** As much of jQuery as validators use. */
function jQuery(selector: string): object {
  const name = selector.replace('#node-input-', '');
  const here = form !== null && name in form;
  const value = form?.[name];
  return {
    length: here ? 1 : 0,
    is: (kind: string) => kind === ':checkbox' && typeof value === 'boolean',
    prop: () => value,
    val: () => (typeof value === 'boolean' ? 'on' : value),
  };
}

/** The panel as the editor reads it: the object that registerType is called with. */
function register(html: string): { defaults: Defaults; inputs: number } {
  let registered: { defaults: Defaults; inputs: number } | undefined;
  const script = /<script type="text\/javascript">([^]*?)<\/script>/.exec(html)?.[1] ?? '';
  const RED = { nodes: { registerType: (_type: string, definition: { defaults: Defaults; inputs: number }) => (registered = definition) } };
  runInNewContext(script, { RED, $: jQuery, netringEditor });
  assert.ok(registered, 'registerType was not called');
  return registered;
}

const PANEL = `<script type="text/javascript">RED.nodes.registerType('x', {
    category: 'netring',
    /*netring:defaults*/
    inputs: 0,
  });</script>`;

const defaultsOf = (node: NodeName): Defaults => register(renderPanel(node, PANEL)).defaults;

/** The first complaint of a node's validators. */
function complaint(defaults: Defaults, config: Record<string, unknown>): string | true {
  const node: Record<string, unknown> = {
    ...Object.fromEntries(Object.entries(defaults).map(([name, { value }]) => [name, value])),
    ...config,
  };
  for (const [name, { validate }] of Object.entries(defaults)) {
    const answer = validate?.call(node, node[name], {}) ?? true;
    if (answer !== true) return answer;
  }
  return true;
}

function refusalOf(node: NodeName, config: Record<string, unknown>): string | true {
  try {
    settingsFromFlow(node as 'capture-in', config);
    return true;
  } catch (error) {
    return (error as Error).message.replace('invalid configuration: ', '');
  }
}

/** Flows to which panel and run time must say the same. */
const CAPTURE_FLOWS: Record<string, unknown>[] = [
  {},
  ...['', 'a/b', 'sixteen-letters-', 'à', 'eth0.7', '.', ' eth0 '].map((name) => ({ interface: name })),
  ...['fast', 'low-memory'].map((profile) => ({ profile })),
  ...['3000', '2048', '4096', '0', 'x', '4096.5', '0x1000', '2147483648', ' 8192 ', 8192, 'Infinity', '-4096'].map((blockSize) => ({
    blockSize,
  })),
  ...['0', '-1', '1.5', '16383', '16384', '2147483648', '64'].map((blockCount) => ({ blockCount })),
  ...['100', '32', '64', '80', '262144', '262160', '1073741840'].map((frameSize) => ({ frameSize })),
  { profile: 'jumbo-frames', frameSize: '131072' },
  { profile: 'jumbo-frames', blockSize: '4096' },
  { blockSize: '4096', frameSize: '8192' },
  ...['-1', '0', '96', '4294967296'].map((snapLen) => ({ snapLen })),
  ...['0', '1', '65535', '65536'].map((blockTimeoutMs) => ({ blockTimeoutMs })),
  ...['now', 'block', 'immediate'].map((latency) => ({ latency })),
  ...['240', '256'].map((frameSize) => ({ latency: 'immediate', frameSize })),
  ...['blue', '/run/netns/blue', '/', 'a/b', '.', '12', '0', '-1', 12].map((netns) => ({ netns })),
  ...['-1', '2147483648', '50'].flatMap((value) => [{ busyPollUs: value }, { rcvbuf: value }, { pollTimeoutMs: value }]),
  ...['ptp', 'software', 'raw-hardware'].map((timestampSource) => ({ timestampSource })),
  ...['ebpf', 'hash'].map((fanoutMode) => ({ fanoutMode })),
  { fanoutGroup: '7' },
  { fanoutGroup: '0' },
  { fanoutGroup: '65536', fanoutMode: 'hash' },
  { fanoutGroup: '7', fanoutMode: 'hash', fanoutFlags: 'unique-id' },
  { fanoutGroup: '7', fanoutMode: 'hash', fanoutFlags: ['defrag', 'unique-id'] },
  { fanoutMode: 'hash', fanoutFlags: 'unique-id' },
  { fanoutFlags: ['defrag'] },
  { fanoutFlags: [], fanoutMode: 'hash' },
  { fanoutFlags: 'defrag,lifo', fanoutMode: 'hash' },
  { fanoutFlags: 'defrag,', fanoutMode: 'hash' },
  { fanoutFlags: ' rollover , defrag', fanoutMode: 'rollover' },
  { fanoutFlags: 'defrag', fanoutMode: 'rollover' },
  ...[
    'tcp port 80',
    'vlan 7\nand ip[0] < 5',
    '1\n6 0 0 0',
    '2\n6 0 0 0',
    '1\n21 0 0 0',
    '2\n21 0 9 0\n6 0 0 0',
    '1,6 0 0 4,',
    '1\n6 0 0',
    '0',
  ].map((filter) => ({
    filter,
  })),
  ...['0', '524287', '524288', '9007199254740992'].map((maxBufferedBytes) => ({ maxBufferedBytes })),
  { rcvbufForce: true },
  { output: 'layers' },
  { output: 'packet' },
  ...['0', '0.1', '86401', 'often'].map((statsInterval) => ({ statsInterval })),
];

const INJECT_FLOWS: Record<string, unknown>[] = [
  {},
  { interface: '' },
  ...['blue', 'a/b', '12'].map((netns) => ({ netns })),
  ...['100', '64', '80', '65536', 'x'].map((frameSize) => ({ frameSize })),
  ...['0', '1', '2097152', '2097000'].map((frameCount) => ({ frameCount })),
  { frameSize: '3008', frameCount: '1048576' },
  ...['guess', 'file'].map((input) => ({ input })),
  ...['slow', 'pps', 'bps', 'recorded'].map((pacing) => ({ pacing })),
  ...['0', '1', '1e13', 'fast'].map((rate) => ({ pacing: 'pps', rate })),
  ...['panic', 'drop'].map((onFull) => ({ onFull })),
  ...['0', '1', '1.5'].map((maxQueuedBytes) => ({ maxQueuedBytes })),
];

const BRIDGE_FLOWS: Record<string, unknown>[] = [
  {},
  { interfaceA: '' },
  { interfaceB: 'eth1' },
  { interfaceB: 'a/b' },
  { profile: 'jumbo-frames', aBlockSize: '4096' },
  { profile: 'jumbo-frames', bFrameSize: '131072' },
  ...['3000', '4096', '2147483648'].flatMap((size) => [{ aBlockSize: size }, { bBlockSize: size }]),
  ...['16383', '16384', '0'].flatMap((count) => [{ aBlockCount: count }, { bBlockCount: count }]),
  ...['100', '208', '256', '262160'].flatMap((size) => [{ aFrameSize: size }, { bFrameSize: size }]),
  ...['0', '1', '65536'].flatMap((ms) => [
    { aBlockTimeoutMs: ms },
    { bBlockTimeoutMs: ms },
    { pollTimeoutMs: ms },
    { inlineTimeoutMs: ms },
  ]),
  ...['0', '524287', '524288'].flatMap((count) => [{ txAFrameCount: count }, { txBFrameCount: count }]),
  { txAFrameSize: '1048576', txAFrameCount: '1024' },
  ...['1\n6 0 0 0', '2\n6 0 0 0', '1\n6 0 0', 'icmp', '1\n21 0 9 0', '2,32 0 0 4294963204,6 0 0 4', '2,32 0 0 4294963202,6 0 0 4'].flatMap(
    (filter) => [{ filterAToB: filter }, { filterBToA: filter }],
  ),
  ...['forward', 'inline', 'drop', 'all', 'sample', 'off'].flatMap((word) => [
    { mode: word },
    { tap: word },
    { filterAction: word },
    { inlineDefault: word },
  ]),
  ...['0', '1', 'many'].map((tapRate) => ({ tapRate })),
];

const XDP_FLOWS: Record<string, unknown>[] = [
  {},
  { interface: '' },
  ...['0', ' 7 ', 'all', 'ALL', '65535', '65536', '-1', '1.5', 'x', 3].map((queueId) => ({ queueId })),
  ...['1024', '2048', '3072', '4096', '8192', 'x'].map((frameSize) => ({ frameSize })),
  ...['1', '2', '2097151', '2097152', '2147483648'].map((frameCount) => ({ frameCount })),
  { frameSize: '4096', frameCount: '1048576' },
  ...['rx', 'tx', 'rxtx', 'custom', 'both'].flatMap((mode) => [{ mode }, { mode, prefill: '8' }]),
  ...['-1', '0', '2048', '2049'].map((prefill) => ({ mode: 'custom', prefill })),
  ...['auto', 'copy', 'zerocopy', 'fast'].map((bindMode) => ({ bindMode })),
  ...['auto', 'driver', 'skb', 'none', 'hw'].flatMap((attach) => [
    { attach },
    { attach, filter: '1,6 0 0 4' },
    { attach, filter: '2,32 0 0 4294963200,6 0 0 4' },
    { attach, filter: '2,32 0 0 4294963204,6 0 0 4' },
    { attach, filter: 'udp port 5' },
    { attach, mapPin: '/sys/fs/bpf/xsks' },
  ]),
  ...['xsks', '/', '/a', '/a\0b', 7].map((mapPin) => ({ attach: 'none', mapPin })),
  { preferBusyPoll: true },
  { preferBusyPoll: true, busyPollUs: '20' },
  { busyPollBudget: '65536' },
  { maxBufferedBytes: '0' },
  { input: 'guess' },
  { output: 'layers' },
];

describe('options: panels', () => {
  for (const [node, flows] of [
    ['bridge', BRIDGE_FLOWS],
    ['capture-in', CAPTURE_FLOWS],
    ['inject-out', INJECT_FLOWS],
    ['xdp', XDP_FLOWS],
  ] as const) {
    describe(node, () => {
      const defaults = defaultsOf(node);
      const interfaces: Record<string, string> = node === 'bridge' ? { interfaceA: 'eth1', interfaceB: 'eth2' } : { interface: 'eth0' };
      const [first] = Object.keys(interfaces) as [string];

      it('the editor refuses what the run time refuses, in the same words, and nothing else', () => {
        let refused = 0;
        for (const flow of flows) {
          form = null;
          const config = { ...interfaces, ...flow };
          const expected = refusalOf(node, config);
          assert.equal(complaint(defaults, config), expected, JSON.stringify(flow));
          // The same in an open dialog, over a saved node that is right.
          form = config;
          assert.equal(complaint(defaults, interfaces), expected, `in the form: ${JSON.stringify(flow)}`);
          if (expected !== true) refused++;
        }
        form = null;
        assert.ok(refused > flows.length / 3, `only ${refused} of ${flows.length} flows are wrong`);
      });

      it('has every option of the table, and what Node-RED needs', () => {
        const names = NODE_GROUPS[node].flatMap((group) => OPTION_TABLE[group].map((row) => row.name));
        const expected = ['name', 'schema', ...(node === 'capture-in' ? ['inputs'] : []), ...names];
        assert.deepEqual(Object.keys(defaults), expected);
        assert.equal(defaults['schema']?.value, 1);
        assert.equal(defaults[first]?.required, true);
      });

      it('has validators that Node-RED takes a text from', () => {
        for (const [name, { validate }] of Object.entries(defaults)) if (validate) assert.equal(validate.length, 2, name);
      });

      it('a new node lacks nothing but its interface', () => {
        assert.equal(complaint(defaults, {}), `${first} is required`);
        assert.equal(complaint(defaults, interfaces), true);
      });

      it('a new node means the same as an empty one', () => {
        const fresh = Object.fromEntries(Object.entries(defaults).map(([name, { value }]) => [name, value]));
        const read = (config: Record<string, unknown>): object => settingsFromFlow(node as 'capture-in', { ...config, ...interfaces });
        const { options: given, node: own } = read(fresh) as { options: object; node: object };
        const { options: empty, node: emptyOwn } = read({}) as { options: object; node: object };
        assert.deepEqual(own, emptyOwn);
        for (const [name, value] of Object.entries(empty)) assert.equal((given as Record<string, unknown>)[name], value, name);
      });

      it('lets environment variables pass, alone and in combinations', () => {
        for (const name of Object.keys(defaults)) {
          for (const variable of ['${NAME}', '$(NAME)']) assert.equal(complaint(defaults, { ...interfaces, [name]: variable }), true, name);
        }
        if (node !== 'capture-in') return;
        assert.equal(complaint(defaults, { interface: 'eth0', fanoutFlags: 'rollover', fanoutMode: '${MODE}' }), true);
        assert.equal(complaint(defaults, { interface: 'eth0', frameSize: '1048576', profile: '${PROFILE}' }), true);
        assert.equal(complaint(defaults, { interface: '${IF}', blockSize: '3000' }), 'blockSize 3000 is not a power of 2');
      });

      it('fills the panel of the repository', () => {
        const { defaults: own } = register(renderPanel(node, readFileSync(join(root, 'nodes', `${node}.html`), 'utf8')));
        assert.deepEqual(Object.keys(own), Object.keys(defaults));
      });
    });
  }

  it('starts capture-in from the balanced profile without hashes, and numbers from blank', () => {
    const { profile, fillRxhash, blockSize, statsInterval, output, fanoutFlags } = defaultsOf('capture-in');
    assert.deepEqual(
      [profile, fillRxhash, blockSize, statsInterval, output, fanoutFlags].map((property) => property?.value),
      ['balanced', false, '', '', 'batch', ''],
    );
  });

  it('of a wrong expression the editor says what the runtime has said, and nothing before', () => {
    for (const [node, flow] of [
      ['capture-in', { interface: 'eth0', filter: ' udp prot 5 ' }],
      ['xdp', { interface: 'eth0', filter: 'udp prot 5' }],
      ['bridge', { interfaceA: 'x', interfaceB: 'y', filterBToA: 'udp prot 5' }],
    ] as const) {
      assert.equal(complaint(defaultsOf(node), flow), true);
      heard.set('udp prot 5', 'filter column 5: wrong');
      assert.equal(complaint(defaultsOf(node), flow), 'filter column 5: wrong');
      assert.equal(complaint(defaultsOf(node), { ...flow, [Object.keys(flow).at(-1) as string]: 'udp port 5' }), true);
      heard.clear();
    }
  });

  it('refuses a node it does not know and a panel without the marker', () => {
    assert.throws(() => renderPanel('router', PANEL), /nodes\/router.html: the table of options has no node "router"/);
    assert.throws(() => renderPanel('capture-in', '<p>'), /nodes\/capture-in.html: the marker .* is missing/);
  });
});
