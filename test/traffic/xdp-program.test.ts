import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { XdpSocket } from '@netring/node-red';
import { Lab, link, type Wire } from '../support/lab';
import { needsXdp } from '../support/skip';
import { output, type Child } from '../support/process';
import { until } from '../support/wait';
import { Witness } from '../support/witness';
import { frame } from './rx';
import { numbered } from './tx';
import { asyncXdp, collect, MODES, numbersOf, program, refusal, UDP_5000, upTo, xdp, type Mode } from './xdp';

/** Another process that holds an XDP socket with a program of its own, and counts what it receives. */
async function holder(lab: Lab, interfaceName: string, options: object = {}): Promise<Child> {
  const child = lab.start(process.execPath, [
    '-e',
    `const {AsyncXdpSocket,XdpSocket}=require('@netring/node-red');
     const rx=new AsyncXdpSocket(XdpSocket.builder({interface:'${interfaceName}',frameSize:2048,frameCount:256,...${JSON.stringify(options)}}).build());
     console.error('holding');
     (async()=>{ for await (const batch of rx) console.error('received '+batch.length); })();`,
  ]);
  await child.says('holding');
  return child;
}

const QUEUES = ['numrxqueues', '4', 'numtxqueues', '4'];

/**
 * The send queue from which frames come to a receive queue of the other end. The generic path takes the number of the send queue, which a veth hands
 * on, for that of the receive queue plus one (skb_get_rx_queue).
 */
const sendQueue = (queueId: number, attach: Mode): number => (attach === 'skb' && queueId > 0 ? queueId + 1 : queueId);

for (const attach of MODES) {
  describe(`XDP program (${attach})`, () => {
    before(function () {
      needsXdp(this);
    });
    const lab = new Lab();
    let wire: Wire;
    let senders: Map<number, XdpSocket>;
    beforeEach(async () => {
      senders = new Map();
      wire = await lab.wire({ link: QUEUES });
    });
    afterEach(() => lab.close());

    /** Sends frames that arrive on one receive queue of the other end: AF_XDP sends on the queue of its own number. */
    const sendTo = (queueId: number, frames: readonly Buffer[]): void => {
      const queue = sendQueue(queueId, attach);
      let sender = senders.get(queue);
      if (sender === undefined) {
        sender = xdp(lab, { interface: wire.b, queueId: queue, mode: 'tx', frameCount: 256 });
        senders.set(queue, sender);
      }
      assert.equal(sender.sendBatch(frames), frames.length);
    };

    it('XS-20 one, then another: the program comes and goes with the socket', () => {
      for (let round = 0; round < 2; round++) {
        const socket = XdpSocket.builder({ interface: wire.a, attach, frameCount: 64 }).build();
        assert.equal(program(wire.a)?.mode, attach);
        assert.equal(socket.attachMode, attach);
        assert.equal(socket.boundMode, 'copy');
        socket.close();
        assert.equal(program(wire.a), null);
      }
    });

    it('XS-14 XS-20 XS-23 sockets on several queues share one program; those of queue 0 go, queue 1 still works', async () => {
      const [zero, one, two] = [0, 1, 2].map((queueId) => asyncXdp(lab, { interface: wire.a, attach, queueId, frameCount: 256 }));
      assert.ok(zero !== undefined && one !== undefined && two !== undefined);
      const id = program(wire.a)?.id;
      for (const [queueId, socket] of [zero, one, two].entries()) {
        sendTo(queueId, numbered(0, 10));
        assert.deepEqual(numbersOf(await collect(socket, 10), 64), upTo(10));
      }
      zero.close();
      assert.equal(program(wire.a)?.id, id);
      // What came to queue 0 goes to the kernel again.
      const witness = await Witness.open(lab, wire.a);
      sendTo(0, [frame('to the kernel')]);
      assert.deepEqual((await witness.expect(1))[0]?.data, frame('to the kernel'));
      for (const last of [two, one]) {
        sendTo(1, numbered(0, 5));
        assert.deepEqual(numbersOf(await collect(one, 5), 64), upTo(5));
        last.close();
      }
      assert.equal(program(wire.a), null);
    });

    it("queueId 'all': one object over all queues", async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach, queueId: 'all', frameCount: 256 });
      assert.deepEqual(socket.queues, [0, 1, 2, 3]);
      for (const queueId of [2, 0, 1]) {
        sendTo(queueId, numbered(0, 20));
        assert.deepEqual(numbersOf(await collect(socket, 20), 64), upTo(20));
      }
      const witness = await Witness.open(lab, wire.b);
      await socket.sendBatch([frame('from all')]);
      assert.deepEqual((await witness.expect(1))[0]?.data, frame('from all'));
    });

    it('XS-24 a foreign program is refused and stays, and goes on working', async () => {
      const other = await holder(lab, wire.a, { attach });
      const before = program(wire.a);
      for (const mine of [...MODES, 'auto'] as const) {
        const error = await refusal({ interface: wire.a, queueId: 1, attach: mine, frameCount: 64 });
        assert.match(error.message, new RegExp(`${before?.id}`));
        assert.match(error.hint, /left alone/);
        assert.ok(error.code === 'EBUSY' || error.code === 'EEXIST', error.code);
      }
      assert.deepEqual(program(wire.a), before);
      sendTo(0, [frame('for the other')]);
      await other.says('received 1');
    });

    it('another filter than that of the program on the interface is refused', () => {
      xdp(lab, { interface: wire.a, attach, filter: UDP_5000 });
      assert.throws(() => xdp(lab, { interface: wire.a, attach, queueId: 1 }), { kind: 'Config', option: 'filter' });
      assert.throws(() => xdp(lab, { interface: wire.a, attach: attach === 'skb' ? 'driver' : 'skb', queueId: 1, filter: UDP_5000 }), {
        kind: 'Config',
        option: 'attach',
      });
    });

    it('XS-22 a program that another tool has detached is noticed', () => {
      const socket = xdp(lab, { interface: wire.a, attach });
      assert.equal(socket.attached, true);
      const links = JSON.parse(output('bpftool', ['-j', 'link', 'show'])) as { id: number; prog_id: number }[];
      const mine = links.find((entry) => entry.prog_id === program(wire.a)?.id);
      output('bpftool', ['link', 'detach', 'id', String(mine?.id)]);
      assert.equal(socket.attached, false);
      assert.equal(program(wire.a), null);
    });

    it('SIGKILL leaves no program and no busy queue', async () => {
      const child = await holder(lab, wire.a, { attach, promiscuous: true });
      assert.equal(program(wire.a)?.mode, attach);
      assert.equal(link(wire.a).promiscuity, 1);
      child.process.kill('SIGKILL');
      await child.exitCode(5000);
      await until(() => program(wire.a) === null, 2000, 'the program to go');
      const [attached] = JSON.parse(output('bpftool', ['-j', 'net', 'show', 'dev', wire.a])) as { xdp: unknown[] }[];
      assert.deepEqual(attached?.xdp, []);
      assert.equal(link(wire.a).promiscuity, 0);
      xdp(lab, { interface: wire.a, attach });
    });
  });
}

describe('XDP beside the kernel', () => {
  before(function () {
    needsXdp(this);
  });
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => {
    wire = await lab.wire({ apart: true, link: QUEUES });
    lab.ip(`addr add 10.9.0.1/24 dev ${wire.a}`);
    lab.ip(`addr add 10.9.0.2/24 dev ${wire.b}`, wire.namespace);
  });
  afterEach(() => lab.close());

  for (const attach of MODES) {
    it(`a TCP connection on the interface goes on while the filter takes UDP port 5000 (${attach})`, async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach, queueId: 'all', filter: UDP_5000, frameCount: 2048 });
      const server = lab.start('sh', ['-c', 'exec iperf3 -s -1 --forceflush >&2']);
      await server.says('listening');
      const client = lab.start('iperf3', ['-c', '10.9.0.1', '-t', '2', '-J'], { namespace: wire.namespace });
      let text = '';
      client.process.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
      output('bash', ['-c', 'for i in {1..8}; do echo "datagram $i" > /dev/udp/10.9.0.1/5000; done'], { namespace: wire.namespace });
      const seen = (await collect(socket, 8)).flatMap((batch) => batch.toArray());
      assert.equal(seen.length, 8);
      for (const { data } of seen) assert.match(data.toString('latin1', 42), /^datagram \d\n/);
      assert.equal(await client.exitCode(20_000), 0, text);
      const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
      assert.ok(end.sum_received.bits_per_second > 1e6);
      output('ping', ['-c', '3', '-i', '0.2', '10.9.0.1'], { namespace: wire.namespace });
      await assert.rejects(socket.recv({ signal: AbortSignal.timeout(50) }), 'nothing else came');
    });
  }

  it('XS-24 a program that was attached without a link, by another tool, stays as well', async () => {
    const pins = '/tmp/netring-test-bpf-24';
    output('sh', ['-c', `mkdir -p ${pins} && mount -t bpf bpf ${pins}`]);
    lab.defer(() => output('sh', ['-c', `umount ${pins} && rmdir ${pins}`]));
    const first = xdp(lab, { interface: wire.a });
    output('bpftool', ['prog', 'pin', 'id', String(program(wire.a)?.id), `${pins}/program`]);
    first.close();
    for (const [mode, type] of [
      ['skb', 'xdpgeneric'],
      ['driver', 'xdpdrv'],
    ] as const) {
      output('bpftool', ['net', 'attach', type, 'pinned', `${pins}/program`, 'dev', wire.a]);
      const before = program(wire.a);
      assert.equal(before?.mode, mode);
      for (const attach of [...MODES, 'auto'] as const) {
        const { kind, message } = await refusal({ interface: wire.a, attach, queueId: 1, frameCount: 64 });
        assert.equal(kind, 'Bind');
        assert.match(message, new RegExp(`program ${before.id} is attached`));
      }
      assert.deepEqual(program(wire.a), before);
      output('bpftool', ['net', 'detach', type, 'dev', wire.a]);
    }
  });

  it("attach none and mapPin: an outside program's map brings the frames", async () => {
    const other = await holder(lab, wire.a, { attach: 'skb', queueId: 0 });
    const pins = '/tmp/netring-test-bpf';
    output('sh', ['-c', `mkdir -p ${pins} && mount -t bpf bpf ${pins}`]);
    lab.defer(() => output('sh', ['-c', `umount ${pins} && rmdir ${pins}`]));
    const maps = JSON.parse(output('bpftool', ['-j', 'map', 'show'])) as { id: number; name?: string }[];
    output('bpftool', ['map', 'pin', 'id', String(maps.find((map) => map.name === 'netring_xsks')?.id), `${pins}/xsks`]);
    const socket = asyncXdp(lab, { interface: wire.a, attach: 'none', mapPin: `${pins}/xsks`, queueId: 1 });
    assert.equal(socket.attachMode, null);
    const probe = lab.start(
      process.execPath,
      [
        '-e',
        `const {XdpSocket}=require('@netring/node-red');
         const tx=XdpSocket.builder({interface:'${wire.b}',queueId:${sendQueue(1, 'skb')},mode:'tx',attach:'none',frameCount:64}).build();
         tx.sendBatch([Buffer.from('${frame('through the pin').toString('hex')}','hex')]); tx.waitDrained(1000); tx.close();`,
      ],
      { namespace: wire.namespace },
    );
    assert.equal(await probe.exitCode(10_000), 0, probe.errors);
    const [batch] = await collect(socket, 1);
    assert.deepEqual(batch?.dataAt(0), frame('through the pin'));
    assert.equal(other.errors.includes('received'), false);
    socket.close();
    assert.equal(program(wire.a)?.mode, 'skb');
  });
});

describe('XDP in a worker', () => {
  before(function () {
    needsXdp(this);
  });
  const lab = new Lab();
  afterEach(() => lab.close());

  it('a worker that is terminated leaves no program', async () => {
    const wire = await lab.wire();
    const worker = new Worker(
      `const {AsyncXdpSocket,XdpSocket}=require('@netring/node-red');
       const rx=new AsyncXdpSocket(XdpSocket.builder({interface:'${wire.a}',frameCount:64}).build());
       rx.recv().catch(()=>{}); require('worker_threads').parentPort.postMessage('open');`,
      { eval: true },
    );
    await once(worker, 'message');
    assert.notEqual(program(wire.a), null);
    await worker.terminate();
    assert.equal(program(wire.a), null);
  });
});
