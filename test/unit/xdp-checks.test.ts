import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { NetringError } from '../../src/errors/errors';
import { resolveXdp } from '../../src/options/validate';
import { assertFits, assertShareable, explainRefusal, withSharedSizes, type SharedUmem } from '../../src/xdp/xdp-checks';
import type { XdpSettings } from '../../src/options/generated/builders';

const { errno } = constants;
const settings = (options: object = {}): XdpSettings => resolveXdp({ interface: 'eth0', filter: '1,6 0 0 4', ...options }, 4096).settings;
const refuses = (check: () => void, option: string, text: string): void =>
  assert.throws(check, { kind: 'Config', option, message: `invalid configuration: ${text}` });

describe('xdp: checks before opening', () => {
  const eth0 = { name: 'eth0', mtu: 1500, queues: 4 };

  it('knows the queues of the interface', () => {
    assertFits(settings({ queueId: 3 }), eth0);
    assertFits(settings({ queueId: 'all' }), eth0);
    refuses(() => assertFits(settings({ queueId: 4 }), eth0), 'queueId', 'queueId 4 is out of range: eth0 has 4 queues (0 to 3)');
    refuses(
      () => assertFits(settings({ queueId: 1 }), { ...eth0, queues: 1 }),
      'queueId',
      'queueId 1 is out of range: eth0 has 1 queue (0)',
    );
  });

  it('leaves queues that only send, of which there may be more, to the kernel', () => {
    assertFits(settings({ queueId: 9, mode: 'tx', filter: null }), { ...eth0, mtu: 9000 });
  });

  it('wants chunks that hold the frames of the link', () => {
    assertFits(settings({ frameSize: 2048 }), { ...eth0, mtu: 1774 });
    assertFits(settings({ frameSize: 4096 }), { ...eth0, mtu: 3822 });
    refuses(
      () => assertFits(settings({ frameSize: 2048 }), { ...eth0, mtu: 1775 }),
      'frameSize',
      'frameSize 2048 has 1792 bytes for a received frame, and with MTU 1775 eth0 has frames of up to 1793: take 4096',
    );
    refuses(
      () => assertFits(settings({ frameSize: 4096 }), { ...eth0, mtu: 9000 }),
      'frameSize',
      'frameSize 4096 has 3840 bytes for a received frame, and with MTU 9000 eth0 has frames of up to 9018: lower the MTU',
    );
  });
});

describe('xdp: shared memory', () => {
  const shared = (own: object = {}, state: object = {}): SharedUmem => ({
    closed: false,
    sends: true,
    interface: 'eth0',
    settings: settings(own),
    ...state,
  });

  it('is for one queue of one interface', () => {
    assertShareable(settings({ queueId: 2, mode: 'tx' }), shared({ queueId: 2 }));
    const rule = 'sockets share memory on one queue of one interface';
    for (const [own, other, text] of [
      [{ interface: 'eth1' }, shared(), `sharedUmem is bound to eth0, but interface is "eth1": ${rule}`],
      [{ queueId: 1 }, shared(), `sharedUmem is bound to queue 0, but queueId is 1: ${rule}`],
      [{ queueId: 'all' }, shared(), `sharedUmem with queueId "all": ${rule}`],
      [{}, shared({ queueId: 'all' }), `sharedUmem with queueId "all": ${rule}`],
      [{}, shared({}, { closed: true }), 'sharedUmem is closed: a socket shares its memory while it is open'],
      [
        {},
        shared(),
        'sharedUmem with mode "rxtx": frames come to the socket whose memory it is, the one that shares it only sends (mode tx)',
      ],
      [
        { mode: 'tx' },
        shared({}, { sends: false }),
        'sharedUmem is a socket without frames to send from: open it with mode rxtx, or custom with a smaller prefill',
      ],
      [{ mode: 'tx' }, shared({ frameCount: 64 }), 'sharedUmem has frameCount 64, but frameCount is 4096: the memory is one'],
      [
        { mode: 'tx' },
        shared({ frameSize: 2048 }),
        'sharedUmem has frameSize 2048, but frameSize is 4096: shared memory has chunks of one size',
      ],
    ] as const)
      refuses(() => assertShareable(settings(own), other), 'sharedUmem', text);
  });

  it('gives its sizes to options that leave them out', () => {
    const small = shared({ frameSize: 2048, frameCount: 64 });
    assert.deepEqual(withSharedSizes({ interface: 'eth0' }, small), { interface: 'eth0', mode: 'tx', frameSize: 2048, frameCount: 64 });
    assert.equal(withSharedSizes({ frameCount: 32 }, small).frameCount, 32);
  });
});

describe('xdp: refusals', () => {
  const native = (number: number, step: string): NetringError => NetringError.fromNative({ errno: number, step, interface: 'eth0' });
  const explained = (number: number, step: string, options: object = {}): NetringError =>
    explainRefusal(native(number, step), settings(options), 4) as NetringError;

  it('have the kinds of their steps', () => {
    for (const [number, step, kind, message] of [
      [errno.EPERM, 'BPF_PROG_LOAD', 'PermissionDenied', 'insufficient privileges (need CAP_BPF and CAP_NET_ADMIN)'],
      [errno.EPERM, 'BPF_MAP_CREATE', 'PermissionDenied', 'insufficient privileges (need CAP_BPF and CAP_NET_ADMIN)'],
      [errno.EPERM, 'BPF_LINK_CREATE', 'PermissionDenied', 'insufficient privileges (need CAP_BPF and CAP_NET_ADMIN)'],
      [errno.EPERM, 'socket', 'PermissionDenied', 'insufficient privileges (need CAP_NET_RAW)'],
      [errno.EACCES, 'BPF_PROG_LOAD', 'Io', 'bpf(BPF_PROG_LOAD) failed on eth0: EACCES'],
      [errno.ENOENT, 'BPF_OBJ_GET', 'Io', 'bpf(BPF_OBJ_GET) failed on eth0: ENOENT'],
      [errno.EBUSY, 'BPF_LINK_CREATE', 'Bind', 'another XDP program is attached on eth0: EBUSY'],
      [errno.EEXIST, 'BPF_LINK_CREATE', 'Bind', 'another XDP program is attached on eth0: EEXIST'],
      [errno.ERANGE, 'BPF_LINK_CREATE', 'Bind', 'attaching the XDP program failed on eth0: ERANGE'],
      [errno.EBUSY, 'bind', 'Bind', 'bind failed on eth0: EBUSY'],
      [errno.ENOBUFS, 'XDP_UMEM_REG', 'SockOpt', 'setsockopt(XDP_UMEM_REG) failed on eth0: ENOBUFS'],
      [errno.EINVAL, 'queueId', 'Config', 'invalid configuration: queueId is no queue that eth0 can send on'],
      [
        errno.EOPNOTSUPP,
        'ancillary load in a filter for XDP',
        'Config',
        'invalid configuration: filter has a load of ancillary data that a program for XDP cannot do',
      ],
    ] as const) {
      const error = native(number, step);
      assert.deepEqual([error.kind, error.message], [kind, message]);
    }
    assert.equal(native(errno.EINVAL, 'queueId').option, 'queueId');
  });

  it('say what only the opener knows', () => {
    const memory = explained(errno.ENOBUFS, 'XDP_UMEM_REG');
    assert.equal(
      memory.message,
      'setsockopt(XDP_UMEM_REG) failed on eth0: ENOBUFS: 16777216 bytes (frameSize 4096 x frameCount 4096) were asked for',
    );
    assert.deepEqual([memory.kind, memory.code, memory.option, memory.interface], ['SockOpt', 'ENOBUFS', 'XDP_UMEM_REG', 'eth0']);
    assert.match(memory.hint, /^raise the limit of locked memory\n/);
    assert.match(explained(errno.ENOMEM, 'XDP_UMEM_REG', { queueId: 'all' }).message, /for each of 4 queues were asked for$/);
    assert.match(explained(errno.EBUSY, 'bind', { queueId: 3 }).message, /: another socket is bound to queue 3$/);
    assert.match(explained(errno.EBUSY, 'bind', { queueId: 'all' }).message, /one of its queues$/);
    assert.match(explained(errno.EOPNOTSUPP, 'bind', { bindMode: 'zerocopy' }).message, /no zero-copy here/);
    assert.equal(explained(errno.EOPNOTSUPP, 'bind').message, 'bind failed on eth0: ENOTSUP');
    const family = explained(errno.EAFNOSUPPORT, 'socket');
    assert.deepEqual([family.kind, family.syscall], ['Socket', 'socket']);
    assert.match(family.hint, /^AF_XDP/);
  });

  it('leave other errors alone', () => {
    const other = new TypeError('x');
    assert.equal(explainRefusal(other, settings(), 1), other);
    const bind = native(errno.ENODEV, 'bind');
    assert.equal(explainRefusal(bind, settings(), 1), bind);
  });
});
