/** What inject-out takes as frames, values from the sandbox of a function node included. */
import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { framesOfFile } from '../../nodes/runtime/capture/capture-file';
import { framesOf, type Frames, type Input } from '../../nodes/runtime/frames';
import { isPacketBatch, PacketBatch } from '../../src/batches/batch';
import { numberedFrame, pcapFile } from '../support/witness';

const bytesOf = (frames: Frames): Buffer[] => {
  const all: Buffer[] = [];
  for (let first = 0; first < frames.length; first = frames.runEnd(first)) {
    const part = frames.slice(first, frames.runEnd(first));
    for (const frame of part as Iterable<Uint8Array | { data: Uint8Array }>) all.push(Buffer.from('data' in frame ? frame.data : frame));
  }
  return all;
};
const outcome = ({ frames, refused, problem }: Input): [Buffer[], number, string | undefined] => [
  bytesOf(frames),
  refused,
  problem?.message,
];

describe('frames of a payload', () => {
  const frame = numberedFrame(1);

  it('one frame: Buffer, Uint8Array, packet object', () => {
    for (const payload of [frame, new Uint8Array(frame), { data: frame }])
      assert.deepEqual(outcome(framesOf(payload)), [[frame], 0, undefined]);
  });

  it('a batch, and arrays of frames and packet objects', () => {
    const batch = PacketBatch.from([frame, numberedFrame(2)]);
    assert.deepEqual(outcome(framesOf(batch)), [[frame, numberedFrame(2)], 0, undefined]);
    assert.deepEqual(outcome(framesOf(batch.toArray())), [[frame, numberedFrame(2)], 0, undefined]);
    assert.deepEqual(outcome(framesOf([frame, { data: numberedFrame(3) }])), [[frame, numberedFrame(3)], 0, undefined]);
    assert.deepEqual(outcome(framesOf([])), [[], 0, undefined]);
    assert.deepEqual(outcome(framesOf(batch.select([]))), [[], 0, undefined]);
  });

  it('values of another realm', () => {
    const made = runInNewContext('[new Uint8Array(60), { data: new Uint8Array(70) }, Buffer.alloc(80)]', { Buffer }) as unknown;
    assert.ok(!(made instanceof Array));
    assert.deepEqual(
      bytesOf(framesOf(made).frames).map(({ length }) => length),
      [60, 70, 80],
    );
    assert.equal(framesOf(made).refused, 0);
    assert.equal(framesOf(runInNewContext('new Uint8Array(60)')).frames.length, 1);
  });

  it('what is no frame is named; the rest is kept, under its own index', () => {
    const input = framesOf([frame, 'abc', frame, null, 42, { data: 'xyz' }, new Uint32Array(20), [frame], frame]);
    assert.equal(input.frames.length, 3);
    assert.equal(input.refused, 6);
    assert.match(input.problem!.message, /^payload\[1\] is "abc": a frame is a Buffer/);
    assert.deepEqual([input.frames.nameOf(1), input.frames.nameOf(2)], ['payload[2]', 'payload[8]']);
    // eslint-disable-next-line no-sparse-arrays -- that is the point
    assert.match(framesOf([frame, , frame]).problem!.message, /^payload\[1\] is undefined/);
  });

  it('payloads that are no frames', () => {
    for (const payload of [
      undefined,
      null,
      7,
      'text',
      true,
      {},
      { data: 'x' },
      new Uint32Array(20),
      new ArrayBuffer(60),
      () => frame,
      7n,
    ]) {
      const { frames, refused, problem } = framesOf(payload);
      assert.deepEqual([frames.length, refused], [0, 1]);
      assert.match(problem!.message, /^payload is /);
    }
  });

  it('keeps the status of captured packets, which says what checksums are unfinished', () => {
    const [packet] = PacketBatch.from([{ data: frame, status: { csumNotReady: true } as never }]).toArray();
    const { data, ...metadata } = packet!;
    for (const { frames } of [framesOf([packet]), framesOf(data, metadata)]) {
      const batch = frames.slice(0, 1);
      assert.ok(isPacketBatch(batch));
      assert.ok(batch.packet(0).status.csumNotReady);
    }
    assert.ok(Array.isArray(framesOf([{ data: frame }]).frames.slice(0, 1)));
  });

  it('walks several batches as one', () => {
    const file = pcapFile(Array.from({ length: 2500 }, (_, i) => numberedFrame(i)));
    const { frames } = framesOfFile(file);
    assert.equal(frames.length, 2500);
    assert.deepEqual([frames.runEnd(0), frames.runEnd(1024), frames.runEnd(2499)], [1024, 2048, 2500]);
    assert.deepEqual([frames.lengthAt(2400), frames.lengthAt(3)], [64, 64]);
    assert.deepEqual(bytesOf(frames)[2400], numberedFrame(2400));
    assert.equal(frames.byteLength, 2500 * 64);
  });
});

describe('frames of a file', () => {
  it('what stands before a cut is kept, and the cut is the problem', () => {
    const file = pcapFile([numberedFrame(0), numberedFrame(1)]).subarray(0, 24 + 16 + 64 + 16 + 10);
    const { frames, refused, problem } = framesOfFile(file);
    assert.deepEqual([frames.length, refused], [1, 0]);
    assert.match(problem!.message, /truncated/);
  });

  it('what is no file, or not Ethernet, is a problem', () => {
    assert.match(framesOfFile('text').problem!.message, /payload is "text": with input "file"/);
    assert.match(framesOfFile(Buffer.from('certainly not a capture')).problem!.message, /invalid capture file/);
    assert.match(framesOfFile(Buffer.alloc(0)).problem!.message, /truncated/);
    const raw = pcapFile([numberedFrame(0)]);
    raw.writeUInt32LE(101, 20);
    const { frames, refused, problem } = framesOfFile(raw);
    assert.deepEqual([frames.length, refused], [0, 1]);
    assert.match(problem!.message, /not Ethernet/);
  });
});
