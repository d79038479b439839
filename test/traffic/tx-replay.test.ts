import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { PacketBatch } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { pcapFile, Tcpdump, tshark, Witness } from '../support/witness';
import { asyncCapture, frame, tagged } from './rx';
import { asyncInjector } from './tx';

const TP_STATUS_CSUMNOTREADY = 1 << 3;

/** Frames of many protocols: what a capture of a mixed network holds. */
function corpus(): Buffer[] {
  const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
  const ethernet = (type: string, body: string, length = 60): Buffer => {
    const bytes = hex(`020000000002 020000000001 ${type} ${body}`);
    return Buffer.concat([bytes, Buffer.alloc(Math.max(0, length - bytes.length))]);
  };
  const udp = '45000023123440004011 3c5f c0000201 c6336402 1234 5678 000f f7a5 6e657472696e67';
  const frames = [
    ethernet('0800', udp),
    ethernet('0806', '0001 0800 06 04 0001 020000000001 c0000201 000000000000 c0000202'),
    ethernet('86dd', '60000000 000c 3a 40 20010db8000000000000000000000001 20010db8000000000000000000000002 8000 4570 0001 0002 70696e67'),
    ethernet('88cc', '0207 04 020000000001 0403 05 6431 0602 0078 0000'),
    ethernet('8892', 'fefe 05 00 00000001 0080 0004 ffff 0000'),
    ethernet('88b8', '0001 0010 0000 0000 6106 80 01 61 81 01 01'),
    ethernet('0027', '424203 000002 02 3c 0000 00000000000000000000 00000000'),
    ...[60, 61, 64, 128, 257, 576, 1024, 1513, 1514].map((length) => frame('size', length)),
  ];
  frames.push(tagged(frames[0]!, [0x8100, 0x6064]), tagged(frames[1]!, [0x88a8, 10], [0x8100, 20]), tagged(frame('x', 1514), [0x8100, 1]));
  return frames;
}

describe('replay', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  it('TX-09 a replayed corpus is what the peer captures, field by field', async () => {
    const wire = await lab.wire();
    const frames = corpus();
    const tcpdump = await Tcpdump.open(lab, wire.b);
    const tx = asyncInjector(lab, { interface: wire.a });
    assert.deepEqual(await tx.sendBatch(PacketBatch.from(frames)), {
      sent: frames.length,
      rejected: 0,
      bytes: frames.reduce((sum, bytes) => sum + bytes.length, 0),
    });
    const arrived = await tcpdump.frames(frames.length);
    assert.deepEqual(
      arrived.map((bytes) => bytes.toString('hex')),
      frames.map((bytes) => bytes.toString('hex')),
    );
    const fields = ['frame.protocols', 'frame.len', 'eth.src', 'vlan.id', 'ip.checksum', 'udp.checksum', 'icmpv6.checksum', 'arp.opcode'];
    assert.deepEqual(tshark(tcpdump.file, fields), tshark(pcapFile(frames), fields));
  });

  it('TX-09 what one wire carried is replayed on another as it was captured', async () => {
    const from = await lab.wire();
    const to = await lab.wire();
    const rx = asyncCapture(lab, { interface: from.b });
    const witness = await Witness.open(lab, to.b);
    const frames = corpus();
    const source = asyncInjector(lab, { interface: from.a });
    const sink = asyncInjector(lab, { interface: to.a });
    await source.sendBatch(frames);
    const signal = AbortSignal.timeout(5000);
    for (let replayed = 0; replayed < frames.length;) replayed += (await sink.sendBatch(await rx.recv({ signal }), { signal })).sent;
    const seen = await witness.expect(frames.length);
    assert.deepEqual(
      seen.map(({ data }) => data.toString('hex')),
      frames.map((bytes) => bytes.toString('hex')),
    );
  });

  describe('checksums that a local sender left to its hardware', () => {
    /** Frames that the stack sent on `near.a`, whose checksums are unfinished. */
    async function unfinished(protocol: 'udp4' | 'udp6' | 'tcp'): Promise<PacketBatch> {
      const near = await lab.wire({ apart: true });
      address(near, protocol === 'udp6');
      const rx = asyncCapture(lab, { interface: near.a });
      await (protocol === 'tcp' ? talkTcp() : talkUdp(protocol));
      const signal = AbortSignal.timeout(5000);
      for (;;) {
        const batch = (await rx.recv({ signal })).filter((packet) => packet.direction === 'outgoing' && packet.status.csumNotReady);
        if (batch.length > 0) return batch;
      }
    }

    function address(near: Wire, ipv6: boolean): void {
      const [a, b] = ipv6 ? ['-6 addr add fd00::1/64', '-6 addr add fd00::2/64'] : ['addr add 10.77.0.1/24', 'addr add 10.77.0.2/24'];
      const nodad = ipv6 ? ' nodad' : '';
      lab.ip(`${a} dev ${near.a}${nodad}`);
      lab.ip(`${b} dev ${near.b}${nodad}`, near.namespace);
    }

    async function talkUdp(type: 'udp4' | 'udp6'): Promise<void> {
      const socket = createSocket(type);
      const to = type === 'udp4' ? '10.77.0.2' : 'fd00::2';
      await new Promise<void>((resolve, reject) => socket.send('odd', 7777, to, (error) => (error ? reject(error) : resolve())));
      socket.close();
    }

    /** A connection to a port where nobody listens: its SYN has an unfinished checksum. */
    async function talkTcp(): Promise<void> {
      const socket = connect({ host: '10.77.0.2', port: 7777 });
      await once(socket, 'error');
    }

    const verdict = (data: Buffer, protocol: string): string[] | undefined =>
      tshark(pcapFile([data]), [`${protocol}.checksum.status`], ['-o', `${protocol}.check_checksum:TRUE`])[0]?.[
        `${protocol}.checksum.status`
      ];

    for (const kind of ['udp4', 'udp6', 'tcp'] as const) {
      it(`are completed in a copy: ${kind}`, async () => {
        const protocol = kind.slice(0, 3);
        const batch = await unfinished(kind);
        assert.ok((batch.statusAt(0) & TP_STATUS_CSUMNOTREADY) !== 0);
        const original = Buffer.from(batch.dataAt(0));
        assert.deepEqual(verdict(original, protocol), ['0'], 'tshark calls what was captured bad');
        const far = await lab.wire();
        const witness = await Witness.open(lab, far.b);
        const tx = asyncInjector(lab, { interface: far.a });
        await tx.sendBatch(batch.select([0]));
        await tx.sendBatch(batch.select([0]), { fixChecksums: false });
        await tx.sendBatch([batch.packet(0).toOwned()]);
        await tx.sendBatch([original]);
        const seen = await witness.expect(4);
        assert.deepEqual(
          seen.map(({ data }) => verdict(data, protocol)),
          [['1'], ['0'], ['1'], ['0']],
          'completed, as it is, completed in a packet object, as it is in bare bytes',
        );
        assert.deepEqual(batch.dataAt(0), original, 'the batch itself is unchanged');
      });
    }
  });
});
