import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { AsyncXdpSocket, PacketBatch, XdpSocket, type XdpSocketOptions } from '../../src/index';
import { batchMemory } from '../../src/batches/batch';
import {
  Header,
  HEADER_WORDS,
  LoopEvent,
  native,
  RECORD_WORDS,
  SendResult,
  type LoopListener,
  type NativeAddon,
  type NativeInterface,
  type NativeXdpConfig,
  type NativeXdpSocket,
} from '../../src/native';

const { EAGAIN, ENETDOWN } = constants.errno;
const ACCEPT = '1,6 0 0 262144';
const FRAME = Buffer.from('ffffffffffff02000000000188b5', 'hex');

/** What stands in for the kernel: frames are put into it by hand, and what is sent stays in it. */
class FakeXdp implements NativeXdpSocket {
  static opened: FakeXdp[] = [];
  readonly header = new Uint32Array(HEADER_WORDS);
  readonly index = new Uint32Array(RECORD_WORDS * 64);
  readonly fd = 42;
  readonly interfaceName: string;
  linkUp = true;
  readonly linkType = 1;
  readonly warnings = ['from the core'];
  readonly queues: number[];
  readonly zeroCopy = false;
  readonly attachMode: number;
  attached = true;
  readonly maxFrameLength = 1514;
  readonly frameCapacity: number;
  readonly frameCount: number;
  hasRoom = true;
  bufferedBytes = 0;
  closed = false;
  armed = 0;
  /** errno of the next sending calls. */
  refuse: number[] = [];
  readonly waiting: Buffer[] = [];
  readonly sent: Buffer[] = [];
  readonly filters: Uint8Array[] = [];
  listener: LoopListener | undefined;
  #out = false;
  readonly #slots: Buffer[] = [];
  readonly #slot: Uint8Array;

  constructor(
    readonly config: NativeXdpConfig,
    readonly sharedUmem?: NativeXdpSocket,
  ) {
    this.interfaceName = config.interface;
    this.queues = config.queueId < 0 ? [0, 1] : [config.queueId];
    this.attachMode = config.attach === 3 ? 0 : 2;
    this.frameCapacity = config.frameSize;
    this.frameCount = config.frameCount - config.rxFrames;
    this.#slot = new Uint8Array(config.frameSize);
    FakeXdp.opened.push(this);
  }

  #next(): { batch: PacketBatch; memory: ReturnType<typeof batchMemory> } | undefined {
    const frames = this.waiting.splice(0);
    if (frames.length === 0) return undefined;
    const batch = PacketBatch.from(frames);
    return { batch, memory: batchMemory(batch) };
  }
  borrow(): ArrayBuffer | null {
    assert.ok(!this.#out);
    const next = this.#next();
    if (next === undefined) return null;
    this.#out = true;
    this.header[Header.Count] = next.batch.length;
    this.header[Header.ByteLength] = next.batch.byteLength;
    this.index.set(next.memory.index);
    return new Uint8Array(next.memory.bytes).buffer;
  }
  release(): void {
    this.#out = false;
  }
  take(): ArrayBuffer | null | undefined {
    const next = this.#next();
    if (next === undefined) return null;
    const { bytes, index } = next.memory;
    const slab = new ArrayBuffer(HEADER_WORDS * 4 + index.byteLength + bytes.byteLength);
    const header = new Uint32Array(slab, 0, HEADER_WORDS);
    header[Header.Count] = next.batch.length;
    header[Header.ByteLength] = next.batch.byteLength;
    header[Header.BytesOffset] = HEADER_WORDS * 4 + index.byteLength;
    new Uint32Array(slab, HEADER_WORDS * 4, index.length).set(index);
    new Uint8Array(slab, HEADER_WORDS * 4 + index.byteLength).set(bytes);
    return slab;
  }
  wait(): boolean {
    return this.waiting.length > 0;
  }
  allocate(): number {
    return this.#slots.length < this.frameCount ? this.#slots.length : -1;
  }
  slotData(): Uint8Array {
    return this.#slot;
  }
  sendSlot(length: number): void {
    this.#slots.push(Buffer.from(this.#slot.subarray(0, length)));
  }
  flush(result: Int32Array): void {
    this.#send(result, this.#slots.splice(0));
  }
  pendingCount(): number {
    return this.#slots.length;
  }
  inFlightBytes(): number {
    return 0;
  }
  availableSlots(): number {
    return this.frameCount - this.#slots.length;
  }
  rejectedSlots(): number {
    return 0;
  }
  sendIndexed(): void {
    throw new Error('not needed here');
  }
  sendFrames(frames: readonly Uint8Array[], first: number, end: number, result: Int32Array): void {
    this.#send(
      result,
      frames.slice(first, end).map((frame) => Buffer.from(frame)),
    );
  }
  #send(result: Int32Array, frames: readonly Buffer[]): void {
    result.fill(0);
    result[SendResult.FirstRejected] = -1;
    const refused = this.refuse.shift();
    if (refused !== undefined) return void (result[SendResult.Errno] = refused);
    this.sent.push(...frames);
    result[SendResult.Sent] = frames.length;
    result[SendResult.Consumed] = frames.length;
    result[SendResult.Bytes] = frames.reduce((sum, frame) => sum + frame.length, 0);
  }
  setFilter(filter: Uint8Array): void {
    this.filters.push(filter);
  }
  statistics(out: Float64Array): void {
    out.fill(0);
    out[5] = this.sent.length;
    out[8] = 3;
    out[12] = 3;
  }
  watch(listener: LoopListener): void {
    this.listener = listener;
  }
  arm(): void {
    this.armed++;
    if (this.waiting.length > 0) setImmediate(() => this.listener?.(LoopEvent.Ready, 0));
  }
  disarm(): void {}
  ref(): void {}
  unref(): void {}
  close(): void {
    this.closed = true;
  }
}

const LINK: Omit<NativeInterface, 'name'> = {
  altNames: [],
  index: 2,
  mtu: 1500,
  flags: 1,
  linkType: 1,
  address: '',
  carrier: true,
  operState: 6,
  queues: 2,
  sendQueues: 2,
  combinedQueues: 0,
  speed: 0,
  driver: '',
  offloads: {
    vlanStripping: false,
    largeReceive: false,
    genericReceive: false,
    genericSegmentation: false,
    tcpSegmentation: false,
    receiveChecksum: false,
    sendChecksum: false,
  },
  addresses: [],
  defaultRoute: false,
};

const open = (options: Partial<XdpSocketOptions> = {}): [XdpSocket, FakeXdp] => [
  XdpSocket.builder({ interface: 'eth0', filter: ACCEPT, ...options }).build(),
  FakeXdp.opened.at(-1)!,
];
const openAsync = (options: Partial<XdpSocketOptions> = {}): [AsyncXdpSocket, FakeXdp] => {
  const [socket, fake] = open(options);
  return [new AsyncXdpSocket(socket), fake];
};

describe('xdp: the socket over a stand-in for the kernel', () => {
  let addon: NativeAddon;
  let real: NativeAddon;

  before(() => {
    addon = native();
    real = { ...addon };
    addon.XdpSocket = FakeXdp;
    addon.interfaces = () => ['eth0', 'eth1'].map((name) => ({ ...LINK, name }));
  });
  after(() => void Object.assign(addon, real));

  it('reads borrowed batches, and packets one by one', () => {
    const [socket, fake] = open();
    assert.equal(socket.nextBatch(), null);
    fake.waiting.push(FRAME, FRAME);
    const batch = socket.nextBatchBlocking(10);
    assert.equal(batch?.length, 2);
    assert.equal(batch.interface, 'eth0');
    assert.deepEqual(batch.dataAt(1), FRAME);
    fake.waiting.push(FRAME, FRAME, FRAME);
    const [first] = socket.packetsFor(1000);
    assert.deepEqual(first?.data, FRAME);
    assert.equal(batch.length, 0, 'ended by the next reading call');
    socket.close();
    assert.ok(fake.closed);
  });

  it('sends by slots and by batches', () => {
    const [socket, fake] = open();
    const slot = socket.allocate(14);
    slot!.data.set(FRAME);
    slot!.send();
    assert.equal(socket.send(FRAME), true);
    assert.equal(socket.pendingCount, 2);
    assert.equal(socket.flush(), 2);
    assert.equal(socket.sendBatch([FRAME, FRAME, FRAME]), 3);
    socket.waitDrained(100);
    assert.equal(fake.sent.length, 5);
    assert.deepEqual(fake.sent[0], FRAME);
    assert.equal(socket.cumulativeStats().sent, 5);
    fake.refuse.push(ENETDOWN);
    assert.throws(() => socket.sendBatch(FRAME), { kind: 'Io', code: 'ENETDOWN' });
    socket.send(FRAME);
    socket.close();
    assert.equal(fake.sent.length, 6, 'closing hands over what waits');
    assert.throws(() => socket.send(FRAME), { code: 'ECANCELED', message: /the XDP socket on eth0 is closed/ });
  });

  it('says what it is', () => {
    const [socket] = open({ queueId: 'all', attach: 'skb' });
    assert.deepEqual(
      [socket.fd, socket.interface, socket.linkUp, socket.boundMode, socket.attachMode, socket.attached, socket.queues],
      [42, 'eth0', true, 'copy', 'skb', true, [0, 1]],
    );
    assert.deepEqual([socket.frameCount, socket.frameCapacity, socket.maxFrameLength], [2048, 4096, 1514]);
    assert.deepEqual(socket.warnings, ['from the core']);
    assert.equal(socket.statistics().dropped, 3);
    assert.equal(socket.stats().drops, 0, 'since the last call, or since open');
    socket.close();
    socket.close();
    assert.equal(socket.fd, -1);
    assert.equal(socket.attached, false);
    assert.equal(socket.statistics().rx_fill_ring_empty_descs, 3);
    const [alone] = open({ attach: 'none', filter: null, mapPin: '/sys/fs/bpf/xsks' });
    assert.equal(alone.attachMode, null);
    alone.close();
  });

  it('asks the interface before the kernel', () => {
    assert.throws(() => open({ interface: 'eth9' }), { kind: 'InterfaceNotFound' });
    assert.throws(() => open({ queueId: 2 }), { kind: 'Config', option: 'queueId', message: /eth0 has 2 queues \(0 to 1\)$/ });
  });

  it('swaps the filter of its own program only', () => {
    const [socket, fake] = open();
    socket.setFilter(ACCEPT);
    socket.detachFilter();
    assert.deepEqual(
      fake.filters.map((filter) => filter.length),
      [8, 0],
    );
    assert.throws(() => socket.setFilter('1,6 0 0'), { kind: 'Config', option: 'filter' });
    socket.close();
    const [foreign] = open({ attach: 'none', filter: null, mapPin: '/sys/fs/bpf/xsks' });
    assert.throws(() => foreign.setFilter(ACCEPT), { kind: 'Config', option: 'filter', message: /attach none leaves out/ });
    foreign.close();
  });

  it('refuses what its mode leaves out, and says why', async () => {
    const [sender] = open({ mode: 'tx', filter: null });
    for (const read of [
      () => sender.nextBatch(),
      () => sender.nextBatchBlocking(0),
      () => [...sender.packetsFor(50)],
      () => sender.setFilter(null),
    ])
      assert.throws(read, { name: 'TypeError', message: 'this socket only sends (mode tx): to receive open it with mode rxtx or rx' });
    assert.equal(sender.sendBatch(FRAME), 1);
    const [receiver] = open({ mode: 'rx' });
    for (const send of [
      () => receiver.allocate(14),
      () => receiver.send(FRAME),
      () => receiver.sendBatch(FRAME),
      () => receiver.flush(),
      () => receiver.waitDrained(0),
    ])
      assert.throws(send, { name: 'TypeError', message: 'this socket only receives (mode rx): to send open it with mode rxtx or tx' });
    receiver.close();
    const [custom] = open({ mode: 'custom', filter: null });
    assert.throws(() => custom.nextBatch(), /mode custom with prefill 0/);
    custom.close();

    const shell = new AsyncXdpSocket(sender);
    await assert.rejects(shell.recv(), TypeError);
    await assert.rejects(shell.readable(), TypeError);
    assert.throws(() => shell.intoStream(), TypeError);
    await shell.send(FRAME);
    shell.close();
    const [reader] = openAsync({ mode: 'rx' });
    await assert.rejects(reader.sendBatch(FRAME), /only receives/);
    reader.close();
  });

  describe('shared memory', () => {
    it('is passed on, with its sizes', () => {
      const [socket, fake] = open({ frameSize: 2048, frameCount: 64 });
      const [second, other] = [XdpSocket.builder({ interface: 'eth0' }).sharedUmem(socket).build(), FakeXdp.opened.at(-1)!];
      assert.equal(other.sharedUmem, fake);
      assert.deepEqual([other.config.frameSize, other.config.frameCount, other.config.attach], [2048, 64, 3]);
      second.close();
      const [third] = open({ mode: 'tx', filter: null, sharedUmem: socket });
      assert.equal(FakeXdp.opened.at(-1)?.sharedUmem, fake);
      third.close();
      socket.close();
    });

    it('is refused for another interface or queue, a closed socket, and what is none', () => {
      const [socket] = open();
      const share =
        (options: object): (() => unknown) =>
        () =>
          open({ sharedUmem: socket, ...options });
      assert.throws(share({ interface: 'eth1' }), {
        kind: 'Config',
        option: 'sharedUmem',
        message: /bound to eth0, but interface is "eth1"/,
      });
      assert.throws(share({ queueId: 1 }), { kind: 'Config', option: 'sharedUmem', message: /bound to queue 0, but queueId is 1/ });
      assert.throws(share({ sharedUmem: {} }), { kind: 'Config', option: 'sharedUmem' });
      socket.close();
      assert.throws(share({}), { kind: 'Config', option: 'sharedUmem', message: /is closed/ });
      const [taken] = open();
      const shell = new AsyncXdpSocket(taken);
      assert.throws(() => open({ sharedUmem: taken }), TypeError);
      shell.close();
    });
  });

  describe('on the event loop', () => {
    it('waits for frames, and hands them out owned or borrowed', async () => {
      const [socket, fake] = openAsync();
      const waiting = socket.recv();
      await new Promise(setImmediate);
      assert.equal(fake.armed, 1);
      fake.waiting.push(FRAME);
      fake.listener!(LoopEvent.Ready, 0);
      assert.deepEqual((await waiting).dataAt(0), FRAME);
      fake.waiting.push(FRAME, FRAME);
      const borrowed = await socket.tryRecvBatch();
      assert.ok(borrowed.borrowed);
      assert.equal(borrowed.length, 2);
      fake.waiting.push(FRAME);
      assert.equal((await socket.readable()).nextBatch()?.length, 1);
      assert.equal(socket.tryRecv(), null);
      socket.close();
      await assert.rejects(socket.recv(), { code: 'ECANCELED' });
    });

    it('iterates until it is closed, and streams until it is destroyed', async () => {
      const [socket, fake] = openAsync();
      fake.waiting.push(FRAME);
      let batches = 0;
      for await (const batch of socket) {
        batches += batch.length;
        setImmediate(() => socket.close());
      }
      assert.equal(batches, 1);

      const [other, kernel] = openAsync();
      const stream = other.intoStream();
      assert.equal(stream.socket, other);
      await assert.rejects(other.recv(), TypeError);
      assert.throws(() => other.close(), TypeError);
      await other.send(FRAME);
      kernel.waiting.push(FRAME);
      for await (const batch of stream) {
        assert.equal((batch as PacketBatch).length, 1);
        break;
      }
      assert.ok(kernel.closed);
    });

    it('waits for room by time, for nothing tells of it', async () => {
      const [socket, fake] = openAsync();
      fake.refuse.push(EAGAIN, EAGAIN, EAGAIN);
      const report = await socket.sendBatch([FRAME, FRAME]);
      assert.deepEqual(report, { sent: 2, rejected: 0, bytes: 28 });
      assert.equal(fake.armed, 0);
      await socket.waitDrained(100);
      fake.refuse.push(EAGAIN);
      const late = socket.send(FRAME);
      socket.close();
      await assert.rejects(late, { code: 'ECANCELED' });
    });

    it('reports what becomes of the link', async () => {
      const [socket, fake] = openAsync();
      const seen: string[] = [];
      for (const event of ['down', 'up', 'gone', 'error'] as const) socket.on(event, () => seen.push(event));
      const frame = socket.recv();
      fake.listener!(LoopEvent.Down, 0);
      fake.listener!(LoopEvent.Up, 0);
      fake.listener!(LoopEvent.Error, ENETDOWN);
      fake.listener!(LoopEvent.Gone, 0);
      await assert.rejects(frame, { kind: 'Io', code: 'ENODEV' });
      await assert.rejects(socket.send(FRAME), { code: 'ENODEV' });
      assert.deepEqual(seen, ['down', 'up', 'error', 'gone']);
      socket.close();
    });
  });
});
