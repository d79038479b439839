import assert from 'node:assert/strict';
import { Lab, promiscuity } from '../support/lab';
import { output } from '../support/process';
import { sendFrames, Witness } from '../support/witness';
import { until } from '../support/wait';
import { asyncCapture, collectPackets, frame, inBothModes, tagged } from './rx';

inBothModes('frames as they were on the wire', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  const TAGGED = {
    '802.1Q': tagged(frame('q'), [0x8100, 0x2064]),
    '802.1ad': tagged(frame('ad'), [0x88a8, 0x0007]),
    QinQ: tagged(frame('qinq'), [0x88a8, 0x6001], [0x8100, 0x0fff]),
    'two 802.1Q tags': tagged(frame('qq'), [0x8100, 1], [0x8100, 2]),
    'priority tag': tagged(frame('prio'), [0x8100, 0xe000]),
  };

  it('RX-11 VLAN tags are byte for byte what was sent, in owned and in borrowed batches', async () => {
    const wire = await lab.wire();
    const owned = asyncCapture(lab, { interface: wire.a });
    const borrowed = asyncCapture(lab, { interface: wire.a });
    const sent = Object.values(TAGGED);
    await sendFrames(lab, wire.b, sent);
    const packets = await collectPackets(owned, sent.length);
    assert.deepEqual(
      packets.map((packet) => packet.data),
      sent,
    );
    assert.deepEqual(
      packets.map((packet) => [packet.status.vlanValid, packet.vlanTpid, packet.vlanTci]),
      sent.map((bytes) => [true, bytes.readUInt16BE(12), bytes.readUInt16BE(14)]),
    );
    packets.forEach((packet, i) => assert.equal(packet.originalLength, sent[i]?.length));
    const signal = AbortSignal.timeout(3000);
    const views: Buffer[] = [];
    while (views.length < sent.length) {
      const batch = await borrowed.tryRecvBatch({ signal });
      for (let i = 0; i < batch.length; i++) views.push(Buffer.from(batch.dataAt(i)));
      assert.deepEqual(batch.vlanAt(0), { tci: 0x2064, tpid: 0x8100 });
    }
    assert.deepEqual(views, sent);
  });

  it('RX-12 loopback shows every packet once', async () => {
    lab.ip('link set lo up');
    const rx = asyncCapture(lab, { interface: 'lo' });
    output('ping', ['-c', '3', '-i', '0.05', '-s', '100', '127.0.0.1']);
    const packets = (await collectPackets(rx, 6)).filter((packet) => packet.originalLength === 142);
    const kinds = packets.map((packet) => packet.data[34]);
    assert.deepEqual(kinds, [8, 0, 8, 0, 8, 0]);
    assert.ok(packets.every((packet) => packet.direction !== 'outgoing'));
  });

  it('RX-12 ignoreOutgoing leaves out what this host sends', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, ignoreOutgoing: true });
    await sendFrames(lab, wire.a, [frame('out')]);
    await sendFrames(lab, wire.b, [frame('in')]);
    const packets = await collectPackets(rx, 1);
    assert.deepEqual(
      packets.map((packet) => packet.data.toString('latin1', 14, 16)),
      ['in'],
    );
  });

  it('RX-13 promiscuity is counted while open and 0 after close', async () => {
    const wire = await lab.wire();
    const first = asyncCapture(lab, { interface: wire.a, promiscuous: true });
    const second = asyncCapture(lab, { interface: wire.a, promiscuous: true });
    assert.equal(promiscuity(wire.a), 2);
    first.close();
    assert.equal(promiscuity(wire.a), 1);
    second.close();
    assert.equal(promiscuity(wire.a), 0);
  });

  it('RX-13 promiscuity is 0 after close although a view of the ring was carried away', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, promiscuous: true });
    await sendFrames(lab, wire.b, [frame('x')]);
    const batch = await rx.tryRecvBatch();
    const memory = batch.bytes.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
    // Node 20 has no transfer(): there the buffer is simply detached.
    const away = memory.transfer?.();
    rx.close();
    assert.equal(promiscuity(wire.a), 0);
    assert.equal(memory.byteLength, 0);
    // Safe to touch, whatever it holds.
    if (away !== undefined) assert.ok(new Uint8Array(away).every((byte) => byte <= 255));
  });

  it('RX-13 promiscuity is 0 after SIGKILL', async () => {
    const wire = await lab.wire();
    const script = `const {AsyncCapture,Capture}=require('@netring/node-red');
      new AsyncCapture(Capture.builder({interface:'${wire.a}',profile:'balanced',promiscuous:true}).build());console.error('open')`;
    const child = lab.start(process.execPath, ['-e', script]);
    await child.says('open');
    assert.equal(promiscuity(wire.a), 1);
    await child.stop('SIGKILL');
    await until(() => promiscuity(wire.a) === 0, 3000, 'promiscuity 0');
  });

  it('RX-13 promiscuous sees frames for other hosts, with their direction', async () => {
    const wire = await lab.wire();
    const rx = asyncCapture(lab, { interface: wire.a, promiscuous: true });
    const bytes = frame('other');
    bytes.set([2, 0, 0, 0, 0, 0x77], 0);
    await sendFrames(lab, wire.b, [bytes]);
    const [packet] = await collectPackets(rx, 1);
    assert.equal(packet?.direction, 'other-host');
  });

  it('RX-16 says whether a checksum is unfinished or checked', async () => {
    const wire = await lab.wire({ apart: true });
    lab.ip(`addr add 10.77.0.1/24 dev ${wire.a}`);
    lab.ip(`addr add 10.77.0.2/24 dev ${wire.b}`, wire.namespace);
    const rx = asyncCapture(lab, { interface: wire.a });
    const udp = `import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.sendto(b'partial',('10.77.0.1',9999))`;
    output('python3', ['-c', udp], { namespace: wire.namespace });
    const signal = AbortSignal.timeout(3000);
    for (;;) {
      const batch = await rx.recv({ signal });
      const found = batch.toArray().find((packet) => packet.data.includes('partial'));
      if (found === undefined) continue;
      assert.equal(found.status.csumNotReady, true);
      break;
    }
    await sendFrames(lab, wire.b, [frame('plain')], wire.namespace);
    const plain = (await collectPackets(rx, 1)).find((packet) => packet.data.includes('plain'));
    assert.equal(plain?.status.csumNotReady, false);
  });

  it('RX-17 a 64 KB super-frame is captured whole', async () => {
    const wire = await lab.wire({ apart: true });
    lab.ip(`addr add 10.78.0.1/24 dev ${wire.a}`);
    lab.ip(`addr add 10.78.0.2/24 dev ${wire.b}`, wire.namespace);
    const witness = await Witness.open(lab, wire.a);
    const rx = asyncCapture(lab, { interface: wire.a, ignoreOutgoing: true });
    const server = lab.start('iperf3', ['-s', '-1', '-B', '10.78.0.1', '--forceflush']);
    let said = '';
    server.process.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    await until(() => said.includes('listening'), 5000, 'iperf3 listens');
    lab.start('iperf3', ['-c', '10.78.0.1', '-n', '30M'], { namespace: wire.namespace });
    const signal = AbortSignal.timeout(10_000);
    let largest: Buffer = Buffer.alloc(0);
    while (largest.length < 40_000) {
      const batch = await rx.recv({ signal });
      for (const packet of batch) {
        assert.equal(packet.length, packet.originalLength);
        if (packet.length > largest.length) largest = Buffer.from(packet.data);
      }
    }
    const match = await until(() => witness.frames.find((seen) => seen.data.equals(largest)), 5000, 'the witness saw the same super-frame');
    assert.equal(match.data.length, largest.length);
    assert.equal(match.data.readUInt16BE(12), 0x0800);
  });
});
