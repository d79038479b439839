import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { NetringError } from '@netring/node-red';
import { checkProgram } from '../../src/capture/ebpf';

const { errno } = constants;

describe('eBPF programs for packet sockets', () => {
  it('are descriptors or paths', () => {
    for (const program of [0, 7, 0x7fff_ffff, '/sys/fs/bpf/program', 'relative']) assert.equal(checkProgram(program), program);
    for (const program of [-1, 1.5, NaN, 0x8000_0000, '', 'a\0b']) assert.throws(() => checkProgram(program), RangeError);
    for (const program of [null, undefined, {}, 7n, true]) assert.throws(() => checkProgram(program), TypeError);
  });

  it('are named in refusals', () => {
    for (const [number, step, detail, kind, message, place] of [
      [
        errno.EINVAL,
        'SO_ATTACH_BPF',
        'descriptor 9',
        'SockOpt',
        'setsockopt(SO_ATTACH_BPF) failed on eth0: EINVAL (descriptor 9)',
        'SO_ATTACH_BPF',
      ],
      [
        errno.EINVAL,
        'PACKET_FANOUT_DATA',
        '/x',
        'SockOpt',
        'setsockopt(PACKET_FANOUT_DATA) failed on eth0: EINVAL (/x)',
        'PACKET_FANOUT_DATA',
      ],
      [errno.ENOENT, 'BPF_OBJ_GET of a program', '/x', 'Io', 'bpf(BPF_OBJ_GET) failed on eth0: ENOENT (/x)', 'BPF_OBJ_GET'],
      [
        errno.EPERM,
        'BPF_OBJ_GET of a program',
        '/x',
        'PermissionDenied',
        'insufficient privileges (need CAP_BPF to open a pinned program before Linux 5.19) (/x)',
        'BPF_OBJ_GET',
      ],
    ] as const) {
      const error = NetringError.fromNative({ errno: number, step, interface: 'eth0', detail });
      assert.deepEqual([error.kind, error.message, error.option ?? error.syscall], [kind, message, place]);
      assert.notEqual(error.hint, '');
    }
  });
});
