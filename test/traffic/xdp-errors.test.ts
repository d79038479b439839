import assert from 'node:assert/strict';
import { XdpSocket, type NetringError, type XdpOptions } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { needsXdp } from '../support/skip';
import { output } from '../support/process';
import { MODES, program, UDP_BEHIND_OPTIONS, xdp } from './xdp';

for (const attach of MODES) {
  describe(`XDP errors (${attach})`, () => {
    before(function () {
      needsXdp(this);
    });
    const lab = new Lab();
    let wire: Wire;
    beforeEach(async () => (wire = await lab.wire({ link: ['numrxqueues', '2', 'numtxqueues', '2'] })));
    afterEach(() => lab.close());

    const failure = (options: XdpOptions): NetringError => {
      try {
        XdpSocket.builder({ frameCount: 64, attach, ...options })
          .build()
          .close();
      } catch (error) {
        return error as NetringError;
      }
      return assert.fail('it opened');
    };

    /** The error of a socket that a process opens which the words before it have deprived of something. */
    const deprived = (words: readonly string[], options: XdpOptions): { kind: string; code: string; message: string; hint: string } => {
      const script = `const {XdpSocket}=require('@netring/node-red');
      try { XdpSocket.builder(${JSON.stringify({ attach, ...options })}).build(); console.log('{}'); }
      catch (e) { console.log(JSON.stringify({kind:e.kind,code:e.code,message:e.message,hint:e.hint})); }`;
      const [command, ...args] = [...words, process.execPath, '-e', script];
      return JSON.parse(output(command ?? '', args)) as ReturnType<typeof deprived>;
    };

    it('XS-27 a queue out of range is named with the queues there are', () => {
      const error = failure({ interface: wire.a, queueId: 2 });
      assert.equal(error.kind, 'Config');
      assert.match(error.message, new RegExp(`queueId 2.*${wire.a} has 2 queues \\(0 to 1\\)`));
    });

    it('a queue on which nothing can be sent', async () => {
      const { a } = await lab.wire({ link: ['numrxqueues', '2', 'numtxqueues', '1'] });
      for (const mode of ['tx', 'rxtx'] as const) {
        const error = failure({ interface: a, queueId: 1, mode });
        assert.equal(error.kind, 'Config');
        assert.equal(error.option, 'queueId');
      }
      xdp(lab, { interface: a, queueId: 1, mode: 'rx', attach });
    });

    it('a busy queue', () => {
      xdp(lab, { interface: wire.a, attach });
      const error = failure({ interface: wire.a, attach });
      assert.equal(error.kind, 'Bind');
      assert.equal(error.code, 'EBUSY');
      assert.match(error.hint, /queue/);
      assert.notEqual(program(wire.a), null);
    });

    it('XS-26 what the kernel would refuse of a UMEM is refused before', () => {
      for (const frameSize of [1024, 3072, 8192]) {
        const error = failure({ interface: wire.a, frameSize });
        assert.equal(error.kind, 'Config');
        assert.match(error.message, new RegExp(`frameSize ${frameSize}.*2048.*4096`));
      }
    });

    it('XS-25 zero-copy where there is none, and an MTU that no chunk holds', () => {
      const error = failure({ interface: wire.a, bindMode: 'zerocopy' });
      assert.equal(error.code, 'ENOTSUP');
      assert.match(error.hint, /copy/);
      lab.ip(`link set ${wire.a} mtu 2000`);
      const small = failure({ interface: wire.a, frameSize: 2048 });
      assert.equal(small.kind, 'Config');
      assert.match(small.message, /frameSize 2048.*2000/);
      xdp(lab, { interface: wire.a, frameSize: 4096, frameCount: 64 }).close();
      lab.ip(`link set ${wire.a} mtu 9000`);
      const large = failure({ interface: wire.a, frameSize: 4096 });
      assert.equal(large.kind, 'Config');
      assert.match(large.message, /9000/);
      // Sending alone wants no room for what is received.
      xdp(lab, { interface: wire.a, mode: 'tx', frameSize: 2048, frameCount: 64 }).close();
      assert.equal(program(wire.a), null);
    });

    it('no such interface, nothing attached', () => {
      assert.equal(failure({ interface: 'nothere0' }).kind, 'InterfaceNotFound');
    });

    it('XS-21 without the capabilities: each is named', () => {
      const noRaw = deprived(['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw'], { interface: wire.a });
      assert.equal(noRaw.kind, 'PermissionDenied');
      assert.match(noRaw.hint + noRaw.message, /CAP_NET_RAW/);
      const noBpf = deprived(['setpriv', '--bounding-set', '-bpf,-sys_admin', '--inh-caps', '-bpf,-sys_admin'], { interface: wire.a });
      assert.equal(noBpf.kind, 'PermissionDenied');
      assert.match(noBpf.hint + noBpf.message, /CAP_BPF/);
      const noPerfmon = deprived(['setpriv', '--bounding-set', '-perfmon,-sys_admin', '--inh-caps', '-perfmon,-sys_admin'], {
        interface: wire.a,
        filter: UDP_BEHIND_OPTIONS,
      });
      assert.match(noPerfmon.hint, /CAP_PERFMON/);
      assert.equal(program(wire.a), null);
    });

    it('XS-28 a UMEM over the memory lock limit', () => {
      const error = deprived(
        ['setpriv', '--bounding-set', '-ipc_lock', '--inh-caps', '-ipc_lock', 'prlimit', '--memlock=1048576:1048576'],
        {
          interface: wire.a,
          frameSize: 2048,
          frameCount: 2048,
        },
      );
      assert.equal(error.code, 'ENOBUFS');
      assert.match(error.message, /4194304 bytes \(frameSize 2048 x frameCount 2048\)/);
      assert.match(error.hint, /memlock/i);
      assert.equal(program(wire.a), null);
    });

    it('the panel’s UMEM fits the default memory lock limit of 8 MiB', () => {
      const opened = deprived(
        ['setpriv', '--bounding-set', '-ipc_lock', '--inh-caps', '-ipc_lock', 'prlimit', '--memlock=8388608:8388608'],
        {
          interface: wire.a,
          frameSize: 2048,
          frameCount: 2048,
        },
      );
      assert.deepEqual(opened, {});
    });

    it('sharedUmem: another queue or interface is refused; on the same queue both send', () => {
      const primary = xdp(lab, { interface: wire.a, attach });
      for (const options of [
        { interface: wire.a, queueId: 1 },
        { interface: wire.b, queueId: 0 },
      ])
        assert.throws(() => XdpSocket.builder(options).sharedUmem(primary).build(), { kind: 'Config', option: 'sharedUmem' });
      const second = XdpSocket.builder({ interface: wire.a }).sharedUmem(primary).build();
      assert.equal(second.sendBatch([Buffer.alloc(60)]), 1);
      assert.equal(primary.sendBatch([Buffer.alloc(60)]), 1);
      primary.waitDrained(1000);
      // What the second one could not send comes back to the first.
      lab.ip(`link set ${wire.b} down`);
      for (let i = 0; i < 3; i++) assert.equal(second.send(Buffer.alloc(60)), true);
      assert.equal(primary.availableSlots, primary.frameCount - 3);
      second.close();
      assert.equal(primary.availableSlots, primary.frameCount);
      assert.equal(primary.pendingCount, 0);
    });

    it('sharedUmem: the first one may close first', () => {
      const primary = xdp(lab, { interface: wire.a, attach });
      const second = XdpSocket.builder({ interface: wire.a }).sharedUmem(primary).build();
      lab.defer(() => second.close());
      primary.close();
      assert.equal(second.sendBatch([Buffer.alloc(60)]), 1);
      second.waitDrained(1000);
    });
  });
}
