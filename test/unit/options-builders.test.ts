import assert from 'node:assert/strict';
import { CaptureSetters, InjectorSetters, type CaptureOptions } from '../../src/options/generated/builders';
import { resolveCapture, resolveInjector, toNativeCaptureConfig, toNativeInjectorConfig } from '../../src/options/validate';

const PAGE = 4096;
const capture = (options: object): ReturnType<typeof resolveCapture> => resolveCapture({ interface: 'eth0', ...options }, PAGE);
const injector = (options: object): ReturnType<typeof resolveInjector> => resolveInjector({ interface: 'eth0', ...options }, PAGE);

describe('options: builders', () => {
  it('every setter sets its option and returns the builder', () => {
    const builder = new CaptureSetters();
    const chained = builder
      .interface('eth0')
      .profile('balanced')
      .blockSize(8192)
      .blockCount(4)
      .frameSize(512)
      .snapLen(96)
      .blockTimeoutMs(3)
      .latency('immediate')
      .netns('blue')
      .fillRxhash(false)
      .promiscuous(true)
      .ignoreOutgoing(true)
      .busyPollUs(50)
      .reuseport(true)
      .rcvbuf(65536)
      .rcvbufForce(true)
      .timestampSource('raw-hardware')
      .pollTimeout(20)
      .fanout('hash', 7)
      .fanoutFlags('defrag', 'rollover')
      .filter('1,6 0 0 4')
      .maxBufferedBytes(1 << 20);
    assert.equal(chained, builder);
    assert.deepEqual(builder.options, {
      interface: 'eth0',
      profile: 'balanced',
      blockSize: 8192,
      blockCount: 4,
      frameSize: 512,
      snapLen: 96,
      blockTimeoutMs: 3,
      latency: 'immediate',
      netns: 'blue',
      fillRxhash: false,
      promiscuous: true,
      ignoreOutgoing: true,
      busyPollUs: 50,
      reuseport: true,
      rcvbuf: 65536,
      rcvbufForce: true,
      timestampSource: 'raw-hardware',
      pollTimeoutMs: 20,
      fanoutMode: 'hash',
      fanoutGroup: 7,
      fanoutFlags: ['defrag', 'rollover'],
      filter: '1,6 0 0 4',
      maxBufferedBytes: 1 << 20,
    });
    assert.deepEqual(Object.keys(builder.options).sort(), Object.keys(capture({}).settings).sort(), 'a setter for every option');

    const instructions = [{ code: 6, jt: 0, jf: 0, k: 4 }];
    assert.equal(builder.bpfFilter(instructions).options.filter, instructions);
    assert.deepEqual(new InjectorSetters({ interface: 'eth0' }).frameSize(4096).frameCount(2).qdiscBypass(true).options, {
      interface: 'eth0',
      frameSize: 4096,
      frameCount: 2,
      qdiscBypass: true,
    });
  });

  it('keeps its options to itself', () => {
    const given: CaptureOptions = { interface: 'eth0' };
    const builder = new CaptureSetters(given);
    given.interface = 'eth1';
    builder.options.interface = 'eth2';
    assert.equal(builder.options.interface, 'eth0');
  });

  it('refuses options that are no object', () => {
    for (const options of ['eth0', null, ['eth0']])
      assert.throws(() => new CaptureSetters(options as unknown as CaptureOptions), { kind: 'Config' });
  });
});

describe('options: what the native core takes', () => {
  it('resolves names to the numbers of the kernel', () => {
    const config = toNativeCaptureConfig(
      capture({
        timestampSource: 'raw-hardware',
        fanoutMode: 'queue-mapping',
        fanoutGroup: 9,
        fanoutFlags: ['rollover', 'defrag'],
        profile: 'balanced',
      }).settings,
    );
    assert.deepEqual(config, {
      interface: 'eth0',
      netns: '',
      netnsPath: '',
      blockSize: 262144,
      blockCount: 64,
      frameSize: 2048,
      snapLen: 0,
      blockTimeoutMs: 10,
      immediate: false,
      fillRxhash: true,
      promiscuous: false,
      ignoreOutgoing: false,
      busyPollUs: 0,
      reuseport: false,
      rcvbuf: 0,
      rcvbufForce: false,
      timestampFlags: 64,
      fanout: 0x9005,
      fanoutGroup: 9,
      filter: new Uint8Array(0),
      maxBufferedBytes: 268435456,
    });
  });

  const fanoutOf = (options: object): number => toNativeCaptureConfig(capture(options).settings).fanout;

  it('numbers the fanout modes and flags as linux/if_packet.h does', () => {
    assert.equal(fanoutOf({}), -1);
    const modes = ['hash', 'load-balance', 'cpu', 'rollover', 'random', 'queue-mapping', 'ebpf'].map((fanoutMode) =>
      fanoutOf({ fanoutMode }),
    );
    assert.deepEqual(modes, [0, 1, 2, 3, 4, 5, 7]);
    const flags = ['rollover', 'unique-id', 'ignore-outgoing', 'defrag'].map((flag) =>
      fanoutOf({ fanoutMode: 'hash', fanoutFlags: [flag] }),
    );
    assert.deepEqual(flags, [0x1000, 0x2000, 0x4000, 0x8000]);
    assert.equal(fanoutOf({ fanoutMode: 'hash', fanoutFlags: ['defrag', 'defrag'] }), 0x8000);
  });

  it('numbers the clocks as linux/net_tstamp.h does', () => {
    const flags = ['software', 'raw-hardware', 'sys-hardware'].map(
      (timestampSource) => toNativeCaptureConfig(capture({ timestampSource }).settings).timestampFlags,
    );
    assert.deepEqual(flags, [0, 64, 32]);
  });

  it('RX-15 puts snapLen into the filter, which alone truncates', () => {
    const filterOf = (options: object): number[] => [
      ...new Uint32Array(toNativeCaptureConfig(capture(options).settings).filter.slice().buffer),
    ];
    assert.deepEqual(filterOf({ snapLen: 96 }), [6, 96]);
    assert.deepEqual(filterOf({ snapLen: 96, filter: '2,6 0 0 262144,6 0 0 0' }), [6, 96, 6, 0]);
    assert.deepEqual(filterOf({ filter: '1,6 0 0 262144' }), [6, 262144]);
  });

  it('passes on the settings of an injector', () => {
    assert.deepEqual(toNativeInjectorConfig(injector({ qdiscBypass: true }).settings), {
      interface: 'eth0',
      netns: '',
      netnsPath: '',
      frameSize: 2048,
      frameCount: 256,
      qdiscBypass: true,
    });
  });

  it('finds network namespaces by name, path and process id', () => {
    const pathOf = (netns: string | number): string => toNativeInjectorConfig(injector({ netns }).settings).netnsPath;
    assert.deepEqual(['blue', 'a.b', '-1', '/var/run/docker/netns/x', 1234, '1234'].map(pathOf), [
      '/run/netns/blue',
      '/run/netns/a.b',
      '/run/netns/-1',
      '/var/run/docker/netns/x',
      '/proc/1234/ns/net',
      '/proc/1234/ns/net',
    ]);
  });
});
