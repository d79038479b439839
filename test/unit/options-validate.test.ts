import assert from 'node:assert/strict';
import { NetringError } from '../../src/errors/errors';
import { CaptureSetters, type CaptureOptions, type InjectorOptions } from '../../src/options/generated/builders';
import { RING_PROFILES } from '../../src/options/profiles';
import { resolveBridge, resolveCapture, resolveInjector } from '../../src/options/validate';
import type { RingProfile } from '../../src/options/values';

const PAGE = 4096;

/** The text of the `Config` error, without its common prefix; the option it names must be `option`. */
function refusal(check: () => unknown, option: string): string {
  let error: unknown;
  try {
    check();
  } catch (caught) {
    error = caught;
  }
  assert.ok(error instanceof NetringError, `nothing refused ${option}`);
  assert.equal(error.kind, 'Config');
  assert.equal(error.code, 'EINVAL');
  assert.equal(error.option, option);
  assert.match(error.message, /^invalid configuration: /);
  return error.message.slice('invalid configuration: '.length);
}

const capture = (options: object): ReturnType<typeof resolveCapture> => resolveCapture({ interface: 'eth0', ...options }, PAGE);
const injector = (options: object): ReturnType<typeof resolveInjector> => resolveInjector({ interface: 'eth0', ...options }, PAGE);

/** Options, the option that is to blame, and what is said of it. */
type Refused = [options: Record<string, unknown>, option: string, text: string];

const INTERFACE_RULE = 'it has no "/", ":", white space or NUL and is not "." or ".."';

const REFUSED_BY_BOTH: Refused[] = [
  [{ interface: undefined }, 'interface', 'interface is required'],
  [{ interface: '' }, 'interface', 'interface is required'],
  [{ interface: null }, 'interface', 'interface is required'],
  [{ interface: 7 }, 'interface', 'interface 7 is not a string'],
  [{ interface: 'sixteen-letters-' }, 'interface', 'interface "sixteen-letters-" is 16 bytes long, a name has at most 15'],
  [{ interface: 'ääääääää' }, 'interface', 'interface "ääääääää" is 16 bytes long, a name has at most 15'],
  [{ interface: 'a/b' }, 'interface', `interface "a/b" is no name of an interface: ${INTERFACE_RULE}`],
  [{ interface: 'eth0:1' }, 'interface', `interface "eth0:1" is no name of an interface: ${INTERFACE_RULE}`],
  [{ interface: 'eth 0' }, 'interface', `interface "eth 0" is no name of an interface: ${INTERFACE_RULE}`],
  [{ interface: 'eth0\n' }, 'interface', `interface "eth0\\n" is no name of an interface: ${INTERFACE_RULE}`],
  [{ interface: 'eth0\0' }, 'interface', `interface "eth0\\u0000" is no name of an interface: ${INTERFACE_RULE}`],
  [{ interface: 'à' }, 'interface', `interface "à" is no name of an interface: ${INTERFACE_RULE}`],
  [{ interface: '.' }, 'interface', `interface "." is no name of an interface: ${INTERFACE_RULE}`],
  [{ interface: '..' }, 'interface', `interface ".." is no name of an interface: ${INTERFACE_RULE}`],

  [{ frameSize: 100 }, 'frameSize', 'frameSize 100 is not a multiple of TPACKET_ALIGNMENT (16)'],
  [{ frameSize: 32 }, 'frameSize', 'frameSize 32 is less than TPACKET3_HDRLEN (68)'],
  [{ frameSize: 64 }, 'frameSize', 'frameSize 64 is less than TPACKET3_HDRLEN (68)'],
  [{ frameSize: 0 }, 'frameSize', 'frameSize 0 is less than TPACKET3_HDRLEN (68)'],
  [{ frameSize: 2 ** 30 + 16 }, 'frameSize', 'frameSize 1073741840 is more than 1073741824'],
  [{ frameSize: '2048' }, 'frameSize', 'frameSize "2048" is not an integer'],

  [{ frame_size: 2048 }, 'frame_size', 'unknown option "frame_size", did you mean "frameSize"?'],
  [{ framesize: 2048 }, 'framesize', 'unknown option "framesize", did you mean "frameSize"?'],
  [{ frameSzie: 2048 }, 'frameSzie', 'unknown option "frameSzie", did you mean "frameSize"?'],
  [{ colour: 'red' }, 'colour', 'unknown option "colour"'],
  [{ '': 1 }, '', 'unknown option ""'],
];

const REFUSED_BY_CAPTURE: Refused[] = [
  [{ profile: 'fast' }, 'profile', `profile "fast" is not one of ${Object.keys(RING_PROFILES).join(', ')}`],
  [{ profile: 1 }, 'profile', `profile 1 is not one of ${Object.keys(RING_PROFILES).join(', ')}`],

  [{ blockSize: 3000 }, 'blockSize', 'blockSize 3000 is not a power of 2'],
  [{ blockSize: 0 }, 'blockSize', 'blockSize 0 is not a power of 2'],
  [{ blockSize: -4096 }, 'blockSize', 'blockSize -4096 is not a power of 2'],
  [{ blockSize: 2 ** 40 + 2 ** 12 }, 'blockSize', 'blockSize 1099511631872 is not a power of 2'],
  [{ blockSize: 2048 }, 'blockSize', 'blockSize 2048 is not a multiple of PAGE_SIZE (4096)'],
  [{ blockSize: 2 ** 31 }, 'blockSize', 'blockSize 2147483648 is more than 1073741824'],
  [{ blockSize: 4096.5 }, 'blockSize', 'blockSize 4096.5 is not an integer'],
  [{ blockSize: NaN }, 'blockSize', 'blockSize NaN is not an integer'],
  [{ blockSize: Infinity }, 'blockSize', 'blockSize Infinity is not an integer'],
  [{ blockSize: '4096' }, 'blockSize', 'blockSize "4096" is not an integer'],
  [{ blockSize: null }, 'blockSize', 'blockSize null is not an integer'],
  [{ blockSize: 4096n }, 'blockSize', 'blockSize 4096n is not an integer'],
  [{ blockSize: {} }, 'blockSize', 'blockSize {} is not an integer'],

  [{ blockCount: 0 }, 'blockCount', 'blockCount must be > 0, not 0'],
  [{ blockCount: -1 }, 'blockCount', 'blockCount must be > 0, not -1'],
  [{ blockCount: 2 ** 31 }, 'blockCount', 'blockCount 2147483648 is more than 2147483647'],
  [{ blockCount: 1024 }, 'blockCount', 'blockCount 1024 of blockSize 4194304 makes a ring of more than 4294967295 bytes'],
  [{ frameSize: 8192, blockSize: 4096 }, 'frameSize', 'frameSize 8192 exceeds blockSize 4096'],
  [{ profile: 'jumbo-frames', blockSize: 4096 }, 'frameSize', 'frameSize 65536 exceeds blockSize 4096'],

  [{ snapLen: -1 }, 'snapLen', 'snapLen -1 is less than 0'],
  [{ snapLen: 2 ** 32 }, 'snapLen', 'snapLen 4294967296 is more than 4294967295'],
  [{ snapLen: 0.5 }, 'snapLen', 'snapLen 0.5 is not an integer'],
  [{ blockTimeoutMs: 0 }, 'blockTimeoutMs', 'blockTimeoutMs 0 is less than 1 (for 0 the kernel picks a timeout of its own)'],
  [{ blockTimeoutMs: 65536 }, 'blockTimeoutMs', 'blockTimeoutMs 65536 is more than 65535'],
  [{ latency: 'now' }, 'latency', 'latency "now" is not one of block, immediate'],
  [{ latency: 'immediate', frameSize: 240 }, 'frameSize', 'frameSize 240 with latency "immediate": a slot has at least 256 bytes'],
  [{ netns: true }, 'netns', 'netns true is neither a string nor the id of a process'],
  [{ netns: 0 }, 'netns', 'netns 0 is neither a string nor the id of a process'],
  [{ netns: 'a/b' }, 'netns', 'netns "a/b" is neither a name of a network namespace, nor an absolute path, nor the id of a process'],
  [{ busyPollUs: -5 }, 'busyPollUs', 'busyPollUs -5 is less than 0'],
  [{ busyPollUs: 2 ** 31 }, 'busyPollUs', 'busyPollUs 2147483648 is more than 2147483647'],
  [{ rcvbuf: -1 }, 'rcvbuf', 'rcvbuf -1 is less than 0'],
  [{ rcvbuf: 2 ** 31 }, 'rcvbuf', 'rcvbuf 2147483648 is more than 2147483647'],
  [{ pollTimeoutMs: -1 }, 'pollTimeoutMs', 'pollTimeoutMs -1 is less than 0'],
  [{ pollTimeoutMs: 2 ** 31 }, 'pollTimeoutMs', 'pollTimeoutMs 2147483648 is more than 2147483647'],
  ...['fillRxhash', 'promiscuous', 'ignoreOutgoing', 'reuseport', 'rcvbufForce'].flatMap((name): Refused[] => [
    [{ [name]: 'true' }, name, `${name} "true" is neither true nor false`],
    [{ [name]: 1 }, name, `${name} 1 is neither true nor false`],
  ]),
  [{ timestampSource: 'ptp' }, 'timestampSource', 'timestampSource "ptp" is not one of software, raw-hardware, sys-hardware'],
  [{ timestampSource: null }, 'timestampSource', 'timestampSource null is not one of software, raw-hardware, sys-hardware'],

  [{ fanoutMode: 'cbpf' }, 'fanoutMode', 'fanoutMode "cbpf" is not one of hash, load-balance, cpu, rollover, random, queue-mapping, ebpf'],
  [{ fanoutMode: 'hash', fanoutGroup: 65536 }, 'fanoutGroup', 'fanoutGroup 65536 is more than 65535'],
  [{ fanoutMode: 'hash', fanoutGroup: -1 }, 'fanoutGroup', 'fanoutGroup -1 is less than 0'],
  [{ fanoutGroup: 7 }, 'fanoutGroup', 'fanoutGroup 7 needs a fanoutMode'],
  [{ fanoutFlags: 'defrag' }, 'fanoutFlags', 'fanoutFlags "defrag" is not an array of rollover, unique-id, ignore-outgoing, defrag'],
  [{ fanoutFlags: ['lifo'] }, 'fanoutFlags', 'fanoutFlags "lifo" is not one of rollover, unique-id, ignore-outgoing, defrag'],
  [{ fanoutFlags: [3] }, 'fanoutFlags', 'fanoutFlags 3 is not one of rollover, unique-id, ignore-outgoing, defrag'],
  [{ fanoutFlags: ['defrag'] }, 'fanoutFlags', 'fanoutFlags ["defrag"] need a fanoutMode'],
  [
    { fanoutMode: 'hash', fanoutGroup: 7, fanoutFlags: ['unique-id'] },
    'fanoutGroup',
    'fanoutGroup 7 with fanoutFlags ["unique-id"]: the kernel picks the group of unique-id, so fanoutGroup must be 0',
  ],

  [{ filter: 5 }, 'filter', 'filter 5 is neither a text nor an array of instructions'],
  [{ filter: [] }, 'filter', 'BPF filter has no instructions'],
  [{ maxBufferedBytes: 0 }, 'maxBufferedBytes', 'maxBufferedBytes must be > 0, not 0'],
  [{ maxBufferedBytes: 1e300 }, 'maxBufferedBytes', `maxBufferedBytes 1e+300 is more than ${Number.MAX_SAFE_INTEGER}`],
  [{ maxBufferedBytes: 4096 }, 'maxBufferedBytes', 'maxBufferedBytes 4096 is less than two blocks (blockSize 4194304)'],

  [{ pollTimeout: 5 }, 'pollTimeout', 'unknown option "pollTimeout", did you mean "pollTimeoutMs"?'],
  [{ bpf_filter: [] }, 'bpf_filter', 'unknown option "bpf_filter", did you mean "filter"?'],
  [{ fanout: 'hash' }, 'fanout', 'unknown option "fanout", did you mean "fanoutMode"?'],
  [{ qdiscBypass: true }, 'qdiscBypass', 'unknown option "qdiscBypass"'],
];

const REFUSED_BY_INJECTOR: Refused[] = [
  [{ frameCount: 0 }, 'frameCount', 'frameCount must be > 0, not 0'],
  [{ frameCount: 2 ** 31 }, 'frameCount', 'frameCount 2147483648 is more than 2147483647'],
  [{ frameCount: 2 ** 21 }, 'frameCount', 'frameCount 2097152 of frameSize 2048 makes a ring of more than 4294967295 bytes'],
  // One frame of 3008 bytes fills a page.
  [
    { frameCount: 2 ** 20, frameSize: 3008 },
    'frameCount',
    'frameCount 1048576 of frameSize 3008 makes a ring of more than 4294967295 bytes',
  ],
  [{ qdiscBypass: 'no' }, 'qdiscBypass', 'qdiscBypass "no" is neither true nor false'],
  [{ promiscuous: true }, 'promiscuous', 'unknown option "promiscuous"'],
];

describe('options: validation', () => {
  for (const [what, check, table] of [
    ['a capture', capture, [...REFUSED_BY_BOTH, ...REFUSED_BY_CAPTURE]],
    ['an injector', injector, [...REFUSED_BY_BOTH, ...REFUSED_BY_INJECTOR]],
  ] as const) {
    describe(`${what} refuses`, () => {
      for (const [options, option, text] of table) {
        it(text, () => {
          assert.equal(
            refusal(() => check(options), option),
            text,
          );
        });
      }

      for (const options of [null, undefined, 'eth0', 5, ['eth0']]) {
        it(`options that are ${JSON.stringify(options)}`, () => {
          const resolve = what === 'a capture' ? resolveCapture : resolveInjector;
          assert.throws(() => resolve(options as unknown as CaptureOptions & InjectorOptions, PAGE), {
            kind: 'Config',
            message: 'invalid configuration: the options are not an object',
          });
        });
      }
    });
  }

  it('FO-01 refuses the rollover flag in a rollover group, whatever flags are beside it', () => {
    const text = 'with fanoutMode "rollover": a group that rolls over anyway takes no rollover flag';
    const flags = ['rollover', 'defrag'];
    assert.equal(
      refusal(() => capture({ fanoutMode: 'rollover', fanoutFlags: ['rollover'] }), 'fanoutFlags'),
      `fanoutFlags ["rollover"] ${text}`,
    );
    assert.equal(
      refusal(() => capture({ fanoutMode: 'rollover', fanoutFlags: flags }), 'fanoutFlags'),
      `fanoutFlags ["rollover","defrag"] ${text}`,
    );
  });

  it('shortens a long value in a text', () => {
    assert.equal(
      refusal(() => capture({ profile: 'x'.repeat(200) }), 'profile'),
      `profile "${'x'.repeat(56)}... is not one of ${Object.keys(RING_PROFILES).join(', ')}`,
    );
  });

  it('says what is wrong with values that have no text of their own', () => {
    const circular: unknown[] = [];
    circular.push(circular);
    for (const value of [Symbol('s'), Object.create(null) as object, circular, [1n], () => 1]) {
      assert.match(
        refusal(() => capture({ blockSize: value }), 'blockSize'),
        /^blockSize .* is not an integer$/,
      );
    }
  });

  it('asks the machine for its page size', () => {
    assert.equal(
      refusal(() => resolveCapture({ interface: 'eth0', blockSize: 4096 }, 16384), 'blockSize'),
      'blockSize 4096 is not a multiple of PAGE_SIZE (16384)',
    );
    assert.equal(resolveCapture({ interface: 'eth0', blockSize: 16384 }, 16384).settings.blockSize, 16384);
    // A page of 64 KiB takes 21 frames of 3008 bytes, one of 4 KiB only one.
    assert.equal(resolveInjector({ interface: 'eth0', frameCount: 2 ** 20, frameSize: 3008 }, 65536).settings.frameCount, 2 ** 20);
  });

  it('takes the outermost values of every range', () => {
    const accepted: Record<string, unknown>[] = [
      { interface: 'a' },
      { interface: 'fifteen-letters' },
      { interface: 'wlan0.100@x' },
      { blockSize: 4096, frameSize: 80 },
      { blockSize: 4096, frameSize: 4096 },
      { blockSize: 2 ** 30, blockCount: 3, maxBufferedBytes: 2 ** 31 },
      { blockCount: 1 },
      { blockCount: 1023 },
      { snapLen: 0 },
      { snapLen: 2 ** 32 - 1 },
      { blockTimeoutMs: 1 },
      { blockTimeoutMs: 65535 },
      { busyPollUs: 0 },
      { busyPollUs: 2 ** 31 - 1 },
      { rcvbuf: 2 ** 31 - 1 },
      { pollTimeoutMs: 0 },
      { profile: null, fanoutMode: null, filter: null },
      { fanoutMode: 'cpu', fanoutGroup: 65535 },
      { fanoutMode: 'hash', fanoutFlags: ['rollover', 'unique-id', 'ignore-outgoing', 'defrag'] },
      { maxBufferedBytes: 8388608 },
      { maxBufferedBytes: Number.MAX_SAFE_INTEGER },
    ];
    for (const options of accepted) assert.doesNotThrow(() => capture(options), JSON.stringify(options));
    assert.doesNotThrow(() => injector({ frameCount: 2 ** 21 - 2 }));
    assert.doesNotThrow(() => injector({ frameSize: 80, frameCount: 1 }));
  });

  it('treats undefined as not given', () => {
    assert.deepEqual(capture({ blockSize: undefined, profile: undefined }).settings, capture({}).settings);
  });

  it('warns of what latency immediate takes the effect of, when it was given', () => {
    assert.deepEqual(capture({ latency: 'immediate', profile: 'balanced' }).warnings, []);
    assert.deepEqual(capture({ latency: 'immediate', fillRxhash: false }).warnings, []);
    assert.deepEqual(capture({ blockTimeoutMs: 5, fillRxhash: true }).warnings, []);
    assert.deepEqual(capture({ latency: 'immediate', blockTimeoutMs: 5, fillRxhash: true }).warnings, [
      'blockTimeoutMs 5 has no effect with latency "immediate": packets wait for no block',
      'fillRxhash true has no effect with latency "immediate": the kernel fills it into blocks only',
    ]);
  });

  it('warns of rcvbufForce without rcvbuf', () => {
    assert.deepEqual(capture({ rcvbufForce: true }).warnings, ['rcvbufForce true has no effect without rcvbuf']);
    assert.deepEqual(capture({ rcvbufForce: true, rcvbuf: 1 << 20 }).warnings, []);
    assert.deepEqual(capture({}).warnings, []);
  });
});

describe('options: defaults and profiles', () => {
  it("a capture has netring's defaults", () => {
    assert.deepEqual(capture({}).settings, {
      interface: 'eth0',
      profile: null,
      blockSize: 4194304,
      blockCount: 64,
      frameSize: 2048,
      snapLen: 0,
      blockTimeoutMs: 60,
      latency: 'block',
      netns: '',
      fillRxhash: true,
      promiscuous: false,
      ignoreOutgoing: false,
      busyPollUs: 0,
      reuseport: false,
      rcvbuf: 0,
      rcvbufForce: false,
      timestampSource: 'software',
      pollTimeoutMs: 100,
      fanoutMode: null,
      fanoutGroup: 0,
      fanoutFlags: [],
      filter: [],
      maxBufferedBytes: 268435456,
    });
  });

  it("an injector has netring's defaults", () => {
    assert.deepEqual(injector({}).settings, { interface: 'eth0', netns: '', frameSize: 2048, frameCount: 256, qdiscBypass: false });
  });

  const SIZES: Record<RingProfile, [blockSize: number, blockCount: number, frameSize: number, blockTimeoutMs: number]> = {
    default: [4194304, 64, 2048, 60],
    'high-throughput': [4194304, 256, 2048, 60],
    'low-latency': [262144, 64, 2048, 1],
    'low-memory': [1048576, 16, 2048, 100],
    'jumbo-frames': [4194304, 64, 65536, 60],
    balanced: [262144, 64, 2048, 10],
  };
  for (const [profile, sizes] of Object.entries(SIZES)) {
    it(`profile ${profile} gives the ring its sizes`, () => {
      const { settings } = capture({ profile });
      assert.deepEqual([settings.blockSize, settings.blockCount, settings.frameSize, settings.blockTimeoutMs], sizes);
      assert.equal(settings.profile, profile);
    });
  }

  it('sizes given beside a profile win, in whatever order the setters are called', () => {
    const before = new CaptureSetters({ interface: 'eth0' }).blockCount(8).blockTimeoutMs(5).profile('low-latency').options;
    const after = new CaptureSetters({ interface: 'eth0' }).profile('low-latency').blockCount(8).blockTimeoutMs(5).options;
    for (const options of [before, after]) {
      const { settings } = resolveCapture(options, PAGE);
      assert.deepEqual([settings.blockSize, settings.blockCount, settings.frameSize, settings.blockTimeoutMs], [262144, 8, 2048, 5]);
    }
  });

  it('snapLen leaves frameSize alone', () => {
    assert.equal(capture({ snapLen: 96 }).settings.frameSize, 2048);
  });
});

describe('options of a bridge', () => {
  const bridge = (options: object): ReturnType<typeof resolveBridge> =>
    resolveBridge({ interfaceA: 'eth1', interfaceB: 'eth2', ...options }, PAGE);

  it('a profile gives both rings their sizes; what is given beside it wins', () => {
    const { settings } = bridge({ profile: 'balanced', bBlockCount: 7 });
    assert.deepEqual([settings.aBlockSize, settings.aBlockCount, settings.aFrameSize], [262144, 64, 2048]);
    assert.deepEqual([settings.bBlockSize, settings.bBlockCount, settings.bFrameSize], [262144, 7, 2048]);
  });

  it('names the end that is wrong', () => {
    assert.equal(
      refusal(() => bridge({ interfaceB: undefined }), 'interfaceB'),
      'interfaceB is required',
    );
    assert.equal(
      refusal(() => bridge({ interfaceB: 'eth1' }), 'interfaceB'),
      'interfaceB "eth1" is interfaceA as well: a bridge has two ends',
    );
    assert.equal(
      refusal(() => bridge({ aFrameSize: 200 }), 'aFrameSize'),
      'aFrameSize 200 is not a multiple of TPACKET_ALIGNMENT (16)',
    );
    assert.equal(
      refusal(() => bridge({ bFrameSize: 8192, bBlockSize: 4096 }), 'bFrameSize'),
      'bFrameSize 8192 exceeds bBlockSize 4096',
    );
    assert.equal(
      refusal(() => bridge({ aBlockSize: 2 ** 30, aBlockCount: 5 }), 'aBlockCount'),
      'aBlockCount 5 of aBlockSize 1073741824 makes a ring of more than 4294967295 bytes',
    );
    assert.equal(
      refusal(() => bridge({ filterAction: 'pass' }), 'filterAction'),
      'filterAction "pass" is not one of forward, drop',
    );
  });
});
