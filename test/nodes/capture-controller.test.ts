/** The capture-in controller against a capture made up for it: what a real one does too rarely to be waited for. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { CaptureController, type CaptureHost } from '../../nodes/runtime/capture/capture-controller';
import type { CaptureMessage } from '../../nodes/runtime/capture/capture-output';
import type { CaptureSource } from '../../nodes/runtime/capture/capture-session';
import type { StatisticsReport } from '../../nodes/runtime/capture/capture-ledger';
import { PacketBatch } from '../../src/batches/batch';
import { NetringError } from '../../src/errors/errors';
import type { Filter } from '../../src/options/filter-program';
import type { OutputForm } from '../../src/options/values';
import { until } from '../support/wait';
import { numberedFrame } from '../support/witness';
import { FakeClock } from './fake-clock';

/** A capture whose ring holds what the test puts there. */
class FakeCapture extends EventEmitter implements CaptureSource {
  readonly interface = 'eth7';
  readonly linkUp = true;
  readonly warnings = ['the ring is smaller than asked for'];
  readonly ring: PacketBatch[] = [];
  readonly filters: (Filter | null)[] = [];
  closed = false;
  counters = { packets: 0, bytes: 0, received: 0, drops: 0, freezes: 0, refiltered: 0 };
  #wake: () => void = () => undefined;
  #gone: NetringError | undefined;
  #fail: (error: Error) => void = () => undefined;

  /** The interface is deleted; the kernel still holds a block. */
  vanish(): void {
    this.emit('gone', NetringError.io('ENODEV', 'gone', this.interface));
  }
  /** The kernel has given up its last block. */
  retire(...last: PacketBatch[]): void {
    this.#gone = NetringError.io('ENODEV', 'gone', this.interface);
    if (last.length > 0) this.put(...last);
    else this.#fail(this.#gone);
  }
  put(...batches: PacketBatch[]): void {
    for (const batch of batches) this.counters.received += batch.length;
    this.ring.push(...batches);
    this.#wake();
  }
  readable({ signal }: { signal: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      this.#wake = resolve;
      this.#fail = reject;
      if (this.ring.length > 0) resolve();
      else if (this.#gone !== undefined) reject(this.#gone);
    });
  }
  tryRecv(): PacketBatch | null {
    const batch = this.ring.shift() ?? null;
    if (batch !== null) {
      this.counters.packets += batch.length;
      for (let i = 0; i < batch.length; i++) this.counters.bytes += batch.originalLengthAt(i);
    }
    return batch;
  }
  cumulativeStats(): typeof this.counters {
    return { ...this.counters };
  }
  setFilter(filter: Filter | null): void {
    this.filters.push(filter);
  }
  close(): void {
    this.closed = true;
  }
}

describe('capture-in controller', () => {
  const batch = (...numbers: number[]): PacketBatch =>
    PacketBatch.from(
      numbers.map((number) => numberedFrame(number)),
      { interface: 'eth7' },
    );

  interface Bench {
    controller: CaptureController;
    clock: FakeClock;
    /** Every capture that was opened. */
    captures: FakeCapture[];
    sent: CaptureMessage[];
    statistics: StatisticsReport[];
    statuses: string[];
    log: string[];
    /** What the next attempts to open fail with. */
    failures: unknown[];
  }

  function bench(output: OutputForm = 'batch', host: Partial<CaptureHost> = {}, statsInterval = 3600): Bench {
    const found: Omit<Bench, 'controller'> = {
      clock: new FakeClock(),
      captures: [],
      sent: [],
      statistics: [],
      statuses: [],
      log: [],
      failures: [],
    };
    const { clock, captures, sent, statistics, statuses, log, failures } = found;
    const note = (text: string): void => void log.push(text);
    const controller = new CaptureController(
      { interface: 'eth7', output, statsInterval },
      {
        id: 'node',
        open: () => {
          if (failures.length > 0) throw failures.shift() as Error;
          const capture = new FakeCapture();
          captures.push(capture);
          return capture;
        },
        sendPackets: (message) => void sent.push(message),
        sendStatistics: ({ payload }) => void statistics.push(payload),
        wired: () => true,
        status: ({ fill, text }) => void statuses.push(`${fill} ${text}`),
        log: { info: note, warn: note, error: note },
        clock,
        ...host,
      },
    );
    controller.start();
    return { controller, ...found };
  }
  const opened = (captures: FakeCapture[], count = 1): Promise<unknown> => until(() => captures.length >= count, 1000, `capture ${count}`);

  it('delivers what the ring holds when the interface goes, keeps the books, and opens again', async () => {
    const { controller, clock, captures, sent, statuses, statistics } = bench();
    await opened(captures);
    const [first] = captures as [FakeCapture];
    first.counters.drops = 5;
    first.counters.received = 5;
    first.put(batch(1, 2));
    await until(() => sent.length === 1, 1000, 'the first batch');
    clock.advance(1000);
    first.vanish();
    await setImmediate();
    assert.equal(first.closed, false);
    first.retire(batch(3));
    await until(() => first.closed, 1000, 'the end of the capture');
    assert.equal(controller.state, 'gone');
    assert.equal(sent.length, 2);
    clock.advance(1000);
    await opened(captures, 2);
    captures[1]!.put(batch(4));
    await until(() => sent.length === 3, 1000, 'the third batch');
    await controller.control({ action: 'stats' });
    const { packets, drops, shed, state, uptime } = statistics.at(-1)!;
    assert.deepEqual([packets, drops, shed, state, uptime], [4, 5, 0, 'up', 1]);
    clock.advance(1000);
    assert.ok(statuses.includes('red eth7 gone'), statuses.join());
    await controller.close();
    assert.equal(clock.pending, 0);
  });

  it('sends statistics once an interval, although timers come early', async () => {
    const clock = new FakeClock(0.5);
    const { controller, captures, statistics } = bench('batch', { clock }, 1);
    await opened(captures);
    clock.advance(10_000);
    assert.equal(statistics.length, 10);
    await controller.close();
  });

  it('a capture that does not end after its interface is given up', async () => {
    const { controller, clock, captures, sent } = bench();
    await opened(captures);
    const [capture] = captures as [FakeCapture];
    capture.vanish();
    capture.put(batch(1));
    await until(() => sent.length === 1, 1000, 'the batch');
    clock.advance(1999);
    await setImmediate();
    assert.equal(capture.closed, false);
    clock.advance(1);
    await until(() => capture.closed, 1000, 'the end of the capture');
    assert.equal(controller.state, 'gone');
    await controller.close();
    assert.equal(clock.pending, 0);
  });

  it('stopped while the last block is awaited, it stays stopped', async () => {
    const { controller, clock, captures } = bench();
    await opened(captures);
    captures[0]!.vanish();
    await controller.control({ action: 'stop' });
    clock.advance(10_000);
    await setImmediate();
    assert.deepEqual([controller.state, captures.length, captures[0]!.closed], ['stopped', 1, true]);
    await controller.close();
    assert.equal(clock.pending, 0);
  });

  it('stopped in the middle of a batch that is sent packet by packet: packets and bytes are those that were delivered', async () => {
    const sent: CaptureMessage[] = [];
    const fake = bench('packet', { sendPackets: (message) => sent.push(message) === 1000 && clock.advance(1000) });
    const { controller, clock, captures, statistics } = fake;
    await opened(captures);
    // The loop stands still after its first turn, and the time for draining is over after the next.
    let go = (): void => undefined;
    clock.turn = () => new Promise((resolve) => (go = resolve));
    captures[0]!.put(PacketBatch.from(Array.from({ length: 1200 }, (_, i) => ({ data: numberedFrame(i), originalLength: 1000 + i }))));
    await until(() => sent.length === 500, 1000, 'a turn');
    const stopping = controller.control({ action: 'stop' });
    await setImmediate();
    go();
    await stopping;
    await controller.control({ action: 'stats' });
    const { packets, bytes, shed } = statistics.at(-1)!;
    assert.deepEqual([packets, bytes, shed], [1000, 1000 * 1000 + (999 * 1000) / 2, 200]);
    await controller.close();
  });

  it('what is left in the ring at the end is shed: the ledger adds up', async () => {
    const { controller, captures, statistics, sent } = bench();
    await opened(captures);
    const [capture] = captures as [FakeCapture];
    capture.put(batch(1, 2, 3));
    await until(() => sent.length === 1, 1000, 'the batch');
    // In a block that is not retired.
    capture.counters.received += 7;
    await controller.control({ action: 'stop' });
    await controller.control({ action: 'stats' });
    const { packets, drops, shed, state } = statistics.at(-1)!;
    assert.deepEqual([packets, drops, shed, state], [3, 0, 7, 'stopped']);
    await controller.close();
  });

  it('no memory, an occupied fanout group: says so and tries again', async () => {
    const { controller, clock, captures, statuses, log, failures } = bench();
    const refuse = (errno: number, step: string): NetringError => NetringError.fromNative({ errno, step, interface: 'eth7' });
    failures.push(refuse(12, 'PACKET_RX_RING'), refuse(12, 'PACKET_RX_RING'), refuse(22, 'PACKET_FANOUT'));
    for (let attempt = 1; attempt <= 3; attempt++) {
      await until(() => failures.length === 3 - attempt, 1000, `attempt ${attempt}`);
      clock.advance(1000);
    }
    await opened(captures);
    clock.advance(1000);
    assert.deepEqual(statuses.slice(0, 2), ['red no memory for the ring', 'red PACKET_FANOUT: EINVAL']);
    assert.equal(statuses.at(-1), 'green 0 pps');
    assert.equal(log.filter((text) => text.includes('ENOMEM')).length, 1);
    assert.ok(log.includes('eth7: the ring is smaller than asked for'));
    await controller.close();
  });

  it('an option that is wrong is not tried again', async () => {
    const { controller, clock, captures, failures } = bench();
    failures.push(NetringError.config('blockSize 4096 is not a multiple of the page size (16384)', 'blockSize'));
    await until(() => failures.length === 0, 1000, 'the attempt');
    clock.advance(100_000);
    assert.equal(captures.length, 0);
    await controller.close();
  });

  it('a failing socket is closed and opened again', async () => {
    const { controller, clock, captures, statuses } = bench();
    await opened(captures);
    captures[0]!.emit('error', NetringError.fromNative({ errno: 5, step: 'poll', interface: 'eth7' }));
    await until(() => captures[0]!.closed, 1000, 'the end of the capture');
    clock.advance(1000);
    await opened(captures, 2);
    assert.ok(statuses.includes('red poll: EIO'), statuses.join());
    await controller.close();
    assert.ok(captures[1]!.closed);
  });

  it('one message per packet: at most 500 a turn, a warning above 20 k/s, the old filter gone when the new one is confirmed', async () => {
    const turns: number[] = [];
    const sent: CaptureMessage[] = [];
    const fake = bench('packet', { sendPackets: (message) => void sent.push(message) });
    const { controller, clock, captures, statuses } = fake;
    const turn = clock.turn.bind(clock);
    clock.turn = () => (turns.push(sent.length), turn());
    await opened(captures);
    const [capture] = captures as [FakeCapture];
    capture.put(batch(...Array.from({ length: 1200 }, (_, i) => i)));
    await until(() => sent.length > 0, 1000, 'a message');
    await controller.control({ action: 'filter', filter: '1\n6 0 0 0' });
    assert.equal(sent.length, 1200);
    turns.reduce((before, now) => (assert.ok(now - before <= 500, `${now - before} in a turn`), now), 0);
    assert.deepEqual(capture.filters, [[{ code: 6, jt: 0, jf: 0, k: 0 }]]);
    capture.counters.packets += 40_000;
    clock.advance(1000);
    assert.match(statuses.at(-1)!, /^yellow 41\.2k pps: use batches$/);
    await controller.close();
  });

  it('closing in the middle of everything ends it', async () => {
    const { controller, clock, captures } = bench();
    await opened(captures);
    const restarting = controller.control({ action: 'restart' });
    await Promise.all([controller.close(), restarting]);
    assert.ok(captures.every(({ closed }) => closed));
    assert.equal(clock.pending, 0);
    await controller.close();
  });
});
