import assert from 'node:assert/strict';
import { settingsFromFlow } from '../../src/options/flow';
import { resolveCapture } from '../../src/options/validate';

/** What Node-RED adds to the properties of a node. */
const NODE = {
  id: '1',
  type: 'netring-capture-in',
  z: 'f',
  x: 10,
  y: 20,
  name: 'n',
  wires: [[], []],
  schema: 1,
  inputs: 0,
  d: false,
  g: 'g',
  _alias: 'a',
};

const captureIn = (config: object): ReturnType<typeof captureFromFlow> => captureFromFlow({ ...NODE, interface: 'eth0', ...config });
const captureFromFlow = (config: Record<string, unknown>) => settingsFromFlow('capture-in', config);
const injectOut = (config: object) => settingsFromFlow('inject-out', { ...NODE, interface: 'eth0', ...config });

const refuses = (read: () => unknown, option: string, text: string): void =>
  assert.throws(read, { kind: 'Config', option, message: `invalid configuration: ${text}` });

describe('options: from the flow', () => {
  it('a capture-in node starts from profile balanced without hashes', () => {
    const { options, node } = captureIn({});
    assert.deepEqual(options, { interface: 'eth0', profile: 'balanced', fillRxhash: false });
    assert.deepEqual(node, { output: 'batch', statsInterval: 1, control: false });
    const { settings } = resolveCapture(options, 4096);
    assert.equal(settings.blockSize * settings.blockCount, 16 * 1024 * 1024);
    assert.equal(settings.blockTimeoutMs, 10);
  });

  it('an inject-out node has its own defaults', () => {
    const { options, node } = injectOut({});
    assert.deepEqual(options, { interface: 'eth0' });
    assert.deepEqual(node, {
      input: 'frames',
      pacing: 'none',
      rate: null,
      onFull: 'wait',
      maxQueuedBytes: 64 * 1024 * 1024,
      fixChecksums: true,
      allowDefaultRoute: false,
    });
  });

  it('takes what the fields of the editor hold: text', () => {
    const { options, node } = captureIn({
      profile: '',
      blockSize: '524288',
      blockCount: ' 8 ',
      frameSize: '0x800',
      snapLen: '96',
      blockTimeoutMs: '5',
      fillRxhash: 'true',
      promiscuous: 'true',
      ignoreOutgoing: 'false',
      timestampSource: 'sys-hardware',
      fanoutMode: 'hash',
      fanoutGroup: '7',
      fanoutFlags: 'defrag, rollover',
      filter: '1\n6 0 0 262144\n',
      maxBufferedBytes: '2e6',
      output: 'pcapng',
      statsInterval: '0.5',
      control: 'true',
    });
    assert.deepEqual(options, {
      interface: 'eth0',
      profile: 'balanced',
      blockSize: 524288,
      blockCount: 8,
      frameSize: 2048,
      snapLen: 96,
      blockTimeoutMs: 5,
      fillRxhash: true,
      promiscuous: true,
      ignoreOutgoing: false,
      timestampSource: 'sys-hardware',
      fanoutMode: 'hash',
      fanoutGroup: 7,
      fanoutFlags: ['defrag', 'rollover'],
      filter: '1\n6 0 0 262144',
      maxBufferedBytes: 2e6,
    });
    assert.deepEqual(node, { output: 'pcapng', statsInterval: 0.5, control: true });
  });

  it('takes the same as numbers, booleans and arrays', () => {
    const { options, node } = captureIn({
      blockCount: 8,
      promiscuous: true,
      fanoutMode: 'cpu',
      fanoutFlags: ['defrag'],
      statsInterval: 2,
      control: true,
    });
    assert.equal(options.blockCount, 8);
    assert.equal(options.promiscuous, true);
    assert.deepEqual(options.fanoutFlags, ['defrag']);
    assert.deepEqual(node, { output: 'batch', statsInterval: 2, control: true });
  });

  it('takes the default for what is empty, missing, null or an environment variable that is not set', () => {
    const expected = captureIn({});
    const names = [...Object.keys(resolveCapture({ interface: 'eth0' }, 4096).settings), ...Object.keys(expected.node)];
    for (const empty of ['', '  ', null, undefined, '${NETRING_UNSET}', '$(NETRING_UNSET)']) {
      const config = Object.fromEntries(names.filter((name) => name !== 'interface').map((name) => [name, empty]));
      assert.deepEqual(captureIn(config), expected, JSON.stringify(empty));
      const unset = typeof empty === 'string' && empty.startsWith('$');
      const text = unset ? 'interface is required, and the environment variable NETRING_UNSET is not set' : 'interface is required';
      refuses(() => captureIn({ interface: empty }), 'interface', text);
    }
  });

  for (const [config, option, text] of [
    [{ blockSize: 'big' }, 'blockSize', 'blockSize "big" is not an integer'],
    [{ blockSize: '3000' }, 'blockSize', 'blockSize 3000 is not a power of 2'],
    [{ blockSize: true }, 'blockSize', 'blockSize true is not an integer'],
    [{ blockTimeoutMs: '0' }, 'blockTimeoutMs', 'blockTimeoutMs 0 is less than 1 (for 0 the kernel picks a timeout of its own)'],
    [{ promiscuous: 'yes' }, 'promiscuous', 'promiscuous "yes" is neither true nor false'],
    [{ fanoutFlags: 'defrag', fanoutMode: '' }, 'fanoutFlags', 'fanoutFlags ["defrag"] need a fanoutMode'],
    [
      { fanoutFlags: 'lifo', fanoutMode: 'hash' },
      'fanoutFlags',
      'fanoutFlags "lifo" is not one of rollover, unique-id, ignore-outgoing, defrag',
    ],
    [{ output: 'layers' }, 'output', 'output "layers" is not one of batch, packets, packet, pcapng, decoded'],
    [{ statsInterval: '0' }, 'statsInterval', 'statsInterval 0 is less than 0.1'],
    [{ statsInterval: '86401' }, 'statsInterval', 'statsInterval 86401 is more than 86400'],
    [{ statsInterval: 'often' }, 'statsInterval', 'statsInterval "often" is not a number'],
    [{ control: 'maybe' }, 'control', 'control "maybe" is neither true nor false'],
    [{ blocksize: 4096 }, 'blocksize', 'unknown option "blocksize", did you mean "blockSize"?'],
    [{ statInterval: 1 }, 'statInterval', 'unknown option "statInterval", did you mean "statsInterval"?'],
    [{ pacing: 'pps' }, 'pacing', 'unknown option "pacing"'],
    [{ schema: 2 }, 'schema', 'schema 2 is not one this version knows (1 to 1)'],
    [{ schema: 'x' }, 'schema', 'schema x is not one this version knows (1 to 1)'],
  ] as const) {
    it(`capture-in refuses: ${text}`, () => refuses(() => captureIn(config), option, text));
  }

  for (const [config, option, text] of [
    [{ input: 'guess' }, 'input', 'input "guess" is not one of frames, file'],
    [{ pacing: 'slow' }, 'pacing', 'pacing "slow" is not one of none, pps, bps, recorded'],
    [{ pacing: 'pps' }, 'rate', 'rate is required with pacing "pps"'],
    [{ pacing: 'bps', rate: '' }, 'rate', 'rate is required with pacing "bps"'],
    [{ pacing: 'pps', rate: '0' }, 'rate', 'rate 0 is less than 0.001'],
    [{ pacing: 'pps', rate: '1e13' }, 'rate', 'rate 10000000000000 is more than 1000000000000'],
    [{ pacing: 'pps', rate: 'fast' }, 'rate', 'rate "fast" is not a number'],
    [{ onFull: 'panic' }, 'onFull', 'onFull "panic" is not one of wait, drop'],
    [{ maxQueuedBytes: 0 }, 'maxQueuedBytes', 'maxQueuedBytes must be > 0, not 0'],
    [{ fixChecksums: 1 }, 'fixChecksums', 'fixChecksums 1 is neither true nor false'],
    [{ allowDefaultRoute: 'x' }, 'allowDefaultRoute', 'allowDefaultRoute "x" is neither true nor false'],
    [{ frameSize: '100' }, 'frameSize', 'frameSize 100 is not a multiple of TPACKET_ALIGNMENT (16)'],
  ] as const) {
    it(`inject-out refuses: ${text}`, () => refuses(() => injectOut(config), option, text));
  }

  it('needs no rate for the rhythm of a recording', () => {
    assert.equal(injectOut({ pacing: 'recorded' }).node.pacing, 'recorded');
    assert.equal(injectOut({ pacing: 'pps', rate: '1000' }).node.rate, 1000);
  });

  it('reads a flow without a schema as version 1', () => {
    assert.deepEqual(captureIn({ schema: undefined }), captureIn({ schema: '1' }));
  });
});
