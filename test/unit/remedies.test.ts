import assert from 'node:assert/strict';
import { environmentFacts, environmentKind, remedyFor, type EnvironmentFacts, type EnvironmentSources } from '../../src/remedies';

const NET_ADMIN = 1n << 12n;
const NET_RAW = 1n << 13n;

function sources(parts: { env?: NodeJS.ProcessEnv; files?: Record<string, string> }): EnvironmentSources {
  const files = parts.files ?? {};
  return { env: parts.env ?? {}, exists: (path) => path in files, read: (path) => files[path] ?? '' };
}

function facts(parts: Partial<EnvironmentFacts>): EnvironmentFacts {
  return { kind: 'shell', unit: '', effective: 0n, bounding: ~0n, noNewPrivileges: false, executable: '/opt/node/bin/node', ...parts };
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
    ];
    for (const [code, step, text] of cases) {
      const remedy = remedyFor(code, step, facts({}));
      assert.match(remedy, text);
      assert.ok(remedy.split('\n')[0]!.length <= 40, `${code} ${step}: ${remedy.split('\n')[0]}`);
    }
    const unit = remedyFor('EAFNOSUPPORT', 'netlink', facts({ kind: 'systemd', unit: 'a.service' }));
    assert.match(unit, /RestrictAddressFamilies=.*AF_NETLINK/);
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
