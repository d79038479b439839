import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { isPacketBatch, PacketBatch, type OwnedPacket, type Timestamp } from '@netring/node-red';

const frames = [Buffer.from('aaaaaaaaaaaabbbbbbbbbbbb0800', 'hex'), Buffer.alloc(60, 7), Buffer.alloc(1514, 9)];

describe('PacketBatch', () => {
  it('holds what it was made of', () => {
    const batch = PacketBatch.from(frames, { interface: 'eth9', seqNum: 2 ** 33 + 5 });
    assert.equal(batch.length, 3);
    assert.equal(batch.byteLength, 14 + 60 + 1514);
    assert.equal(batch.originalByteLength, batch.byteLength);
    assert.equal(batch.seqNum, 2 ** 33 + 5);
    assert.deepEqual(
      Array.from(batch, (packet) => packet.data),
      frames,
    );
    assert.equal(batch.protocolAt(0), 0x0800);
    assert.equal(batch.clock, 'software');
    assert.equal(batch.vlanAt(0), null);
    frames.forEach((frame, i) => assert.deepEqual(batch.bytes.subarray(batch.offsetAt(i), batch.offsetAt(i) + batch.lengthAt(i)), frame));
  });

  it('keeps every field of a packet object', () => {
    const packet: OwnedPacket = {
      data: Buffer.alloc(60, 1),
      length: 60,
      originalLength: 2000,
      timestamp: { sec: 4_000_000_000, nsec: 999_999_999 },
      status: {
        truncated: true,
        losing: false,
        csumNotReady: true,
        vlanValid: true,
        vlanTpidValid: true,
        csumValid: false,
        gsoTcp: true,
      },
      direction: 'other-host',
      rxhash: 0xdeadbeef,
      vlanTci: 0x6064,
      vlanTpid: 0x88a8,
      protocol: 0x88cc,
      sourceAddress: '02:00:00:00:00:ff',
    };
    const batch = PacketBatch.from([packet]);
    assert.deepEqual(batch.toArray(), [packet]);
    assert.equal(batch.timestampNsAt(0), 4_000_000_000_999_999_999n);
    assert.deepEqual(batch.vlanAt(0), { tci: 0x6064, tpid: 0x88a8 });
    assert.doesNotThrow(() => JSON.stringify(batch.toArray()));
  });

  it('selects, filters and copies', () => {
    const batch = PacketBatch.from(frames);
    assert.deepEqual(
      Array.from(batch.select([2, 0]), (packet) => packet.length),
      [1514, 14],
    );
    assert.deepEqual(
      Array.from(
        batch.filter((packet) => packet.length > 20),
        (packet) => packet.length,
      ),
      [60, 1514],
    );
    const copy = batch.copy();
    copy.dataAt(1)[0] = 99;
    assert.equal(batch.dataAt(1)[0], 7);
    assert.equal(copy.dataAt(1)[0], 99);
    assert.equal(PacketBatch.from([]).copy().length, 0);
  });

  it('cannot be changed and refuses what it does not have', () => {
    const batch = PacketBatch.from(frames);
    assert.equal(Object.isFrozen(batch), true);
    assert.deepEqual(Object.keys(batch), []);
    for (const index of [-1, 3, 0.5, NaN, 2 ** 32]) assert.throws(() => batch.dataAt(index), RangeError);
    assert.throws(() => batch.select([3]), RangeError);
    for (const wrong of [null, 'x', {}, { data: 'text' }, new Uint16Array(30), new DataView(new ArrayBuffer(20))]) {
      assert.throws(() => PacketBatch.from([frames[0], wrong] as Uint8Array[]), { name: 'TypeError', message: /frames\[1\]/ });
    }
    for (const wrong of [1, null, undefined])
      assert.throws(() => batch.select(wrong as unknown as number[]), { name: 'TypeError', message: /^indices are / });
  });

  it('is of the link type of its packets, which has to be one', () => {
    const data = Buffer.alloc(60);
    const raw = PacketBatch.from([data], { linkType: 65534 });
    assert.deepEqual([raw.linkType, raw.packet(0).linkType, raw.toArray()[0]?.linkType], [65534, 65534, 65534]);
    const { linkType } = JSON.parse(JSON.stringify(raw.toArray()[0])) as OwnedPacket;
    for (const packets of [[...raw], raw.toArray(), [{ data, linkType: linkType! }]])
      assert.equal(PacketBatch.from(packets).linkType, 65534);
    assert.equal(PacketBatch.from(raw, { linkType: 1 }).linkType, 1, 'as is said');
    const loopback = PacketBatch.from([data], { linkType: 772 });
    assert.deepEqual([loopback.linkType, 'linkType' in loopback.toArray()[0]!], [772, false]);
    assert.equal(PacketBatch.from([data, ...loopback]).linkType, 1);
    assert.throws(() => PacketBatch.from([data, ...raw]), {
      name: 'TypeError',
      message: /^frames\[1\] has link type 65534, those before it have 1: /,
    });
    assert.throws(() => PacketBatch.from([{ data, linkType: -1 }]), { name: 'TypeError', message: /^frames\[0\]\.linkType is -1/ });
  });

  it('refuses times and lengths that are none: they would be told as evidence', () => {
    const data = Buffer.alloc(60);
    const times = [
      new Date(),
      Date.now(),
      null,
      {},
      { sec: 1 },
      { sec: -1, nsec: 0 },
      { sec: 1.5, nsec: 0 },
      { sec: 1, nsec: 1e9 },
      { sec: 1n, nsec: 0n },
    ];
    for (const timestamp of times)
      assert.throws(() => PacketBatch.from([data, { data, timestamp: timestamp as Timestamp }]), {
        name: 'TypeError',
        message: /^frames\[1\]\.timestamp is .*, no \{ sec, nsec \} of whole seconds/,
      });
    for (const originalLength of [NaN, -1, 1.5, '1500' as unknown as number])
      assert.throws(() => PacketBatch.from([{ data, originalLength }]), { name: 'TypeError', message: /^frames\[0\]\.originalLength is / });
  });

  it('release of an owned batch does nothing', () => {
    const batch = PacketBatch.from(frames);
    batch.release();
    batch[Symbol.dispose]();
    assert.equal(batch.length, 3);
    assert.equal(batch.borrowed, false);
  });

  it('is known in another realm, and shown small', () => {
    const batch = PacketBatch.from(frames, { interface: 'eth9' });
    assert.equal(runInNewContext('isPacketBatch(batch) && batch.length', { isPacketBatch, batch }), 3);
    assert.equal(isPacketBatch({ length: 3 }), false);
    assert.equal(isPacketBatch(null), false);
    assert.match(String(batch), /^PacketBatch eth9 #0: 3 packets, 1588 bytes\n.*\n.*\n.*length 1514$/);
    assert.equal(inspect(batch), String(batch));
    assert.ok(JSON.stringify(PacketBatch.from(Array<Buffer>(1000).fill(frames[2]!))).length < 1500);
    assert.equal(Object.prototype.toString.call(batch), '[object PacketBatch]');
  });
});
