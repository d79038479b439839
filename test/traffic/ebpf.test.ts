import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Capture, type AsyncCapture, type CaptureOptions, type EbpfProgram, type NetringError } from '@netring/node-red';
import { BpfPins, byteAt, byteOfFrameAt, onlyEtherType } from '../support/ebpf';
import { Lab, type Wire } from '../support/lab';
import { output } from '../support/process';
import { needsEbpf } from '../support/skip';
import { sendFrames } from '../support/witness';
import { asyncCapture, capture, collectPackets, frame, ONLY_88B5, ONLY_88B6, SMALL } from './rx';

const OTHERS = [0x0800, 0x0806, 0x86dd, 0x88b5, 0x88cc];

/** A program of eBPF is inherited by `script`, which is run by Node.js with its descriptor as FD. */
function withDescriptor(path: string, script: string): string {
  // 321 is bpf(2) of x64, 280 that of arm64; 7 is BPF_OBJ_GET.
  const launch = `import ctypes, os, platform, sys
path = ctypes.create_string_buffer(sys.argv[1].encode())
attr = (ctypes.c_uint64 * 2)(ctypes.addressof(path), 0)
fd = ctypes.CDLL(None, use_errno=True).syscall(280 if platform.machine() == 'aarch64' else 321, 7, attr, 16)
os.set_inheritable(fd, True)
os.execv(sys.argv[2], [sys.argv[2], '-e', 'const FD = %d; %s' % (fd, sys.argv[3])])`;
  return output('python3', ['-c', launch, path, process.execPath, script]);
}

describe('eBPF', () => {
  before(function () {
    needsEbpf(this);
  });
  const lab = new Lab();
  let wire: Wire;
  let pins: BpfPins;
  beforeEach(async () => {
    wire = await lab.wire();
    pins = new BpfPins(lab);
  });
  afterEach(() => lab.close());

  /** Frames of both kinds in turn, `count` of the wanted one. */
  const mixture = (name: string, etherType: number, count: number): { sent: Buffer[]; wanted: Buffer[] } => {
    const wanted = Array.from({ length: count }, (_, i) => frame(`${name} ${i}`, 60 + i, etherType));
    const others = OTHERS.filter((other) => other !== etherType);
    return { sent: wanted.flatMap((one, i) => [frame(`other ${i}`, 60, others[i % others.length]), one]), wanted };
  };
  const data = (packets: readonly { data: Buffer }[]): Buffer[] => packets.map((packet) => packet.data);

  describe('filters', () => {
    it('an attached program passes exactly what it should, detached all comes, replaced the next one rules', async () => {
      const rx = asyncCapture(lab, { interface: wire.a });
      const geometry = rx.geometry;
      for (const etherType of [0x88b6, 0x88b5, 0x88b6]) {
        await rx.attachEbpfFilter(pins.load(onlyEtherType(etherType)));
        const { sent, wanted } = mixture(etherType.toString(16), etherType, 100);
        await sendFrames(lab, wire.b, sent);
        assert.deepEqual(data(await collectPackets(rx, wanted.length)), wanted);
      }
      await rx.detachFilter();
      const all = mixture('all', 0x88b6, 20).sent;
      await sendFrames(lab, wire.b, all);
      assert.deepEqual(data(await collectPackets(rx, all.length)), all);
      assert.deepEqual(rx.geometry, geometry);
      assert.equal(rx.cumulativeStats().drops, 0);
      // The kernel counted none of the refused ones.
      assert.equal(rx.cumulativeStats().received, 300 + all.length);
      await assert.rejects(rx.recv({ signal: AbortSignal.timeout(50) }), 'nothing else came');
    });

    it('replacing keeps the ring and what is in it, and nothing is lost over it', async () => {
      const rx = asyncCapture(lab, { interface: wire.a, filter: ONLY_88B5, blockTimeoutMs: 100 });
      const before = Array.from({ length: 10 }, (_, i) => frame(`before ${i}`, 60, 0x88b5));
      const after = Array.from({ length: 10 }, (_, i) => frame(`after ${i}`, 60, 0x88b6));
      // The block that is being filled may still be judged by the classic program that was set last.
      await rx.setFilter(ONLY_88B5);
      await sendFrames(lab, wire.b, before);
      await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6)));
      await sendFrames(lab, wire.b, [...before, ...after]);
      assert.deepEqual(data(await collectPackets(rx, 20)), [...before, ...after]);
      assert.equal(rx.cumulativeStats().refiltered, 0);
    });

    for (const latency of ['block', 'immediate'] as const) {
      it(`what setFilter has refused stays refused when a program comes, with latency ${latency}`, async () => {
        const rx = capture(lab, { interface: wire.a, latency, blockTimeoutMs: 5 });
        const before = Array.from({ length: 10 }, (_, i) => frame(`before ${i}`, 60, 0x88b5));
        await sendFrames(lab, wire.b, before);
        await sleep(100);
        rx.setFilter(ONLY_88B6);
        rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6)));
        const after = frame('after', 60, 0x88b6);
        await sendFrames(lab, wire.b, [after]);
        const seen: Buffer[] = [];
        for (let batch; (batch = rx.nextBatchBlocking(200)) !== null;) seen.push(...[...batch].map((packet) => Buffer.from(packet.data)));
        assert.deepEqual(seen, [after]);
        assert.equal(rx.cumulativeStats().refiltered, 10);
      });
    }

    it('latency immediate: what a program cuts is no loss, and what is too long for a slot comes whole', async () => {
      const rx = asyncCapture(lab, { interface: wire.a, latency: 'immediate', frameSize: 256 });
      // As much as is left of a slot of 256 bytes behind its headers is what looks like a frame that the slot has cut.
      const sent = Array.from({ length: 3 }, (_, i) => frame(`long ${i}`, 1000, 0x88b6));
      for (let cut = 170; cut < 190; cut++) {
        await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6, cut)));
        await sendFrames(lab, wire.b, sent);
        const lengths = (await collectPackets(rx, sent.length)).map((packet) => packet.data.length);
        assert.ok(
          lengths.every((length) => length === cut || length === 1000),
          `${cut}: ${lengths.join()}`,
        );
      }
      assert.equal(rx.cumulativeStats().drops, 0);
    });

    it('a classic filter takes the place of a program, also for what is in the ring', async () => {
      const rx = asyncCapture(lab, { interface: wire.a, blockTimeoutMs: 100 });
      await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b5)));
      await sendFrames(lab, wire.b, [frame('old', 60, 0x88b5)]);
      await rx.setFilter(ONLY_88B6);
      await sendFrames(lab, wire.b, [frame('refused', 60, 0x88b5), frame('new')]);
      assert.deepEqual(data(await collectPackets(rx, 1)), [frame('new')]);
      assert.equal(rx.cumulativeStats().refiltered, 1);
    });

    it('the program says how much of a frame is kept, and snapLen still limits it', async () => {
      const rx = asyncCapture(lab, { interface: wire.a, snapLen: 100 });
      const lengths = async (): Promise<number[][]> => {
        await sendFrames(lab, wire.b, [frame('long', 500)]);
        return (await collectPackets(rx, 1)).map((packet) => [packet.length, packet.originalLength]);
      };
      await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6, 40)));
      assert.deepEqual(await lengths(), [[40, 500]]);
      await rx.attachEbpfFilter(pins.load(onlyEtherType(0x88b6)));
      assert.deepEqual(await lengths(), [[100, 500]]);
      await rx.detachFilter();
      assert.deepEqual(await lengths(), [[100, 500]]);
    });

    it('the program outlives its path and its descriptor', async () => {
      const rx = capture(lab, { interface: wire.a });
      const path = pins.load(onlyEtherType(0x88b6));
      rx.attachEbpfFilter(path);
      output('rm', [path]);
      await sendFrames(lab, wire.b, [frame('refused', 60, 0x88b5), frame('wanted')]);
      assert.deepEqual(data([...(rx.nextBatchBlocking(3000) ?? [])]), [frame('wanted')]);
      const [program] = (JSON.parse(output('bpftool', ['-j', 'prog', 'show'])) as { name?: string; type: string }[]).filter(
        ({ name }) => name === 'netring_test',
      );
      assert.equal(program?.type, 'socket_filter');
      rx.detachFilter();
      rx.detachFilter();
    });

    it('a program by descriptor, which may be closed afterwards', async () => {
      const path = pins.load(onlyEtherType(0x88b6));
      const text = withDescriptor(
        path,
        `const fs = require('fs'), { spawn } = require('child_process'), { Capture } = require('@netring/node-red');
         using_ = Capture.builder({ interface: '${wire.a}', profile: 'balanced' }).build();
         using_.attachEbpfFilter(FD); fs.closeSync(FD);
         const { Injector } = require('@netring/node-red');
         const tx = Injector.open('${wire.b}');
         tx.sendBatch(['${frame('no', 60, 0x88b5).toString('hex')}', '${frame('yes').toString('hex')}'].map((hex) => Buffer.from(hex, 'hex')));
         console.log([...using_.nextBatchBlocking(3000)].map((packet) => packet.data.toString('hex')).join());
         tx.close(); using_.close();`,
      );
      assert.equal(text.trim(), frame('yes').toString('hex'));
    });

    it('refusals name the program and the remedy, and leave the filter', async () => {
      const rx = capture(lab, { interface: wire.a, filter: ONLY_88B6 });
      const socket = pins.load(onlyEtherType(0x88b6));
      const xdp = pins.load([{ code: 0xb7, dst: 0, imm: 2 }, { code: 0x95 }], 'xdp');
      const map = `${pins.folder}/map`;
      output('bpftool', ['map', 'create', map, 'type', 'array', 'key', '4', 'value', '4', 'entries', '1', 'name', 'a_map']);
      const refusal = (program: EbpfProgram): NetringError => {
        try {
          rx.attachEbpfFilter(program);
        } catch (error) {
          return error as NetringError;
        }
        return assert.fail(`${program} was attached`);
      };
      for (const [program, kind, code, hint] of [
        [xdp, 'SockOpt', 'EINVAL', /^load the program as a socket filter\n.*type socket/],
        [map, 'SockOpt', 'EINVAL', /^load the program as a socket filter\n/],
        [`${socket}x`, 'Io', 'ENOENT', /^nothing is pinned at the path\n.*bpftool prog load/],
        ['/dev/null', 'Io', 'EACCES', /^the path cannot be opened\n/],
        [rx.fd, 'SockOpt', 'EINVAL', /^load the program as a socket filter\n/],
        [99_999, 'SockOpt', 'EBADF', /^give the descriptor of a program\n/],
      ] as const) {
        const error = refusal(program);
        const named = typeof program === 'number' ? `descriptor ${program}` : program;
        assert.deepEqual([error.name, error.kind, error.code, error.interface], ['NetringError', kind, code, wire.a], named);
        assert.ok(error.message.includes(`(${named})`) && error.message.includes(wire.a), error.message);
        assert.match(error.hint, hint);
      }
      assert.throws(() => rx.attachEbpfFilter(-1), RangeError);
      assert.throws(() => rx.attachEbpfFilter(''), RangeError);
      assert.throws(() => rx.attachEbpfFilter(null as unknown as string), TypeError);
      await sendFrames(lab, wire.b, [frame('refused', 60, 0x88b5), frame('wanted')]);
      assert.deepEqual(data([...(rx.nextBatchBlocking(3000) ?? [])]), [frame('wanted')]);
      rx.close();
      assert.throws(() => rx.attachEbpfFilter(socket), { code: 'ECANCELED' });
    });

    it('a path that the process may not open is refused as a matter of permission; a descriptor wants CAP_NET_RAW only', () => {
      const path = pins.load(onlyEtherType(0x88b6));
      const deprived = ['--bounding-set=-all,+net_raw', '--inh-caps=-all,+net_raw', process.execPath, '-e'];
      const open = `const { Capture } = require('@netring/node-red'); const rx = Capture.builder({ interface: '${wire.a}', profile: 'balanced' }).build();`;
      const byDescriptor = `require('child_process').execFileSync('setpriv', [...${JSON.stringify(deprived)}, "${open} rx.attachEbpfFilter(3); console.log('attached')"],
        { stdio: ['ignore', 'inherit', 'inherit', FD] });`;
      assert.equal(withDescriptor(path, byDescriptor).trim(), 'attached');
      output('chmod', ['000', path]);
      const text = output('setpriv', [
        ...deprived,
        `${open} try { rx.attachEbpfFilter('${path}'); console.log('{}'); }
         catch (e) { console.log(JSON.stringify({ code: e.code, message: e.message, hint: e.hint })); }`,
      ]);
      const { code, message, hint } = JSON.parse(text) as Partial<NetringError>;
      // Before Linux 5.19 bpf(2) as a whole wants CAP_BPF.
      assert.match(String(code), /^(EACCES|EPERM)$/);
      assert.ok(message?.includes(path), message);
      assert.match(String(hint), code === 'EPERM' ? /CAP_BPF/ : /permissions of the file/);
    });
  });

  describe('fanout', () => {
    let group = 6000;
    beforeEach(() => group++);
    const join = (options: Partial<CaptureOptions> = {}): AsyncCapture =>
      asyncCapture(lab, { interface: wire.a, ignoreOutgoing: true, fanoutMode: 'ebpf', fanoutGroup: group, ...options });
    /** A frame whose first byte of payload picks the member. */
    const forMember = (member: number, i: number): Buffer => frame(`${String.fromCharCode(member)} ${i}`);
    const received = async (...members: AsyncCapture[]): Promise<number[]> => {
      await sleep(50);
      return members.map((member) => member.cumulativeStats().received);
    };

    it('without a program the first member takes all; with one it picks the member, and the next one takes over', async () => {
      const members = [join(), join(), join()];
      await sendFrames(lab, wire.b, [forMember(1, 0), forMember(2, 0)]);
      assert.deepEqual(await received(...members), [2, 0, 0]);
      await members[2]!.attachFanoutEbpf(pins.load(byteAt(0)));
      const lists = [5, 10, 20].map((count, member) => Array.from({ length: count }, (_, i) => forMember(member, i + 1)));
      await sendFrames(lab, wire.b, lists.flat());
      const [first, ...others] = await Promise.all(
        members.map((member, i) => collectPackets(member, lists[i]!.length + (i === 0 ? 2 : 0))),
      );
      assert.deepEqual(data(first!).slice(2), lists[0]);
      assert.deepEqual(others.map(data), lists.slice(1));
      // The value counts modulo the number of members.
      await sendFrames(lab, wire.b, [forMember(4, 0)]);
      assert.deepEqual(await received(...members), [7, 11, 20]);
      await members[0]!.attachFanoutEbpf(pins.load(byteOfFrameAt(5)));
      await sendFrames(lab, wire.b, [forMember(1, 0), forMember(2, 0)]);
      assert.deepEqual(await received(...members), [9, 11, 20], 'the last byte of a broadcast address, 255, is 0 modulo 3');
    });

    it('an incoming frame is seen from its network header on, an outgoing one from its link-layer header', async () => {
      const members = [join({ ignoreOutgoing: false }), join({ ignoreOutgoing: false })];
      const both = async (list: readonly Buffer[]): Promise<number[]> => {
        const before = await received(...members);
        await sendFrames(lab, wire.a, list);
        await sendFrames(lab, wire.b, list);
        return (await received(...members)).map((count, i) => count - before[i]!);
      };
      const even = Buffer.from(frame('\0'));
      await members[0]!.attachFanoutEbpf(pins.load(byteAt(0)));
      // 0xff of the broadcast address as it leaves, 0 of the payload as it comes.
      assert.deepEqual(await both([even]), [1, 1]);
      await members[0]!.attachFanoutEbpf(pins.load(byteOfFrameAt(14)));
      assert.deepEqual(await both([even]), [2, 0]);
    });

    it('unique-id: the group that the kernel has picked can be joined and steered', async () => {
      const first = join({ fanoutFlags: ['unique-id'], fanoutGroup: 0 });
      const second = join({ fanoutGroup: first.geometry.fanoutGroup });
      await first.attachFanoutEbpf(pins.load(byteAt(0)));
      await sendFrames(lab, wire.b, [forMember(1, 0), forMember(1, 1), forMember(0, 2)]);
      assert.deepEqual(await received(first, second), [1, 2]);
    });

    it('a fanout program and a filter of a member work together', async () => {
      const members = [join(), join()];
      await members[0]!.attachFanoutEbpf(pins.load(byteAt(0)));
      await members[1]!.attachEbpfFilter(pins.load(onlyEtherType(0x88b5)));
      const wanted = frame('\x01', 60, 0x88b5);
      await sendFrames(lab, wire.b, [forMember(1, 0), wanted, forMember(0, 1)]);
      assert.deepEqual(data(await collectPackets(members[1]!, 1)), [wanted]);
      assert.deepEqual(await received(...members), [1, 1]);
    });

    it('is refused without the mode, and for a program of another type', async () => {
      const path = pins.load(byteAt(0));
      for (const options of [{ fanoutMode: 'hash' as const, fanoutGroup: group }, {}]) {
        const rx = capture(lab, { ...SMALL, interface: wire.a, ...options });
        assert.throws(() => rx.attachFanoutEbpf(path), {
          kind: 'Config',
          option: 'fanoutMode',
          message: /fanoutMode "ebpf", not ("hash"|none)/,
        });
        rx.close();
      }
      const member = Capture.builder({ ...SMALL, interface: wire.a, fanoutMode: 'ebpf', fanoutGroup: group }).build();
      lab.defer(() => member.close());
      const xdp = pins.load([{ code: 0xb7, dst: 0, imm: 2 }, { code: 0x95 }], 'xdp');
      assert.throws(() => member.attachFanoutEbpf(xdp), {
        kind: 'SockOpt',
        option: 'PACKET_FANOUT_DATA',
        code: 'EINVAL',
        hint: /type socket/,
      });
      member.attachFanoutEbpf(path);
    });
  });
});
