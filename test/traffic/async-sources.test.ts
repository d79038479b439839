import assert from 'node:assert/strict';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AsyncCapture, Capture, CaptureStats, PacketBatch, XdpSocket, type PacketSource } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { footprint, idleCpu, output } from '../support/process';
import { needsXdp } from '../support/skip';
import { until } from '../support/wait';
import { flood, numberedFrame } from '../support/witness';
import { asyncCapture, collect, ONLY_88B6, SMALL } from './rx';
import { numbersOf, upTo, xdp } from './xdp';

const NOTHING = new CaptureStats({
  packets: 0,
  bytes: 0,
  received: 0,
  drops: 0,
  freezes: 0,
  refiltered: 0,
  stalls: 0,
  collections: 0,
  bufferedBytes: 0,
});

/** A source as somebody else might write it: batches out of a named pipe, each byte of which is the number of frames in one. */
class Pipe implements PacketSource {
  readonly interface = 'pipe';
  readonly fd: number;
  readonly writer: number;
  looks = 0;
  closed = 0;
  #packets = 0;

  constructor(lab: Lab) {
    const folder = mkdtempSync(join(tmpdir(), 'netring-pipe-'));
    lab.defer(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'pipe');
    output('mkfifo', [path]);
    this.fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writer = openSync(path, constants.O_WRONLY);
  }

  write(...counts: number[]): void {
    writeSync(this.writer, Uint8Array.from(counts));
  }
  nextBatch(): PacketBatch | null {
    this.looks++;
    const byte = Buffer.alloc(1);
    try {
      if (readSync(this.fd, byte) === 0) return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
      throw error;
    }
    const first = this.#packets;
    this.#packets += byte[0]!;
    return PacketBatch.from(Array.from({ length: byte[0]! }, (_, i) => numberedFrame(first + i)));
  }
  nextBatchBlocking(): PacketBatch | null {
    throw new Error('not here');
  }
  stats(): CaptureStats {
    return NOTHING;
  }
  cumulativeStats(): CaptureStats {
    return new CaptureStats({ ...NOTHING, packets: this.#packets });
  }
  close(): void {
    this.closed++;
    closeSync(this.fd);
  }
}

describe('AsyncCapture over any source', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  const numbers = (batches: readonly PacketBatch[]): number[] => numbersOf(batches, 64);

  /** A capture in the clothes of a foreign source, whose batches are borrowed. */
  function disguised(): PacketSource {
    const capture = Capture.builder({ ...SMALL, interface: wire.a }).build();
    lab.defer(() => capture.close());
    return {
      fd: capture.fd,
      nextBatch: () => capture.nextBatch(),
      nextBatchBlocking: (ms) => capture.nextBatchBlocking(ms),
      stats: () => capture.stats(),
      cumulativeStats: () => capture.cumulativeStats(),
    };
  }

  function shell<S extends PacketSource>(source: S): AsyncCapture<S> {
    const opened = new AsyncCapture(source);
    lab.defer(() => opened.fd >= 0 && opened.close());
    return opened;
  }

  it('an XdpSocket: owned and borrowed batches, its own statistics', async function () {
    needsXdp(this);
    const rx = shell(XdpSocket.builder({ interface: wire.a, mode: 'rx', frameSize: 2048, frameCount: 8192 }).build());
    const sending = flood(lab, wire.b, { count: 3000, rate: 100_000 });
    assert.deepEqual(numbers(await collect(rx, 3000)), upTo(3000));
    await sending;
    assert.equal(rx.cumulativeStats().sent, 0);
    assert.equal(rx.cumulativeStats().packets, 3000);
    assert.equal(rx.geometry, undefined);
    await rx.setFilter(ONLY_88B6);
    await flood(lab, wire.b, { count: 5 });
    await assert.rejects(rx.recv({ signal: AbortSignal.timeout(100) }));
    await rx.setFilter(null);
    await flood(lab, wire.b, { count: 5 });
    const borrowed = await rx.tryRecvBatch({ signal: AbortSignal.timeout(3000) });
    assert.equal(borrowed.borrowed, true);
    rx.close();
    assert.equal(rx.fd, -1);
    const sender = xdp(lab, { interface: wire.a, mode: 'tx' });
    assert.throws(() => new AsyncCapture(sender), TypeError);
  });

  it('borrowed batches of a foreign source are copied for recv, a stream and for await, and lent by tryRecvBatch', async () => {
    const rx = shell(disguised());
    const sending = flood(lab, wire.b, { count: 20_000, rate: 100_000 });
    const batches = await collect(rx, 20_000);
    await sending;
    assert.ok(batches.every((batch) => !batch.borrowed));
    assert.deepEqual(numbers(batches), upTo(20_000));
    await flood(lab, wire.b, { count: 10 });
    const lent = await rx.tryRecvBatch({ signal: AbortSignal.timeout(3000) });
    assert.equal(lent.borrowed, true);
    assert.deepEqual(numbers([lent]), upTo(10));
    assert.equal(rx.tryRecv(), null);
    assert.equal(lent.length, 0);
    assert.equal(rx.cumulativeStats().packets, 20_010);
    await assert.rejects(rx.setFilter(null), TypeError);
    const stream = rx.intoStream();
    await flood(lab, wire.b, { count: 10 });
    for await (const batch of stream as AsyncIterable<PacketBatch>) {
      assert.deepEqual(numbers([batch]), upTo(10));
      break;
    }
    assert.equal(stream.destroyed, true);
    assert.equal(rx.fd, -1);
  });

  it('a source of any kind: what it yields comes, what it says of itself is passed on, closing closes it', async () => {
    const pipe = new Pipe(lab);
    const rx = shell(pipe);
    assert.deepEqual([rx.fd, rx.interface, rx.linkUp, rx.warnings], [pipe.fd, 'pipe', true, []]);
    const waiting = rx.recv();
    await sleep(20);
    pipe.write(3, 4);
    assert.deepEqual(numbers([await waiting, await rx.recv()]), upTo(7));
    assert.equal(rx.cumulativeStats().packets, 7);
    const guard = rx.readable();
    pipe.write(2);
    assert.equal((await guard).nextBatch()?.length, 2);
    await assert.rejects(rx.recv({ signal: AbortSignal.timeout(20) }));
    pipe.write(1);
    for await (const batch of rx) {
      assert.equal(batch.length, 1);
      break;
    }
    const last = rx.recv();
    rx.close();
    rx.close();
    await assert.rejects(last, { code: 'ECANCELED' });
    await assert.rejects(rx.recv(), { code: 'ECANCELED' });
    assert.equal(pipe.closed, 1);
    assert.throws(() => new AsyncCapture(pipe), TypeError);
  });

  it('an abort loses no batch of a foreign source', async () => {
    const pipe = new Pipe(lab);
    const rx = shell(pipe);
    let next = 0;
    let written = 0;
    const timer = setInterval(() => written++ < 300 && pipe.write(1), 1);
    lab.defer(() => clearInterval(timer));
    while (next < 300) {
      const ending = new AbortController();
      setTimeout(() => ending.abort(), Math.random() * 2);
      const batch = await rx.recv({ signal: ending.signal }).catch(() => null);
      if (batch !== null) assert.deepEqual(numbers([batch]), [next++]);
    }
  });

  it('a descriptor that stays readable with nothing behind it does not make the loop spin', async () => {
    const pipe = new Pipe(lab);
    const rx = shell(pipe);
    // The end of the file: readable for ever.
    closeSync(pipe.writer);
    const used = await idleCpu(500, async (ms) => {
      const before = pipe.looks;
      await assert.rejects(rx.recv({ signal: AbortSignal.timeout(ms) }));
      assert.ok(pipe.looks - before < 40, `${pipe.looks - before} looks`);
    });
    assert.ok(used <= 20, `${used} % of a CPU`);
  });

  it('a descriptor that is closed under the shell harms nobody', async () => {
    const capture = asyncCapture(lab, { interface: wire.a });
    const pipe = new Pipe(lab);
    const rx = shell({
      fd: pipe.fd,
      nextBatch: () => null,
      nextBatchBlocking: () => null,
      stats: () => NOTHING,
      cumulativeStats: () => NOTHING,
    });
    const waiting = rx.recv();
    closeSync(pipe.fd);
    await sleep(20);
    const { descriptors } = footprint();
    rx.close();
    await assert.rejects(waiting, { code: 'ECANCELED' });
    await until(() => footprint().descriptors === descriptors - 1, 1000, 'the duplicate is closed');
    await flood(lab, wire.b, { count: 1 });
    assert.equal((await capture.recv()).length, 1);
  });

  it('what a source throws, or returns that is no batch, comes out of the call', async () => {
    const pipe = new Pipe(lab);
    const boom = new Error('boom');
    let answer: () => PacketBatch | null = () => {
      throw boom;
    };
    const source: PacketSource = {
      fd: pipe.fd,
      nextBatch: () => answer(),
      nextBatchBlocking: () => null,
      stats: () => NOTHING,
      cumulativeStats: () => NOTHING,
    };
    const rx = shell(source);
    await assert.rejects(rx.recv(), boom);
    answer = () => ({ length: 1 }) as PacketBatch;
    await assert.rejects(rx.recv(), TypeError);
    answer = () => PacketBatch.from([numberedFrame(0)]);
    assert.equal((await rx.recv()).length, 1);
  });

  it('an error of the descriptor rejects waits, heard or not', async () => {
    for (const heard of [true, false]) {
      const pipe = new Pipe(lab);
      const errors: Error[] = [];
      // The writing end: its only event is the error that its reader is gone.
      const rx = shell({
        fd: pipe.writer,
        nextBatch: () => null,
        nextBatchBlocking: () => null,
        stats: () => NOTHING,
        cumulativeStats: () => NOTHING,
      });
      if (heard) rx.on('error', (error) => errors.push(error));
      const waiting = rx.recv({ signal: AbortSignal.timeout(3000) });
      closeSync(pipe.fd);
      await assert.rejects(waiting, { name: 'NetringError', code: 'EIO' });
      assert.equal(errors.length, heard ? 1 : 0);
    }
  });

  it('what is no source is refused, and stays usable', () => {
    const whole = { fd: 0, nextBatch: () => null, nextBatchBlocking: () => null, stats: () => NOTHING, cumulativeStats: () => NOTHING };
    for (const wrong of [{ fd: -1 }, { fd: '3' }, { fd: undefined }, { nextBatch: 5 }, { stats: undefined }, { cumulativeStats: null }])
      assert.throws(() => new AsyncCapture({ ...whole, ...wrong } as unknown as PacketSource), TypeError);
    assert.throws(() => new AsyncCapture({ ...whole, fd: 9999 }), { name: 'NetringError', code: 'EBADF' });
    const file = openSync('/proc/self/status', 'r');
    lab.defer(() => closeSync(file));
    const { descriptors } = footprint();
    const regular = openSync(__filename, 'r');
    assert.throws(() => new AsyncCapture({ ...whole, fd: regular }), { name: 'NetringError', code: 'EPERM' });
    closeSync(regular);
    assert.equal(footprint().descriptors, descriptors);
  });

  it('open it keeps the process alive, unref-ed it does not', async () => {
    const script = `const {AsyncCapture,Capture}=require('@netring/node-red');
      const c=Capture.builder({interface:'${wire.a}',profile:'balanced'}).build();
      const rx=new AsyncCapture({fd:c.fd,nextBatch:()=>c.nextBatch(),stats:()=>c.stats(),cumulativeStats:()=>c.cumulativeStats()}); rx.recv();`;
    const held = lab.start(process.execPath, ['-e', `${script} console.error('open')`]);
    await held.says('open');
    await sleep(200);
    assert.equal(held.ended, false);
    const free = lab.start(process.execPath, ['-e', `${script} rx.unref()`]);
    assert.equal(await free.exitCode(), 0);
  });
});
