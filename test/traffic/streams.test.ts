import assert from 'node:assert/strict';
import { Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CaptureOptions, PacketBatch, PacketStream } from '@netring/node-red';
import { AsyncCapture, Capture } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { footprint } from '../support/process';
import { until } from '../support/wait';
import { CountingWitness, flood } from '../support/witness';
import { SMALL } from './rx';

describe('PacketStream', () => {
  const lab = new Lab();
  let wire: Wire;
  beforeEach(async () => (wire = await lab.wire()));
  afterEach(() => lab.close());

  function open(options: Partial<CaptureOptions> = {}): PacketStream {
    const stream = new AsyncCapture(Capture.builder({ ...SMALL, interface: wire.a, ...options }).build()).intoStream();
    lab.defer(() => stream.destroy());
    return stream;
  }

  it('a million frames go through pipeline(), each once and in order, as a witness counts them', async function () {
    this.timeout(60_000);
    const total = 1_000_000;
    const stream = open({ blockSize: 1 << 20, blockCount: 64 });
    const witness = await CountingWitness.open(lab, wire.a, total);
    const sending = flood(lab, wire.b, { count: total });
    let next = 0;
    const numbered = new Transform({
      objectMode: true,
      transform(batch: PacketBatch, _encoding, done) {
        const { bytes } = batch;
        for (let i = 0; i < batch.length; i++) {
          const at = batch.offsetAt(i);
          if (bytes.readUInt32BE(at + 18) !== next++ || bytes[at + 63] !== ((next - 1 + 63) & 0xff))
            return done(new Error(`frame ${next - 1}`));
        }
        done(null, batch.length);
      },
    });
    let seen = 0;
    const sink = new Writable({
      objectMode: true,
      write(count: number, _encoding, done) {
        seen += count;
        if (seen === total) stream.destroy();
        done();
      },
    });
    await assert.rejects(pipeline(stream, numbered, sink), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await sending;
    assert.equal(seen, total);
    const { packets, received, drops } = stream.cumulativeStats();
    assert.deepEqual([packets, received, drops], [total, (await witness.verdict()).received, 0]);
  });

  it('a slow consumer holds no more than the ring and some batches; the kernel counts what it drops', async function () {
    this.timeout(60_000);
    const stream = open({ blockSize: 65_536, blockCount: 32 });
    const witness = await CountingWitness.open(lab, wire.a, 200_000);
    const before = footprint().rssBytes;
    let peak = 0;
    let seen = 0;
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write(batch: PacketBatch, _encoding, done) {
        seen += batch.length;
        peak = Math.max(peak, stream.cumulativeStats().bufferedBytes);
        setTimeout(done, 20);
      },
    });
    const piping = pipeline(stream, slow);
    await flood(lab, wire.b, { count: 200_000, length: 300 });
    const counted = stream.cumulativeStats();
    assert.ok(counted.drops > 0, String(counted));
    // Read ahead by the stream, in the sink, and one on its way: each a block of 64 KiB at most.
    assert.ok(stream.readableLength <= 4);
    assert.ok(counted.packets - seen <= (65_536 / 300) * 6, `${counted.packets} read, ${seen} seen`);
    assert.ok(peak <= 64 * 65_536, `${peak} bytes of batches`);
    assert.ok(footprint().rssBytes - before < 48 << 20);
    await until(() => stream.cumulativeStats().packets + counted.drops === 200_000, 20_000, 'the ring is read');
    const { packets, drops, received } = stream.cumulativeStats();
    assert.equal(packets + drops, (await witness.verdict()).received);
    assert.equal(received, 200_000);
    stream.destroy();
    await assert.rejects(piping);
  });

  it('who does not read costs nothing: a paused stream leaves the ring alone', async () => {
    const stream = open();
    const first: PacketBatch[] = [];
    stream.on('data', (batch: PacketBatch) => first.push(batch));
    await flood(lab, wire.b, { count: 10 });
    await until(() => first.length > 0, 3000, 'a batch');
    stream.pause();
    for (let i = 0; i < 20; i++) {
      await flood(lab, wire.b, { count: 10 });
      await sleep(15);
    }
    const { packets, received } = stream.cumulativeStats();
    assert.equal(received, 210);
    assert.ok(packets < received, `${packets} of ${received} read`);
    stream.resume();
    await until(() => stream.cumulativeStats().packets === 210, 3000, 'the rest');
    assert.equal(
      first.reduce((sum, batch) => sum + batch.length, 0),
      210,
    );
  });

  it('the end of the interface destroys it with ENODEV, after what had come', async () => {
    const stream = open();
    let seen = 0;
    const reading = (async () => {
      for await (const batch of stream as AsyncIterable<PacketBatch>) seen += batch.length;
    })();
    await flood(lab, wire.b, { count: 100 });
    lab.ip(`link del ${wire.a}`);
    await assert.rejects(reading, { name: 'NetringError', code: 'ENODEV' });
    assert.equal(seen, 100);
  });

  it('ends a pipeline when the sink fails, and closes the capture', async () => {
    const stream = open();
    const boom = new Error('disk full');
    const sink = new Writable({ objectMode: true, write: (_batch, _encoding, done) => done(boom) });
    const piping = pipeline(stream, sink);
    await flood(lab, wire.b, { count: 1 });
    await assert.rejects(piping, boom);
    assert.equal(stream.capture.fd, -1);
  });
});
