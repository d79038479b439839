import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { environmentFacts, environmentKind, remedyFor, type EnvironmentFacts, type EnvironmentSources } from '../../src/errors/remedies';

const NET_ADMIN = 1n << 12n;
const NET_RAW = 1n << 13n;
const BPF = 1n << 39n;

function sources(parts: { env?: NodeJS.ProcessEnv; files?: Record<string, string> }): EnvironmentSources {
  const files = parts.files ?? {};
  return { env: parts.env ?? {}, exists: (path) => path in files, read: (path) => files[path] ?? '' };
}

function facts(parts: Partial<EnvironmentFacts>): EnvironmentFacts {
  const plain = { unit: '', effective: 0n, bounding: ~0n, noNewPrivileges: false, executable: '/opt/node/bin/node', filterBytes: 131_072 };
  return { kind: 'shell', ...plain, ...parts };
}

const inUnit = { '/proc/self/cgroup': '0::/system.slice/nodered.service\n' };

describe('remedies', () => {
  describe('where the process runs', () => {
    it('knows Home Assistant, Kubernetes and Docker, the most specific first', () => {
      const files = { '/.dockerenv': '' };
      assert.equal(environmentKind(sources({ env: { SUPERVISOR_TOKEN: 'x', KUBERNETES_SERVICE_HOST: 'y' }, files })), 'home-assistant');
      assert.equal(environmentKind(sources({ env: { KUBERNETES_SERVICE_HOST: 'y' }, files })), 'kubernetes');
      assert.equal(environmentKind(sources({ files })), 'docker');
      assert.equal(environmentKind(sources({ files: { '/run/.containerenv': '' } })), 'docker');
    });

    it('takes a system service for systemd, with its unit', () => {
      const service = sources({ env: { INVOCATION_ID: 'abc' }, files: inUnit });
      assert.equal(environmentKind(service), 'systemd');
      assert.equal(environmentFacts(service).unit, 'nodered.service');
    });

    it('takes a desktop terminal, which inherits INVOCATION_ID, for a shell', () => {
      const cgroup = '0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-terminal.scope\n';
      assert.equal(environmentKind(sources({ env: { INVOCATION_ID: 'abc' }, files: { '/proc/self/cgroup': cgroup } })), 'shell');
      assert.equal(environmentKind(sources({ files: inUnit })), 'shell');
    });

    it('reads the capability sets', () => {
      const status = 'Name:\tnode\nCapInh:\t0000000000000000\nCapEff:\t0000000000003000\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\n';
      const read = environmentFacts(sources({ files: { '/proc/self/status': status } }));
      assert.equal(read.effective, NET_ADMIN | NET_RAW);
      assert.equal(read.bounding, 0xa80425fbn);
      assert.equal(read.noNewPrivileges, true);
    });

    it('does without /proc', () => {
      const read = environmentFacts(sources({}));
      assert.equal(read.effective, 0n);
      assert.equal(read.bounding & NET_RAW, NET_RAW);
      assert.equal(read.noNewPrivileges, false);
    });
  });

  describe('permission', () => {
    it('to enter a network namespace', () => {
      assert.match(remedyFor('EPERM', 'setns', facts({})), /^needs CAP_SYS_ADMIN\n.*setcap cap_net_raw,cap_sys_admin\+ep /);
      assert.match(remedyFor('EPERM', 'setns', facts({ kind: 'docker', bounding: 0n })), / --cap-add SYS_ADMIN /);
      assert.match(remedyFor('ENOENT', 'netns'), /^no such network namespace\n/);
      assert.match(remedyFor('EACCES', 'netns'), /^no access to the network namespace\n/);
    });

    it('says in a first line that fits a status what is missing', () => {
      for (const kind of ['home-assistant', 'kubernetes', 'docker', 'systemd', 'shell'] as const) {
        const [first, ...rest] = remedyFor('EPERM', 'socket', facts({ kind, unit: 'nodered.service' })).split('\n');
        assert.equal(first, 'needs CAP_NET_RAW');
        assert.ok(rest.length > 0, kind);
      }
      assert.match(remedyFor('EPERM', 'SO_RCVBUFFORCE', facts({})), /^needs CAP_NET_ADMIN\n/);
    });

    it('systemd: a drop-in for this unit', () => {
      const text = remedyFor('EPERM', 'socket', facts({ kind: 'systemd', unit: 'nodered.service' }));
      assert.match(text, /systemctl edit nodered\.service/);
      assert.match(text, /^ {2}AmbientCapabilities=CAP_NET_RAW$/m);
      assert.doesNotMatch(text, /docker|setcap/i);
      const bounded = remedyFor('EPERM', 'socket', facts({ kind: 'systemd', unit: 'nodered.service', bounding: 0n }));
      assert.match(bounded, /^ {2}CapabilityBoundingSet=CAP_NET_RAW$/m);
    });

    it('Docker: the option that is missing, and a derived image only where one works', () => {
      const usual = remedyFor('EPERM', 'socket', facts({ kind: 'docker' }));
      assert.match(usual, /--network host --user root \.\.\./);
      assert.match(usual, /setcap cap_net_raw\+ep/);
      assert.match(remedyFor('EPERM', 'socket', facts({ kind: 'docker', bounding: 0n })), /--user root --cap-add NET_RAW/);
      const locked = remedyFor('EACCES', 'socket', facts({ kind: 'docker', noNewPrivileges: true }));
      assert.doesNotMatch(locked, /RUN apk/);
      assert.match(locked, /no-new-privileges/);
    });

    it('shell: setcap on this binary, with what it costs', () => {
      const text = remedyFor('EPERM', 'socket', facts({}));
      assert.match(text, /sudo setcap cap_net_raw\+ep \/opt\/node\/bin\/node/);
      assert.match(text, /NODE_OPTIONS/);
      assert.match(remedyFor('EPERM', 'SO_BUSY_POLL', facts({})), /setcap cap_net_raw,cap_net_admin\+ep/);
      assert.doesNotMatch(remedyFor('EPERM', 'socket', facts({ noNewPrivileges: true })), /setcap/);
    });

    it('does not advise to give what the process has', () => {
      const text = remedyFor('EPERM', 'socket', facts({ kind: 'docker', effective: NET_RAW }));
      assert.match(text, /user namespace/);
      assert.doesNotMatch(text, /docker run/);
    });

    it('XDP programs: both capabilities, and what the socket needs beside', () => {
      assert.match(remedyFor('EPERM', 'BPF_PROG_LOAD', facts({})), /^needs CAP_BPF and CAP_NET_ADMIN\n/);
      assert.match(remedyFor('EPERM', 'BPF_LINK_CREATE', facts({})), /setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon\+ep/);
      const unit = remedyFor('EPERM', 'BPF_MAP_CREATE', facts({ kind: 'systemd', unit: 'a.service', bounding: NET_RAW | NET_ADMIN }));
      assert.match(unit, /^ {2}AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_PERFMON$/m);
      assert.match(unit, /^ {2}CapabilityBoundingSet=/m);
      assert.match(remedyFor('EPERM', 'BPF_PROG_LOAD', facts({ kind: 'docker', bounding: 0n })), /--cap-add BPF --cap-add NET_ADMIN/);
      assert.match(remedyFor('EPERM', 'BPF_PROG_LOAD', facts({ kind: 'kubernetes' })), /add: \[NET_RAW, NET_ADMIN, BPF, PERFMON\]/);
      assert.match(remedyFor('EPERM', 'BPF_PROG_LOAD', facts({ kind: 'home-assistant' })), /has BPF, NET_ADMIN and/);
      assert.doesNotMatch(remedyFor('EPERM', 'BPF_PROG_LOAD', facts({ effective: NET_ADMIN })), /refused all the same/);
      assert.match(remedyFor('EPERM', 'BPF_MAP_CREATE', facts({ effective: NET_ADMIN | BPF })), /refused all the same[^]*locked memory/);
    });

    it('a filter that moves pointers: CAP_PERFMON, where it is missing', () => {
      assert.match(remedyFor('EACCES', 'BPF_PROG_LOAD', facts({})), /^needs CAP_PERFMON\n/);
      assert.equal(remedyFor('EACCES', 'BPF_PROG_LOAD', facts({ effective: 1n << 38n })), '');
      assert.equal(remedyFor('EACCES', 'BPF_PROG_LOAD', facts({ effective: 1n << 21n })), '');
    });

    it('a filter that is too long for the kernel: more than it may take now', () => {
      const text = remedyFor('ENOMEM', 'SO_ATTACH_FILTER', facts({}));
      assert.match(
        text,
        /^the filter is too long for the kernel\n.*\(131072 in the network namespace of this process\).*sysctl net\.core\.optmem_max=1048576/,
      );
      assert.match(remedyFor('ENOMEM', 'SO_ATTACH_FILTER', facts({ filterBytes: 1 << 20 })), /optmem_max=4194304/);
      assert.equal(environmentFacts().filterBytes, Number(readFileSync('/proc/sys/net/core/optmem_max', 'utf8')));
    });

    it('says nothing of capabilities where they are not the cause', () => {
      assert.equal(remedyFor('EPERM', 'netlink', facts({})), '');
      assert.equal(remedyFor('EACCES', 'mmap', facts({})), '');
    });
  });

  it('has a short first line for every other remedy', () => {
    const cases: [string, string, RegExp][] = [
      ['ENOMEM', 'PACKET_RX_RING', /smaller ring/],
      ['ENOMEM', 'mmap', /smaller ring/],
      ['ENOMEM', 'SO_ATTACH_FILTER', /optmem_max/],
      ['ENOBUFS', 'sendmmsg', /txqueuelen/],
      ['EINVAL', 'PACKET_FANOUT', /another fanoutGroup/],
      ['ENOSPC', 'PACKET_FANOUT', /another fanoutGroup/],
      ['EMFILE', 'socket', /ulimit -n/],
      ['EAFNOSUPPORT', 'socket', /AF_PACKET/],
      ['EAFNOSUPPORT', 'AF_XDP', /AF_XDP/],
      ['ENOBUFS', 'XDP_UMEM_REG', /locked memory/],
      ['ENOMEM', 'XDP_UMEM_REG', /smaller frameCount/],
      ['EBUSY', 'bind', /another socket is bound/],
      ['ENOTSUP', 'bind', /bindMode auto or copy/],
      ['EBUSY', 'BPF_LINK_CREATE', /another XDP program[^]*left alone[^]*bpftool net[^]*attach none[^]*mapPin/],
      ['EEXIST', 'BPF_LINK_CREATE', /another XDP program/],
      ['ERANGE', 'BPF_LINK_CREATE', /lower the MTU/],
      ['ENOTSUP', 'BPF_LINK_CREATE', /attach auto or skb/],
      ['ENOSPC', 'BPF_LINK_CREATE', /as many receive queues/],
      ['ENOENT', 'BPF_OBJ_GET', /nothing is pinned/],
      ['EACCES', 'BPF_OBJ_GET', /no access to mapPin/],
      ['EINVAL', 'BPF_OBJ_GET', /no XSKMAP/],
      ['ENOENT', 'BPF_OBJ_GET of a program', /nothing is pinned at the path\n.*type socket/],
      ['EACCES', 'BPF_OBJ_GET of a program', /cannot be opened/],
      ['EINVAL', 'SO_ATTACH_BPF', /as a socket filter/],
      ['EBADF', 'SO_ATTACH_BPF', /descriptor of a program/],
      ['EPERM', 'SO_ATTACH_BPF', /filter is locked/],
      ['EINVAL', 'PACKET_FANOUT_DATA', /as a socket filter/],
      ['EBADF', 'PACKET_FANOUT_DATA', /descriptor of a program/],
      ['E2BIG', 'BPF_MAP_UPDATE_ELEM', /max_entries/],
    ];
    for (const [code, step, text] of cases) {
      const remedy = remedyFor(code, step, facts({}));
      assert.match(remedy, text);
      assert.ok(remedy.split('\n')[0]!.length <= 40, `${code} ${step}: ${remedy.split('\n')[0]}`);
    }
    const unit = remedyFor('EAFNOSUPPORT', 'netlink', facts({ kind: 'systemd', unit: 'a.service' }));
    assert.match(unit, /RestrictAddressFamilies=.*AF_NETLINK$/m);
    const xdp = remedyFor('EAFNOSUPPORT', 'AF_XDP', facts({ kind: 'systemd', unit: 'a.service' }));
    assert.match(xdp, /RestrictAddressFamilies=.*AF_PACKET AF_NETLINK AF_XDP$/m);
  });

  it('locked memory: the limit, for where the process runs', () => {
    const of = (kind: EnvironmentFacts['kind']): string => remedyFor('ENOBUFS', 'XDP_UMEM_REG', facts({ kind, unit: 'a.service' }));
    assert.match(of('systemd'), /^ {2}LimitMEMLOCK=infinity$/m);
    assert.match(of('docker'), /--ulimit memlock=-1.*--cap-add IPC_LOCK/);
    assert.match(of('kubernetes'), /IPC_LOCK/);
    assert.match(of('home-assistant'), /IPC_LOCK/);
    assert.match(of('shell'), /ulimit -l unlimited.*cap_ipc_lock/);
    for (const kind of ['systemd', 'docker', 'kubernetes', 'home-assistant', 'shell'] as const) assert.match(of(kind), /frameCount/);
  });

  it('is empty when there is nothing useful to say', () => {
    assert.equal(remedyFor('EIO', 'sendmmsg', facts({})), '');
    assert.equal(remedyFor('EINVAL', 'bind', facts({})), '');
    assert.equal(remedyFor('ENOBUFS', 'PACKET_ADD_MEMBERSHIP', facts({})), '');
  });

  it('reads the facts of this process by itself', () => {
    assert.match(remedyFor('EPERM', 'socket'), /^needs CAP_NET_RAW\n/);
  });
});
