/** PreTrigger: what it lets go of, by a model of it that knows no batches, and what it takes for that. The files are judged in pcap-rotating.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { PacketBatch, PreTrigger, type PreTriggerOptions } from '@netring/node-red';
import { random } from './pcap-files';
import { borrowed, requests } from './pcap-requests';

interface Sent {
  text: string;
  bytes: number;
  ns: bigint;
}

const textsOf = (batch: PacketBatch): string[] =>
  Array.from(batch, (packet) => {
    const { timestampNs, originalLength, direction, data } = packet;
    return `${batch.interface} ${batch.member} ${timestampNs} ${originalLength} ${direction} ${data.toString('latin1')}`;
  });

/** Notes what a trigger lets go of. */
function texts(trigger: PreTrigger): string[] {
  const list: string[] = [];
  trigger.on('data', (batch: PacketBatch) => list.push(...textsOf(batch)));
  return list;
}

/** The newest of `sent` within the bounds. */
function wanted(sent: readonly Sent[], { maxBytes = Infinity, maxSeconds }: PreTriggerOptions): string[] {
  let room = maxBytes;
  let first = sent.length;
  while (first > 0 && (room -= sent[first - 1]!.bytes) >= 0) first--;
  const oldest = maxSeconds === undefined ? 0n : sent.at(-1)!.ns - BigInt(maxSeconds) * 1_000_000_000n;
  return sent
    .slice(first)
    .filter(({ ns }) => ns >= oldest)
    .map(({ text }) => text);
}

/** Bytes of this process that something holds. */
async function heldBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc!();
    // Buffers that are found dead are freed a little later.
    await delay(5);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('PreTrigger and its memory', function () {
  this.timeout(30_000);

  /** A batch of one packet as a capture with latency immediate gives it: of two interfaces in turn. */
  const single = (i: number): PacketBatch => requests(i, i + 1, { name: `eth${i % 2}` });

  it('lets go of the same packets whatever batches they came in', async () => {
    const next = random(0x74726967);
    const bounds: PreTriggerOptions[] = [
      { maxBytes: 5000 },
      { maxBytes: 150_000 },
      { maxSeconds: 2 },
      { maxSeconds: 20, maxBytes: 70_000 },
    ];
    for (const options of bounds)
      for (const largest of [1, 5, 90, 700]) {
        const trigger = new PreTrigger(options);
        const seen = texts(trigger);
        const sent: Sent[] = [];
        let ns = 1_700_000_000_000_000_000n;
        for (let i = 0; i < 200; i++) {
          const frames = Array.from({ length: 1 + (next() % largest) }, () => {
            ns += BigInt(next() % 8_000_000);
            const data = Buffer.alloc(next() % (next() % 20 === 0 ? 1500 : 120), next());
            return {
              data,
              originalLength: data.length + (next() % 3),
              timestamp: { sec: Number(ns / 1_000_000_000n), nsec: Number(ns % 1_000_000_000n) },
              direction: next() % 2 === 0 ? ('host' as const) : ('outgoing' as const),
            };
          });
          // Now and then in memory that is mostly others'.
          const large = next() % 5 === 0 ? [{ data: Buffer.alloc(150_000) }] : [];
          const all = PacketBatch.from([...frames, ...large], { interface: next() % 4 === 0 ? 'eth1' : 'eth0' });
          const batch = all.select(frames.keys());
          trigger.write(batch);
          const lines = textsOf(batch);
          sent.push(...lines.map((text, k) => ({ text, bytes: batch.lengthAt(k) + 44, ns: batch.timestampNsAt(k) })));
          if (i % 40 === 0) assert.equal(trigger.heldPackets, wanted(sent, options).length);
        }
        trigger.trigger();
        await delay(1);
        assert.deepEqual(seen, wanted(sent, options));
        trigger.stop();
        trigger.write(single(7));
        assert.equal(trigger.heldPackets, 1);
        trigger.destroy();
      }
  });

  it('joins small batches of an interface, and no others', async () => {
    const trigger = new PreTrigger({ maxBytes: 1_000_000 });
    const batches: PacketBatch[] = [];
    trigger.on('data', (batch: PacketBatch) => batches.push(batch));
    const writeAll = (first: number, end: number, name: string): void => {
      for (let i = first; i < end; i++) trigger.write(requests(i, i + 1, { name }));
    };
    writeAll(0, 20, 'eth0');
    writeAll(20, 25, 'eth1');
    trigger.write(PacketBatch.from([Buffer.alloc(60)], { interface: 'eth1', linkType: 803 }));
    trigger.write(requests(25, 1025));
    writeAll(1025, 1030, 'eth0');
    trigger.trigger();
    await delay(1);
    assert.deepEqual(
      batches.map((batch) => [batch.interface, batch.length]),
      [...[['eth0', 20] as const, ['eth1', 5] as const], ['eth1', 1], ['eth0', 1000], ['eth0', 5]],
    );
    trigger.destroy();
  });

  it('holds batches of one packet in twice their bytes at most, whatever lies between them', async () => {
    for (const between of [undefined, requests(0, 400)]) {
      const trigger = new PreTrigger({ maxBytes: 2_000_000 });
      const before = await heldBytes();
      for (let i = 0; i < 20_000 && trigger.heldPackets < 19_000; i++) {
        trigger.write(single(i));
        if (between) trigger.write(between.copy());
      }
      assert.ok(trigger.heldPackets > 18_000);
      const held = (await heldBytes()) - before;
      // 4.2 MB, and what the process does meanwhile: 0.5 MB after all other tests. A batch held for each packet would be 16 MB.
      assert.ok(held < 6_500_000, `${held} bytes`);
      trigger.destroy();
    }
  });

  it('a write costs no more for what is held already', () => {
    const trigger = new PreTrigger({ maxBytes: 16_000_000 });
    const batch = single(0);
    for (let i = 0; i < 160_000; i++) trigger.write(batch);
    const rounds = Array.from({ length: 3 }, () => {
      const begin = performance.now();
      for (let i = 0; i < 5000; i++) trigger.write(batch);
      return (performance.now() - begin) / 5;
    });
    assert.ok(Math.min(...rounds) < 15, `${rounds.join(', ')} us`);
    trigger.destroy();
  });

  it('a borrowed batch may be released when write() and end() return, however long it waits', async () => {
    const trigger = new PreTrigger({ maxBytes: 1_000_000 });
    trigger.trigger();
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    for (const i of numbers) trigger.write(single(i));
    for (const hand of [(view: PacketBatch) => trigger.write(view), (view: PacketBatch) => trigger.end(view)]) {
      const view = borrowed(requests(0, 20));
      hand(view);
      view.release();
    }
    const seen = texts(trigger);
    await once(trigger, 'end');
    assert.deepEqual(seen, [...numbers.flatMap((i) => textsOf(single(i))), ...textsOf(requests(0, 20)), ...textsOf(requests(0, 20))]);
  });
});
