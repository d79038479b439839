/** The xdp controller against a socket made up for it: what a real one does too rarely, or too fast, to be waited for. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { CaptureMessage } from '../../nodes/runtime/capture/capture-output';
import type { CaptureCounters } from '../../nodes/runtime/capture/capture-ledger';
import { XdpController, type XdpHost, type XdpSource } from '../../nodes/runtime/xdp/xdp-controller';
import type { XdpReport } from '../../nodes/runtime/xdp/xdp-ledger';
import { setupOf, type XdpNodeSetup } from '../../nodes/runtime/xdp/xdp-setup';
import type { AsyncSendOptions, SendReport } from '../../src/async/send-loop';
import { PacketBatch } from '../../src/batches/batch';
import { NetringError } from '../../src/errors/errors';
import type { Filter } from '../../src/options/filter-program';
import { settingsFromFlow } from '../../src/options/flow';
import { until } from '../support/wait';
import { numberedFrame } from '../support/witness';
import { FakeClock } from './fake-clock';

const NO_KERNEL = {
  rx_dropped: 0,
  rx_invalid_descs: 0,
  tx_invalid_descs: 0,
  rx_ring_full: 0,
  rx_fill_ring_empty_descs: 0,
  tx_ring_empty_descs: 0,
};

/** A socket whose ring holds what the test puts there, and that takes `room` frames and then waits. */
class FakeSocket extends EventEmitter implements XdpSource {
  readonly interface = 'eth7';
  readonly warnings = ['a warning'];
  readonly attachMode = 'driver';
  readonly boundMode = 'copy';
  linkUp = true;
  attached = true;
  closed = false;
  room = Infinity;
  failure: Error | undefined;
  drains = 0;
  readonly ring: PacketBatch[] = [];
  readonly filters: (Filter | null)[] = [];
  readonly counters = { packets: 0, bytes: 0, refiltered: 0, freezes: 0 };
  readonly kernel = { ...NO_KERNEL };
  #wake: () => void = () => undefined;
  #fail: (error: Error) => void = () => undefined;

  put(...batches: PacketBatch[]): void {
    this.ring.push(...batches);
    this.#wake();
  }
  /** The interface is deleted. */
  vanish(): void {
    const gone = NetringError.io('ENODEV', 'gone', this.interface);
    this.emit('gone', gone);
    this.#fail(gone);
  }
  readable({ signal }: { signal: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      [this.#wake, this.#fail] = [resolve, reject];
      if (this.ring.length > 0) resolve();
    });
  }
  tryRecv(): PacketBatch | null {
    const batch = this.ring.shift() ?? null;
    this.counters.packets += batch?.length ?? 0;
    this.counters.bytes += batch?.byteLength ?? 0;
    return batch;
  }
  cumulativeStats(): CaptureCounters & { sendErrors: number } {
    const drops = this.kernel.rx_dropped + this.kernel.rx_ring_full;
    return { ...this.counters, sendErrors: 0, drops, received: this.counters.packets + this.counters.refiltered + drops };
  }
  statistics(): typeof NO_KERNEL {
    return { ...this.kernel };
  }
  setFilter(filter: Filter | null): void {
    this.filters.push(filter);
  }
  sendBatch(frames: Iterable<unknown>, { signal, report }: AsyncSendOptions): Promise<SendReport> {
    const count = [...frames].length;
    const taken = Math.min(count, this.room);
    this.room -= taken;
    Object.assign(report!, { sent: taken, bytes: taken * 64 });
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (taken === count) return Promise.resolve(report!);
    return new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error)));
  }
  waitDrained(): Promise<void> {
    this.drains++;
    return Promise.resolve();
  }
  close(): void {
    this.closed = true;
  }
}

describe('xdp controller', () => {
  const frames = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => numberedFrame(i));
  const batch = (count: number): PacketBatch => PacketBatch.from(frames(count), { interface: 'eth7' });

  interface Bench {
    controller: XdpController;
    clock: FakeClock;
    /** Every socket that was opened, and the filter it was opened with. */
    sockets: FakeSocket[];
    opened: unknown[];
    sent: CaptureMessage[];
    statistics: XdpReport[];
    statuses: string[];
    log: string[];
    /** What the next attempts to open fail with. */
    failures: unknown[];
    route: { held: boolean };
    /** One text a message: its number and the code of its error. */
    answers: string[];
    send(payload: unknown): void;
    act(action: string, more?: object): Promise<void>;
  }

  function bench(settings: Partial<XdpNodeSetup> = {}, host: Partial<XdpHost> = {}): Bench {
    const clock = new FakeClock();
    const route = { held: false };
    const [sockets, opened, sent, statistics]: [FakeSocket[], unknown[], CaptureMessage[], XdpReport[]] = [[], [], [], []];
    const [statuses, log, answers, failures]: [string[], string[], string[], unknown[]] = [[], [], [], []];
    const note = (text: string): void => void log.push(text);
    const controller = new XdpController(
      {
        interface: 'eth7',
        receives: true,
        sends: true,
        attaches: true,
        filtered: false,
        input: 'frames',
        output: 'batch',
        statsInterval: 3600,
        allowDefaultRoute: false,
        ...settings,
      },
      {
        id: 'node',
        open: (filter) => {
          if (failures.length > 0) throw failures.shift() as Error;
          const socket = new FakeSocket();
          opened.push(filter);
          sockets.push(socket);
          return socket;
        },
        holdsDefaultRoute: () => route.held,
        sendPackets: (message) => void sent.push(message),
        sendStatistics: ({ payload }) => void statistics.push(payload),
        wired: () => true,
        status: ({ fill, text }) => void statuses.push(`${fill} ${text}`),
        log: { info: note, warn: note, error: note },
        clock,
        ...host,
      },
    );
    let number = 0;
    const send = (payload: unknown): void => {
      const own = number++;
      controller.input({ payload }, (error) =>
        answers.push(`${own} ${(error as NetringError | undefined)?.code ?? error?.name ?? ''}`.trim()),
      );
    };
    const act = (action: string, more: object = {}): Promise<void> =>
      new Promise((resolve, reject) => controller.input({ action, ...more }, (error) => (error === undefined ? resolve() : reject(error))));
    controller.start();
    return { controller, clock, sockets, opened, sent, statistics, statuses, log, failures, route, answers, send, act };
  }
  const open = ({ sockets }: Bench, count = 1): Promise<unknown> => until(() => sockets.length >= count, 1000, `socket ${count}`);
  const answered = async ({ answers }: Bench, ...wanted: string[]): Promise<void> => {
    await until(() => answers.length >= wanted.length, 1000, `${wanted.length} answers`);
    assert.deepEqual(answers.splice(0), wanted);
  };
  const second = async ({ clock }: Bench): Promise<void> => {
    clock.advance(1000);
    for (let i = 0; i < 5; i++) await setImmediate();
  };
  const end = async ({ controller, clock, sockets }: Bench): Promise<void> => {
    await controller.close();
    assert.equal(clock.pending, 0);
    assert.ok(sockets.every(({ closed }) => closed));
  };

  it('receives and sends on one socket, and keeps both books', async () => {
    const bed = bench();
    bed.send(frames(2));
    await open(bed);
    const [socket] = bed.sockets as [FakeSocket];
    await answered(bed, '0');
    socket.put(batch(3));
    await until(() => bed.sent.length === 1, 1000, 'a batch');
    Object.assign(socket.kernel, { rx_dropped: 2, rx_ring_full: 3, tx_invalid_descs: 1, rx_fill_ring_empty_descs: 4 });
    socket.put(batch(1));
    await until(() => bed.sent.length === 2, 1000, 'another');
    assert.deepEqual(
      bed.sent.map(({ topic, ring }) => [topic, ring.packets, ring.drops, ring.freezes]),
      [
        ['eth7', 3, 0, 0],
        ['eth7', 1, 5, 0],
      ],
    );
    await second(bed);
    await bed.act('stats');
    const report = bed.statistics.at(-1)!;
    assert.deepEqual(
      [report.state, report.packets, report.bytes, report.drops, report.shed, report.freezes, report.sent, report.sentBytes, report.uptime],
      ['up', 4, 256, 5, 0, 0, 2, 128, 1],
    );
    assert.deepEqual(report.xdp, socket.kernel);
    assert.ok(bed.log.includes('eth7: a warning'));
    await bed.act('restart');
    bed.sockets[1]!.kernel.rx_dropped = 10;
    await bed.act('stats');
    assert.deepEqual([bed.statistics.at(-1)!.drops, bed.statistics.at(-1)!.xdp.rx_dropped, bed.statistics.at(-1)!.packets], [15, 12, 4]);
    await end(bed);
  });

  it('says how the frames travel, what it loses, and what it sends', async () => {
    const bed = bench();
    await open(bed);
    const [socket] = bed.sockets as [FakeSocket];
    assert.equal(bed.statuses[0], 'green driver, copy: 0 pps');
    socket.counters.packets += 84_200;
    await second(bed);
    assert.equal(bed.statuses.at(-1), 'green driver, copy: 84.2k pps');
    bed.send(frames(12));
    await answered(bed, '0');
    await second(bed);
    assert.equal(bed.statuses.at(-1), 'green driver, copy: in 0, out 12 pps');
    socket.kernel.rx_ring_full += 312;
    await second(bed);
    assert.equal(bed.statuses.at(-1), 'yellow dropping 312/s');
    bed.send('no frame');
    await answered(bed, '1 TypeError');
    await second(bed);
    assert.equal(bed.statuses.at(-1), 'yellow refusing 1/s');
    await end(bed);
  });

  it('only receiving it refuses frames, only sending it reads nothing', async () => {
    const receiver = bench({ sends: false });
    await open(receiver);
    receiver.send(frames(1));
    await answered(receiver, '0 EINVAL');
    await end(receiver);

    const sender = bench({ receives: false });
    await open(sender);
    sender.sockets[0]!.put(batch(1));
    sender.send(frames(3));
    await answered(sender, '0');
    await second(sender);
    assert.equal(sender.statuses.at(-1), 'green driver, copy: 3 pps');
    assert.equal(sender.sent.length, 0);
    await assert.rejects(sender.act('filter', { filter: '' }), /only sends/);
    sender.sockets[0]!.emit('down');
    await second(sender);
    assert.equal(sender.statuses.at(-1), 'yellow eth7 down');
    sender.sockets[0]!.emit('up');
    sender.sockets[0]!.vanish();
    await second(sender);
    assert.ok(sender.sockets[0]!.closed);
    await second(sender);
    await open(sender, 2);
    await end(sender);
  });

  it('the mode tells what it does, and so does the share of a custom one', () => {
    const own = settingsFromFlow('xdp', { interface: 'eth7' }).node;
    const does = (flow: object): string => {
      const { receives, sends, attaches, filtered } = setupOf(settingsFromFlow('xdp', { interface: 'eth7', ...flow }).options, own);
      return `${receives} ${sends} ${attaches} ${filtered}`;
    };
    assert.equal(does({}), 'true true true false');
    assert.equal(does({ mode: 'rx', filter: '1,6 0 0 0' }), 'true false true true');
    assert.equal(does({ mode: 'tx', attach: 'skb' }), 'false true true false');
    assert.equal(does({ mode: 'custom', attach: 'none' }), 'false true false false');
    assert.equal(does({ mode: 'custom', prefill: '2047' }), 'true true true false');
    assert.equal(does({ mode: 'custom', prefill: '2048' }), 'true false true false');
    assert.equal(does({ mode: 'custom', prefill: '64', frameCount: '64' }), 'true false true false');
  });

  it('a link that is down fails all that waits and all that comes, until it is up', async () => {
    const bed = bench();
    await open(bed);
    bed.sockets[0]!.room = 1;
    bed.send(frames(2));
    bed.send([]);
    await setImmediate();
    bed.sockets[0]!.emit('down');
    bed.send(frames(1));
    // The refusal of the last one needs no turn of the sender.
    await until(() => bed.answers.length === 3, 1000, 'the answers');
    assert.deepEqual(bed.answers.splice(0).sort(), ['0 ENETDOWN', '1 ENETDOWN', '2 ENETDOWN']);
    bed.sockets[0]!.room = Infinity;
    bed.sockets[0]!.emit('up');
    bed.send(frames(1));
    await answered(bed, '3');
    await end(bed);
  });

  it('an interface that vanishes: what was received is delivered, what is to be sent is refused, and it opens again', async () => {
    const bed = bench();
    await open(bed);
    const [socket] = bed.sockets as [FakeSocket];
    socket.room = 0;
    bed.send(frames(1));
    await setImmediate();
    socket.ring.push(batch(2));
    socket.vanish();
    await answered(bed, '0 ENODEV');
    await until(() => socket.closed, 1000, 'the end');
    assert.deepEqual([bed.sent.length, bed.controller.state], [1, 'gone']);
    bed.send(frames(1));
    await answered(bed, '1 ENODEV');
    await second(bed);
    await open(bed, 2);
    bed.send(frames(1));
    await answered(bed, '2');
    await end(bed);
  });

  it('the interface vanishes under a sending call', async () => {
    const bed = bench();
    await open(bed);
    bed.sockets[0]!.failure = NetringError.io('ENXIO', 'gone', 'eth7');
    bed.send(frames(1));
    await answered(bed, '0 ENXIO');
    await until(() => bed.sockets[0]!.closed, 1000, 'the end');
    assert.equal(bed.controller.state, 'gone');
    await end(bed);
  });

  it('a program that somebody detaches is an error within a second, and is attached again', async () => {
    const bed = bench();
    await open(bed);
    bed.sockets[0]!.attached = false;
    await second(bed);
    assert.deepEqual([bed.controller.state, bed.sockets[0]!.closed], ['error', true]);
    assert.ok(bed.log.some((text) => text.includes('detached from outside')));
    await second(bed);
    await second(bed);
    await open(bed, 2);
    assert.ok(bed.statuses.includes('red program detached'), bed.statuses.join());
    assert.equal(bed.controller.state, 'up');
    await end(bed);
  });

  it('a queue or an interface that is taken, a missing permission: red with the remedy, tried again', async () => {
    const bed = bench();
    const refusal = (errno: number, step: string): NetringError => NetringError.fromNative({ errno, step, interface: 'eth7' });
    bed.failures.push(refusal(16, 'bind'), refusal(16, 'BPF_LINK_CREATE'), refusal(1, 'BPF_PROG_LOAD'));
    for (let left = 2; left >= 0; left--) {
      await until(() => bed.failures.length === left, 1000, 'an attempt');
      bed.send(frames(1));
      await second(bed);
    }
    assert.deepEqual(bed.statuses.slice(0, 3), [
      'red another socket is bound to this queue',
      'red another XDP program is attached',
      'red needs CAP_BPF and CAP_NET_ADMIN',
    ]);
    await answered(bed, '0 EBUSY', '1 EBUSY', '2 EPERM');
    await open(bed);
    await end(bed);
  });

  it('a filter is set live, and kept for the next socket', async () => {
    const bed = bench();
    await open(bed);
    await bed.act('filter', { filter: '1\n6 0 0 0' });
    const program = [{ code: 6, jt: 0, jf: 0, k: 0 }];
    await bed.act('restart');
    await bed.act('filter', { filter: '' });
    await bed.act('stop');
    await bed.act('start');
    assert.deepEqual(bed.opened, [undefined, program, null]);
    assert.deepEqual([bed.sockets[0]!.filters, bed.sockets[1]!.filters], [[program], [null]]);
    await assert.rejects(bed.act('filter'), /msg\.filter is missing/);
    await assert.rejects(bed.act('pause'), /"pause" is none of start, stop/);
    await end(bed);

    const outside = bench({ attaches: false });
    await open(outside);
    await assert.rejects(outside.act('filter', { filter: '' }), /attach is none/);
    await end(outside);
  });

  describe('the default route', () => {
    it('is refused to a node that takes every frame, until it has a filter', async () => {
      const bed = bench();
      bed.route.held = true;
      await second(bed);
      assert.deepEqual([bed.sockets.length, bed.controller.state, bed.statuses[0]], [0, 'error', 'red holds default route']);
      await bed.act('filter', { filter: '1\n6 0 0 0' });
      await bed.act('start');
      assert.equal(bed.sockets.length, 1);
      await assert.rejects(bed.act('filter', { filter: '' }), /holds the default route/);
      assert.deepEqual(bed.sockets[0]!.filters, []);
      await end(bed);
    });

    it('comes later: closed within 5 s, opened again when it has moved away', async () => {
      const bed = bench();
      await open(bed);
      bed.route.held = true;
      for (let i = 0; i < 5; i++) await second(bed);
      assert.ok(bed.sockets[0]!.closed);
      bed.route.held = false;
      await second(bed);
      await open(bed, 2);
      await end(bed);
    });

    for (const [what, settings] of [
      ['has a filter', { filtered: true }],
      ['attaches nothing', { attaches: false }],
      ['only sends', { receives: false }],
      ['is allowed', { allowDefaultRoute: true }],
    ] as const)
      it(`is no obstacle to one that ${what}`, async () => {
        const bed = bench(settings);
        bed.route.held = true;
        await open(bed);
        for (let i = 0; i < 6; i++) await second(bed);
        assert.equal(bed.sockets[0]!.closed, false);
        await end(bed);
      });
  });

  it('stopping sends what was accepted for a second, and no longer', async () => {
    const bed = bench();
    await open(bed);
    bed.sockets[0]!.room = 3;
    bed.send(frames(2));
    bed.send(frames(2));
    const stopping = bed.act('stop');
    await setImmediate();
    bed.send(frames(1));
    await second(bed);
    await stopping;
    await until(() => bed.answers.length === 3, 1000, 'the answers');
    assert.deepEqual(bed.answers.splice(0).sort(), ['0', '1 ECANCELED', '2 ECANCELED']);
    assert.deepEqual([bed.controller.state, bed.sockets[0]!.drains, bed.sockets[0]!.closed], ['stopped', 1, true]);
    for (let i = 0; i < 10; i++) await second(bed);
    assert.equal(bed.sockets.length, 1, 'it stays stopped');
    await end(bed);
  });

  it('more than 64 MiB of frames do not wait', async () => {
    const bed = bench();
    await open(bed);
    bed.sockets[0]!.room = 0;
    const huge = Array.from({ length: 1025 }, () => Buffer.alloc(65536));
    bed.send(huge);
    await answered(bed, '0 ENOBUFS');
    bed.send(huge.slice(1));
    bed.send(frames(1));
    await answered(bed, '2 ENOBUFS');
    bed.sockets[0]!.emit('down');
    await end(bed);
  });

  it('closing in the middle of everything ends it', async () => {
    const bed = bench();
    await open(bed);
    const restarting = bed.act('restart');
    await Promise.all([bed.controller.close(), restarting]);
    await end(bed);
  });
});
