import assert from 'node:assert/strict';
import { NetringError } from '../../src/errors/errors';
import { settingsFromFlow } from '../../src/options/flow';
import { XdpSetters, type XdpOptions } from '../../src/options/generated/builders';
import { resolveXdp, toNativeXdpConfig } from '../../src/options/validate';

const ACCEPT = '1,6 0 0 262144';

const xdp = (options: object): ReturnType<typeof resolveXdp> => resolveXdp({ interface: 'eth0', ...options }, 4096);
const nativeOf = (options: object): ReturnType<typeof toNativeXdpConfig> => toNativeXdpConfig(xdp(options).settings);
const fromFlow = (config: object) => settingsFromFlow('xdp', { id: '1', type: 'netring-xdp', schema: 1, interface: 'eth0', ...config });

const refuses = (read: () => unknown, option: string, text: string): void =>
  assert.throws(read, (error) => {
    assert.ok(error instanceof NetringError);
    assert.deepEqual([error.kind, error.option, error.message], ['Config', option, `invalid configuration: ${text}`]);
    return true;
  });

describe('options: xdp', () => {
  it("has netring's defaults", () => {
    assert.deepEqual(xdp({}).settings, {
      interface: 'eth0',
      queueId: 0,
      frameSize: 4096,
      frameCount: 4096,
      mode: 'rxtx',
      prefill: 0,
      needWakeup: true,
      bindMode: 'auto',
      attach: 'auto',
      filter: [],
      mapPin: '',
      promiscuous: false,
      busyPollUs: 0,
      preferBusyPoll: false,
      busyPollBudget: 0,
      maxBufferedBytes: 256 * 1024 * 1024,
    });
  });

  it('has a setter for every option', () => {
    const builder = new XdpSetters();
    const chained = builder
      .interface('eth0')
      .queueId('all')
      .frameSize(2048)
      .frameCount(64)
      .mode('custom')
      .prefill(8)
      .needWakeup(false)
      .bindMode('copy')
      .attach('skb')
      .filter(ACCEPT)
      .mapPin('/sys/fs/bpf/xsks')
      .promiscuous(true)
      .busyPollUs(20)
      .preferBusyPoll(true)
      .busyPollBudget(64)
      .maxBufferedBytes(1 << 20);
    assert.equal(chained, builder);
    const expected: XdpOptions = {
      interface: 'eth0',
      queueId: 'all',
      frameSize: 2048,
      frameCount: 64,
      mode: 'custom',
      prefill: 8,
      needWakeup: false,
      bindMode: 'copy',
      attach: 'skb',
      filter: ACCEPT,
      mapPin: '/sys/fs/bpf/xsks',
      promiscuous: true,
      busyPollUs: 20,
      preferBusyPoll: true,
      busyPollBudget: 64,
      maxBufferedBytes: 1 << 20,
    };
    assert.deepEqual(builder.options, expected);
    assert.deepEqual(Object.keys(builder.options).sort(), Object.keys(xdp({}).settings).sort());
    const instructions = [{ code: 6, jt: 0, jf: 0, k: 4 }];
    assert.equal(builder.bpfFilter(instructions).options.filter, instructions);
  });

  for (const [options, option, text] of [
    [{ interface: '' }, 'interface', 'interface is required'],
    [{ queueId: -1 }, 'queueId', 'queueId -1 is less than 0'],
    [{ queueId: 65536 }, 'queueId', 'queueId 65536 is more than 65535'],
    [{ queueId: 1.5 }, 'queueId', 'queueId 1.5 is neither the number of a queue nor "all"'],
    [{ queueId: 'ALL' }, 'queueId', 'queueId "ALL" is neither the number of a queue nor "all"'],
    [{ queueId: '0' }, 'queueId', 'queueId "0" is neither the number of a queue nor "all"'],
    [{ queueId: null }, 'queueId', 'queueId null is neither the number of a queue nor "all"'],
    [{ frameSize: 1024 }, 'frameSize', 'frameSize 1024 is neither 2048 nor 4096: the kernel takes no other'],
    [{ frameSize: 3072 }, 'frameSize', 'frameSize 3072 is neither 2048 nor 4096: the kernel takes no other'],
    [{ frameSize: 8192 }, 'frameSize', 'frameSize 8192 is neither 2048 nor 4096: the kernel takes no other'],
    [{ frameSize: '2048' }, 'frameSize', 'frameSize "2048" is not an integer'],
    [{ frameCount: 1 }, 'frameCount', 'frameCount 1 is less than 2'],
    [{ frameCount: 2 ** 20 }, 'frameCount', 'frameCount 1048576 of frameSize 4096 makes a memory of more than 4294967295 bytes'],
    [{ mode: 'both' }, 'mode', 'mode "both" is not one of rx, tx, rxtx, custom'],
    [{ prefill: 8 }, 'prefill', 'prefill 8 with mode "rxtx": only mode custom takes it'],
    [{ prefill: 8, mode: 'rx' }, 'prefill', 'prefill 8 with mode "rx": only mode custom takes it'],
    [{ prefill: -1, mode: 'custom' }, 'prefill', 'prefill -1 is less than 0'],
    [{ prefill: 65, mode: 'custom', frameCount: 64 }, 'prefill', 'prefill 65 is more than frameCount 64'],
    [{ needWakeup: 'yes' }, 'needWakeup', 'needWakeup "yes" is neither true nor false'],
    [{ bindMode: 'fast' }, 'bindMode', 'bindMode "fast" is not one of auto, copy, zerocopy'],
    [{ attach: 'hw' }, 'attach', 'attach "hw" is not one of auto, driver, skb, none'],
    [{ filter: '1\n6 0 0' }, 'filter', 'filter line 2 "6 0 0" is not "code jt jf k"'],
    [
      { filter: ACCEPT, attach: 'none' },
      'filter',
      'filter with attach "none": a filter is part of the program that attach none leaves out',
    ],
    [{ mapPin: 7, attach: 'none' }, 'mapPin', 'mapPin 7 is not a string'],
    [{ mapPin: 'xsks', attach: 'none' }, 'mapPin', 'mapPin "xsks" is no absolute path'],
    [{ mapPin: '/', attach: 'none' }, 'mapPin', 'mapPin "/" is no absolute path'],
    [{ mapPin: '/a\0b', attach: 'none' }, 'mapPin', 'mapPin "/a\\u0000b" is no absolute path'],
    [
      { mapPin: '/sys/fs/bpf/xsks' },
      'mapPin',
      'mapPin "/sys/fs/bpf/xsks" with attach "auto": the map of a program from outside needs attach none',
    ],
    [{ busyPollUs: -1 }, 'busyPollUs', 'busyPollUs -1 is less than 0'],
    [{ preferBusyPoll: true }, 'preferBusyPoll', 'preferBusyPoll true needs busyPollUs'],
    [{ busyPollBudget: 65536 }, 'busyPollBudget', 'busyPollBudget 65536 is more than 65535'],
    [{ maxBufferedBytes: 0 }, 'maxBufferedBytes', 'maxBufferedBytes must be > 0, not 0'],
    [
      { maxBufferedBytes: 8388607 },
      'maxBufferedBytes',
      'maxBufferedBytes 8388607 is less than two batches take (2048 times frameSize 4096)',
    ],
    [{ queue_id: 1 }, 'queue_id', 'unknown option "queue_id", did you mean "queueId"?'],
  ] as const) {
    it(`refuses: ${text}`, () => refuses(() => xdp(options), option, text));
  }

  it('takes what is right at the edges', () => {
    for (const options of [
      { queueId: 65535 },
      { queueId: 'all' },
      { frameSize: 2048, frameCount: 2097151 },
      { frameCount: 2 },
      { mode: 'custom', prefill: 64, frameCount: 64 },
      { mode: 'custom' },
      { attach: 'none', mapPin: '/sys/fs/bpf/xsks' },
      { busyPollUs: 20, preferBusyPoll: true, busyPollBudget: 65535 },
      { frameSize: 2048, maxBufferedBytes: 4194304 },
    ])
      assert.doesNotThrow(() => xdp(options));
  });

  it('warns of what is likely not meant', () => {
    const warnings = (options: object): readonly string[] => xdp(options).warnings;
    const greedy = 'without a filter the socket takes every frame of its queue away from the kernel: with one the others stay there';
    const alone = 'attach "none" without mapPin: nothing arrives until a program from outside redirects frames to this socket';
    assert.deepEqual(warnings({}), [greedy]);
    assert.deepEqual(warnings({ mode: 'custom', prefill: 1 }), [greedy]);
    assert.deepEqual(warnings({ filter: ACCEPT }), []);
    assert.deepEqual(warnings({ mode: 'tx' }), []);
    assert.deepEqual(warnings({ mode: 'custom' }), []);
    assert.deepEqual(warnings({ mode: 'tx', filter: ACCEPT }), ['filter has no effect with mode "tx" (prefill 0): nothing is received']);
    assert.deepEqual(warnings({ attach: 'none' }), [alone]);
    assert.deepEqual(warnings({ attach: 'none', mode: 'tx' }), []);
    assert.deepEqual(warnings({ attach: 'none', mapPin: '/sys/fs/bpf/xsks' }), []);
    assert.deepEqual(warnings({ filter: ACCEPT, busyPollBudget: 8 }), ['busyPollBudget 8 has no effect without busyPollUs']);
  });
});

describe('options: xdp, what the native core takes', () => {
  it('resolves names to numbers', () => {
    assert.deepEqual(nativeOf({ queueId: 'all', bindMode: 'zerocopy', attach: 'skb', filter: ACCEPT, busyPollUs: 9 }), {
      interface: 'eth0',
      queueId: -1,
      frameSize: 4096,
      frameCount: 4096,
      rxFrames: 2048,
      needWakeup: true,
      bindMode: 2,
      attach: 2,
      filter: new Uint8Array(new Uint32Array([6, 262144]).buffer),
      mapPin: '',
      promiscuous: false,
      busyPollUs: 9,
      preferBusyPoll: false,
      busyPollBudget: 0,
      maxBufferedBytes: 268435456,
    });
    assert.deepEqual(
      ['auto', 'copy', 'zerocopy'].map((bindMode) => nativeOf({ bindMode }).bindMode),
      [0, 1, 2],
    );
    assert.deepEqual(
      ['auto', 'driver', 'skb', 'none'].map((attach) => nativeOf({ attach }).attach),
      [0, 1, 2, 3],
    );
    assert.equal(nativeOf({ queueId: 7 }).queueId, 7);
  });

  it('shares the chunks out between receiving and sending', () => {
    const shares = (options: object): number => nativeOf({ frameCount: 65, ...options }).rxFrames;
    assert.deepEqual(
      ['rx', 'tx', 'rxtx', 'custom'].map((mode) => shares({ mode })),
      [65, 0, 32, 0],
    );
    assert.equal(shares({ mode: 'custom', prefill: 9 }), 9);
  });

  it('attaches no program for a socket that receives nothing', () => {
    assert.equal(nativeOf({ mode: 'tx' }).attach, 3);
    assert.equal(nativeOf({ mode: 'custom', attach: 'driver' }).attach, 3);
    assert.equal(nativeOf({ mode: 'custom', attach: 'driver', prefill: 1 }).attach, 1);
  });
});

describe('options: xdp, from the flow', () => {
  it('starts from 2048 chunks of 2048 bytes, which fit the usual limit of locked memory', () => {
    const { options, node } = fromFlow({});
    assert.deepEqual(options, { interface: 'eth0', frameSize: 2048, frameCount: 2048 });
    assert.deepEqual(node, { input: 'frames', output: 'batch', statsInterval: 1, allowDefaultRoute: false });
  });

  it('takes what the fields of the editor hold: text', () => {
    const text = fromFlow({ queueId: ' 3 ', mode: 'custom', prefill: '8', needWakeup: 'false', attach: 'none', mapPin: ' /sys/fs/bpf/x ' });
    assert.deepEqual(text.options, {
      interface: 'eth0',
      queueId: 3,
      frameSize: 2048,
      frameCount: 2048,
      mode: 'custom',
      prefill: 8,
      needWakeup: false,
      attach: 'none',
      mapPin: '/sys/fs/bpf/x',
    });
    assert.equal(fromFlow({ queueId: 'all' }).options.queueId, 'all');
    assert.equal(fromFlow({ queueId: 2 }).options.queueId, 2);
    assert.equal(fromFlow({ queueId: '${QUEUE}' }).options.queueId, undefined);
    assert.equal(fromFlow({ mapPin: '' }).options.mapPin, undefined);
  });

  it('refuses what is no queue', () => {
    refuses(() => fromFlow({ queueId: 'both' }), 'queueId', 'queueId "both" is neither the number of a queue nor "all"');
    refuses(() => fromFlow({ queueId: '65536' }), 'queueId', 'queueId 65536 is more than 65535');
    refuses(() => fromFlow({ sharedUmem: 'x' }), 'sharedUmem', 'unknown option "sharedUmem"');
  });
});
