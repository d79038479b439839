/** readPcap: from files, Buffers and streams, cut, wrong, slow, endless. */
import assert from 'node:assert/strict';
import { closeSync, createReadStream, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip, createGzip, gzipSync } from 'node:zlib';
import { NetringError, readPcap, type PacketBatch, type PcapInput } from '@netring/node-red';
import { readCaptureFile } from '../../src/pcap/file-reader';
import { output } from '../support/process';
import { until, within } from '../support/wait';
import { arpRequest, NANOSECONDS, pcap, random, Section, u32 } from './pcap-files';

interface Reading {
  packets: string[];
  error?: NetringError;
}

const factsOf = (batch: PacketBatch): string[] =>
  Array.from(
    batch,
    (packet) => `${batch.interface} ${packet.timestampNs} ${packet.originalLength} ${packet.direction} ${packet.data.toString('hex')}`,
  );

/** All of an input: the packets, and the error that came after them. */
async function read(input: PcapInput): Promise<Reading> {
  const packets: string[] = [];
  try {
    for await (const batch of readPcap(input)) packets.push(...factsOf(batch));
  } catch (error) {
    if (!(error instanceof NetringError)) throw error;
    return { packets, error };
  }
  return { packets };
}

/** The same by way of the reader that has all of the file before it. */
function readWhole(file: Uint8Array): Reading {
  const { batches, error } = readCaptureFile(file);
  return { packets: batches.flatMap(factsOf), ...(error && { error }) };
}

function* cut(file: Buffer, length: () => number): Generator<Buffer> {
  for (let at = 0; at < file.length;) yield file.subarray(at, (at += length()));
}

const s = new Section();
const start = Buffer.concat([s.header(), s.interface()]);
const pcapng = (count: number): Buffer =>
  Buffer.concat([start, ...Array.from({ length: count }, (_, i) => s.enhanced(arpRequest(i), { time: BigInt(i) }))]);
const pcapOf = (count: number): Buffer =>
  pcap(
    Array.from({ length: count }, (_, i) => ({ data: arpRequest(i), sec: i, fraction: i })),
    { magic: NANOSECONDS, order: 'be' },
  );

/** Descriptors of this process that are open on a path. */
const openOn = (path: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  }).length;

describe('readPcap', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'netring-read-'))));
  after(() => rmSync(folder, { recursive: true }));
  const keep = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  /** A named pipe that bytes have been written to, and that ends with `close`. */
  const pipe = (name: string, bytes: Uint8Array): { path: string; close: () => void } => {
    const path = join(folder, name);
    output('mkfifo', [path]);
    const fd = openSync(path, 'r+');
    writeSync(fd, bytes);
    return { path, close: () => closeSync(fd) };
  };

  for (const [name, file] of [
    ['pcap', pcapOf(3000)],
    ['pcapng', pcapng(3000)],
  ] as const) {
    it(`reads the same from a path, a URL, a Buffer, streams and iterables: ${name}`, async () => {
      const path = keep(`same.${name}`, file);
      const whole = readWhole(file);
      assert.equal(whole.packets.length, 3000);
      let sizes = 0;
      const inputs: PcapInput[] = [
        path,
        pathToFileURL(path),
        file,
        new Uint8Array(file),
        createReadStream(path),
        createReadStream(path).pipe(createGzip()).pipe(createGunzip()),
        [file.subarray(0, 10), new Uint8Array(0), file.subarray(10)],
        cut(file, () => 1 + (sizes++ % 200)),
        Readable.from(cut(file, () => 1)),
      ];
      for (const input of inputs) assert.deepEqual(await read(input), whole);
    });

    it(`gives out what is complete and waits for the rest: ${name}`, async () => {
      const stream = new PassThrough();
      const reader = readPcap(stream);
      const batches = reader[Symbol.asyncIterator]();
      // The last byte of the second packet is missing.
      const end = name === 'pcap' ? 24 + 2 * 76 : start.length + 2 * 92;
      stream.write(file.subarray(0, end - 1));
      assert.deepEqual(factsOf((await batches.next()).value as PacketBatch).length, 1);
      const next = batches.next();
      assert.equal(await Promise.race([next, delay(30, 'waits')]), 'waits');
      stream.write(file.subarray(end - 1, end));
      assert.equal(((await next).value as PacketBatch).dataAt(0)[41], 1);
      stream.end();
      assert.equal((await batches.next()).done, true);
      assert.deepEqual([reader.format, reader.packets, reader.bytes], [name, 2, end]);
    });

    it(`tells where a file is cut, in pieces as in one: ${name}`, async () => {
      const short = file.subarray(0, 400);
      for (let end = 0; end < short.length; end++) {
        const whole = readWhole(short.subarray(0, end));
        const pieces = await read(cut(short.subarray(0, end), () => 7));
        assert.deepEqual(pieces.packets, whole.packets);
        assert.equal(pieces.error?.message, whole.error?.message);
        assert.equal(pieces.error?.code, whole.error?.code);
      }
    });
  }

  it('reads packets of every size across the pieces in which it reads a file', async () => {
    const next = random(0x63757473);
    // Some fit into the room that is left before a piece, some are larger than that, and some than a piece.
    const sizes = Array.from({ length: 300 }, () => [100, 9000, 70_000, 200_000][next() % 4]! + (next() % 50));
    sizes.push(3_000_000, 60, 1_100_000, 60);
    const frames = sizes.map((size, i) => Buffer.alloc(size, i));
    const file = Buffer.concat([start, ...frames.map((frame, i) => s.enhanced(frame, { time: BigInt(i) }))]);
    const path = keep('pieces.pcapng', file);
    let seen = 0;
    const kept: PacketBatch[] = [];
    for await (const batch of readPcap(path)) kept.push(batch);
    for (const batch of kept)
      for (const packet of batch) {
        const frame = frames[seen++]!;
        assert.ok(packet.data.equals(frame), `packet ${seen} of ${frame.length} bytes`);
      }
    assert.equal(seen, frames.length);
  });

  it('says at which byte of a long file it goes wrong, after the packets before it', async () => {
    const good = pcapng(50_000);
    const bad = Buffer.concat([good, s.enhanced(arpRequest(1), { id: 3 }), good.subarray(start.length)]);
    const { packets, error } = await read(keep('bad.pcapng', bad));
    assert.equal(packets.length, 50_000);
    assert.equal(error?.code, 'ERR_INVALID_FILE');
    assert.match(error.message, new RegExp(`^invalid capture file at byte ${good.length + 8}: a packet names interface 3`));
    const truncated = await read(keep('cut.pcapng', good.subarray(0, good.length - 3)));
    assert.equal(truncated.packets.length, 49_999);
    assert.match(
      truncated.error!.message,
      new RegExp(`^truncated capture file at byte ${good.length - 92}: a block needs 92 bytes, 89 are there$`),
    );
  });

  it('reads changed and noisy files in pieces exactly as it reads them whole', async function () {
    this.timeout(30_000);
    const next = random(0x7069_6563);
    const files = [pcap([1, 2, 3].map((i) => ({ data: arpRequest(i), sec: i, fraction: i }))), pcapOf(4), pcapng(4)];
    let errors = 0;
    for (let round = 0; round < 3000; round++) {
      const copy = Buffer.from(files[round % files.length]!);
      for (let changes = 1 + (next() % 4); changes > 0; changes--) copy[4 + (next() % (copy.length - 4))] = next() & 0xff;
      const whole = readWhole(copy);
      const pieces = await read(cut(copy, () => 1 + (next() % 60)));
      assert.deepEqual(pieces.packets, whole.packets);
      assert.equal(pieces.error?.message, whole.error?.message);
      errors += whole.error === undefined ? 0 : 1;
    }
    assert.ok(errors > 500 && errors < 2900, `${errors}`);
  });

  it('takes no memory for what a file claims, and no time for how it comes', async function () {
    this.timeout(20_000);
    const claim = Buffer.concat([start, s.enhanced(Buffer.alloc(15 * 1024 * 1024))]);
    const before = process.memoryUsage().arrayBuffers;
    const open = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const stream = new PassThrough();
        const next = readPcap(stream)[Symbol.asyncIterator]().next();
        next.catch(() => undefined);
        stream.write(claim.subarray(0, 1000));
        await new Promise(setImmediate);
        return stream;
      }),
    );
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
    for (const stream of open) stream.destroy();
    // 15 MiB in pieces of 100 bytes are joined once, not 150,000 times.
    const begin = performance.now();
    const { packets, error } = await read(cut(claim, () => 100));
    assert.equal(error, undefined);
    assert.equal(packets.length, 1);
    assert.ok(performance.now() - begin < 10_000);
  });

  it('holds no more of an endless file than what it has not given out', async function () {
    this.timeout(60_000);
    const chunk = pcapng(10_000).subarray(start.length);
    const describe = s.interface([]);
    const sections = Buffer.concat([s.header(), describe, describe, describe]);
    function* endless(): Generator<Buffer> {
      yield start;
      for (let i = 0; i < 300; i++) yield i % 3 === 0 ? sections : Buffer.from(chunk);
    }
    let packets = 0;
    let batches = 0;
    let highest = 0;
    const before = process.memoryUsage().arrayBuffers;
    const reader = readPcap(endless());
    for await (const batch of reader) {
      packets += batch.length;
      if (++batches % 100 === 0) {
        globalThis.gc!();
        // Buffers that are found dead are freed a little later.
        await delay(1);
        globalThis.gc!();
        highest = Math.max(highest, process.memoryUsage().arrayBuffers - before);
      }
    }
    assert.equal(packets, 2_000_000);
    assert.equal(reader.interfaces.length, 3);
    assert.ok(highest < 32 * 1024 * 1024, `${highest} bytes of ${reader.bytes}`);
  });

  it('refuses inputs that are none, when it is called or when it reads', async () => {
    for (const input of [undefined, null, 7, {}, Symbol('x')] as unknown[])
      await assert.rejects(read(input as PcapInput), { name: 'TypeError', message: /readPcap takes a path, a Buffer/ });
    await assert.rejects(read(Readable.from(['text'])), { name: 'TypeError', message: /a chunk of it is string/ });
    await assert.rejects(read([pcapOf(1), 'text'] as unknown as Buffer[]), TypeError);
    await assert.rejects(read(join(folder, 'nowhere')), { code: 'ENOENT' });
    await assert.rejects(read(folder), { code: 'EISDIR' });
  });

  it('closes the file, or destroys the stream, when the loop is left, when it fails and when it ends', async () => {
    const path = keep('many.pcapng', pcapng(100_000));
    for await (const batch of readPcap(path)) {
      assert.ok(batch.length > 0 && openOn(path) === 1);
      break;
    }
    const wrong = keep('wrong.pcapng', Buffer.concat([pcapng(10), Buffer.alloc(3_000_000)]));
    assert.equal((await read(wrong)).error?.code, 'ERR_INVALID_FILE');
    assert.equal((await read(path)).packets.length, 100_000);
    await delay(20);
    assert.deepEqual([openOn(path), openOn(wrong)], [0, 0]);
    const stream = createReadStream(path);
    for await (const batch of readPcap(stream)) if (batch.length > 0) break;
    assert.ok(stream.destroyed);
    let ended = false;
    function* chunks(): Generator<Buffer> {
      try {
        for (;;) yield pcapng(1);
      } finally {
        ended = true;
      }
    }
    for await (const batch of readPcap(chunks())) if (batch.length > 0) break;
    assert.ok(ended);
  });

  it('a compressed file: leaving the loop closes it, and the loop hears of one that is not there or no gzip', async () => {
    const unpacked = (path: string): Readable => pipeline(createReadStream(path), createGunzip(), () => undefined);
    const path = keep('packed.pcap.gz', gzipSync(pcapOf(3000)));
    for (let round = 0; round < 5; round++)
      for await (const batch of readPcap(unpacked(path))) {
        assert.ok(batch.length > 0);
        break;
      }
    await until(() => openOn(path) === 0, 5000, 'the file is closed');
    await assert.rejects(read(unpacked(`${path}.missing`)), { code: 'ENOENT' });
    await assert.rejects(read(unpacked(keep('plain.pcap', pcapOf(1)))), { code: 'Z_DATA_ERROR' });
  });

  it('an abort ends the wait for bytes that never come, with the reason', async () => {
    const reason = new Error('enough');
    const silent = async function* (): AsyncGenerator<Buffer> {
      yield pcapng(1);
      await new Promise(() => undefined);
    };
    for (const make of [() => new PassThrough().on('error', () => undefined), silent]) {
      const abort = new AbortController();
      const source = make();
      if (source instanceof PassThrough) source.write(pcapng(1));
      const reader = readPcap(source, { signal: abort.signal });
      const batches = reader[Symbol.asyncIterator]();
      assert.equal(((await batches.next()).value as PacketBatch).length, 1);
      const next = batches.next();
      setTimeout(() => abort.abort(reason), 10);
      await assert.rejects(next, reason);
      if (source instanceof PassThrough) assert.ok(source.destroyed);
    }
    const aborted = AbortSignal.abort(reason);
    for (const input of [pcapng(1), [pcapng(1)], keep('abort.pcapng', pcapng(1))])
      await assert.rejects(readPcap(input, { signal: aborted })[Symbol.asyncIterator]().next(), reason);
  });

  it('an abort while the loop has a batch ends the iteration when it goes on, with the reason', async () => {
    const reason = new Error('enough');
    const silent = async function* (): AsyncGenerator<Buffer> {
      yield pcapng(1);
      await new Promise(() => undefined);
    };
    const { path, close } = pipe('abort.fifo', pcapng(1));
    try {
      const stream = new PassThrough();
      stream.write(pcapng(1));
      for (const make of [silent, () => path, () => stream, (signal: AbortSignal) => Readable.from(silent(), { signal })]) {
        const abort = new AbortController();
        const loop = async (): Promise<void> => {
          for await (const batch of readPcap(make(abort.signal), { signal: abort.signal })) {
            assert.equal(batch.length, 1);
            abort.abort(reason);
          }
        };
        await assert.rejects(within(loop(), 2000, 'the end of the loop'), reason);
      }
      assert.ok(stream.destroyed);
    } finally {
      close();
    }
  });

  it('a loop over a pipe may be left while nothing comes', async () => {
    const { path, close } = pipe('left.fifo', pcapng(1));
    try {
      const loop = async (): Promise<void> => {
        for await (const batch of readPcap(path)) if (batch.length === 1) break;
      };
      await within(loop(), 2000, 'the end of the loop');
    } finally {
      close();
    }
  });

  it('a source is told that the loop is left, and waited for', async () => {
    let ended = false;
    const source = async function* (): AsyncGenerator<Buffer> {
      try {
        for (;;) yield pcapng(1);
      } finally {
        await delay(5);
        ended = true;
      }
    };
    for await (const batch of readPcap(source())) if (batch.length > 0) break;
    assert.ok(ended);
  });

  it('an abort by a timer comes through while a Buffer is read', async () => {
    const file = pcapng(200_000);
    let packets = 0;
    const signal = AbortSignal.timeout(1);
    await assert.rejects(
      async () => {
        for (;;) for await (const batch of readPcap(file, { signal })) packets += batch.length;
      },
      { name: 'TimeoutError' },
    );
    assert.ok(packets < 10_000_000);
  });

  it('skips blocks that hold no packets without giving out empty batches', async () => {
    const file = Buffer.concat([start, ...Array<Buffer>(50_000).fill(s.block(0x7777, [u32(0)])), s.enhanced(arpRequest(1))]);
    let batches = 0;
    for await (const batch of readPcap(cut(file, () => 1000))) batches += batch.length === 1 ? 1 : 1000;
    assert.equal(batches, 1);
  });
});
