/** Options that no table describes: misspelt ones, what is no object, and functions that are none. */
import assert from 'node:assert/strict';
import {
  captureGroup,
  compileFilter,
  explainFilter,
  interfaceInfo,
  interfaces,
  PcapngWriter,
  PcapWriter,
  PreTrigger,
  readPcap,
  recordCaptureDelta,
  replay,
  RotatingWriter,
} from '@netring/node-red';
import { BridgeFeed } from '../../src/bridge/bridge-feed';
import type { NativeBridge } from '../../src/native';
import type { BridgeSettings } from '../../src/options/generated/builders';
import { encodePcapng } from '../../src/pcap/pcapng-writer';

const path = '{number}.pcapng';
const sink = { sendBatch: (): Promise<void> => Promise.reject(new Error('a packet was sent')) };
const onBatch = (): void => undefined;
const feed = (): BridgeFeed => new BridgeFeed({ linkTypes: [1, 1] } as unknown as NativeBridge, {} as BridgeSettings);

/** What takes options, besides those it cannot do without. */
const TAKERS: Record<string, (options: never) => unknown> = {
  RotatingWriter: (options: object) => new RotatingWriter({ path, ...options }),
  PcapWriter: (options) => new PcapWriter(options),
  PcapngWriter: (options) => new PcapngWriter(options),
  encodePcapng: (options) => encodePcapng([], options),
  PreTrigger: (options: object) => new PreTrigger({ maxBytes: 5, ...options }),
  readPcap: (options) => readPcap(Buffer.alloc(0), options),
  replay: (options) => replay([], sink, options),
  compileFilter: (options) => compileFilter('tcp', options),
  explainFilter: (options) => explainFilter('tcp', options),
  interfaces: (options) => interfaces(options),
  interfaceInfo: (options) => interfaceInfo('lo', options),
  'an audience': (options) => feed().open(options),
  'a tap': (options: object) => feed().open({ tap: { onBatch, ...options } }),
  inline: (options: object) => feed().open({ inline: { onBatch, ...options } }),
  'an answer': (options) => feed().answer('a.0.1', options),
};

const call = async (taker: string, options: unknown): Promise<unknown> => TAKERS[taker]!(options as never);

describe('options without a table', () => {
  for (const [taker, name, meant] of [
    ['RotatingWriter', 'maxbytes', 'maxBytes'],
    ['RotatingWriter', 'coment', 'comment'],
    ['PcapWriter', 'snaplen', 'snapLen'],
    ['PcapngWriter', 'statistic', 'statistics'],
    ['encodePcapng', 'comments', 'comment'],
    ['PreTrigger', 'maxSecond', 'maxSeconds'],
    ['readPcap', 'signl', 'signal'],
    ['replay', 'timeing', 'timing'],
    ['compileFilter', 'linktype', 'linkType'],
    ['explainFilter', 'link_type', 'linkType'],
    ['interfaces', 'netsn', 'netns'],
    ['interfaceInfo', 'netNs', 'netns'],
    ['an audience', 'inlin', 'inline'],
    ['a tap', 'evry', 'every'],
    ['inline', 'timeoutMS', 'timeoutMs'],
    ['an answer', 'verdicts', 'verdict'],
  ] as const)
    it(`${taker}: "${name}" is meant to be "${meant}"`, async () => {
      await assert.rejects(call(taker, { [name]: undefined }), {
        name: 'NetringError',
        kind: 'Config',
        option: name,
        message: `invalid configuration: unknown option "${name}", did you mean "${meant}"?`,
      });
    });

  it('a name like no other gets no suggestion, nor do those that every object has', async () => {
    for (const name of ['colour', 'constructor', '__proto__'])
      await assert.rejects(call('replay', JSON.parse(`{"${name}":1}`)), {
        message: `invalid configuration: unknown option "${name}"`,
      });
  });

  it('what is no object is refused as the builders do', async () => {
    for (const options of [null, 5, 'eth0', []])
      for (const taker of [
        'PcapWriter',
        'PcapngWriter',
        'encodePcapng',
        'readPcap',
        'replay',
        'compileFilter',
        'interfaces',
        'an audience',
      ])
        await assert.rejects(call(taker, options), { kind: 'Config', message: 'invalid configuration: the options are not an object' });
    for (const missing of [
      () => new RotatingWriter(undefined as never),
      () => new PreTrigger(undefined as never),
      () => captureGroup(2, undefined as never),
      () => captureGroup(2, 'eth0' as never),
    ])
      await assert.rejects(async () => missing(), { kind: 'Config', message: 'invalid configuration: the options are not an object' });
  });

  it('functions and texts are such', async () => {
    for (const [taker, name, value, text] of [
      ['PcapngWriter', 'statistics', 5, 'statistics is 5: a function'],
      ['RotatingWriter', 'statistics', {}, 'statistics is {}: a function'],
      ['RotatingWriter', 'onFile', 'print', 'onFile is "print": a function'],
      ['encodePcapng', 'application', 5, 'application is 5: a string'],
      ['PcapngWriter', 'comment', null, 'comment is null: a string'],
      ['a tap', 'onBatch', undefined, 'onBatch is undefined: a function'],
      ['inline', 'onBatch', 5, 'onBatch is 5: a function'],
    ] as const)
      await assert.rejects(call(taker, { [name]: value }), {
        kind: 'Config',
        option: name,
        message: `invalid configuration: ${text}`,
      });
  });

  it('recordCaptureDelta says what a delta is', () => {
    for (const [delta, shown] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [5, '5'],
    ] as const)
      assert.throws(() => recordCaptureDelta('eth0', delta as never), {
        name: 'TypeError',
        message: `delta must be an object with packets, drops and freezes, not ${shown}`,
      });
  });
});
