import { strict as assert } from 'node:assert';
import { Lab } from '../support/lab';
import { CountingWitness, Tcpdump, Witness, flood, numberedFrame, pcapFile, sendFrames, tshark } from '../support/witness';

describe('the witnesses themselves', () => {
  const lab = new Lab();
  after(() => lab.close());

  it('see what another process sends, bytes and VLAN tags', async () => {
    const wire = await lab.wire({ apart: true });
    const witness = await Witness.open(lab, wire.b, { namespace: wire.namespace });
    const tcpdump = await Tcpdump.open(lab, wire.b, [], wire.namespace);
    const tagged = Buffer.concat([numberedFrame(1).subarray(0, 12), Buffer.from('88a80005', 'hex'), numberedFrame(1).subarray(12)]);
    const sent = [numberedFrame(0), tagged, numberedFrame(2, 1514)];
    await sendFrames(lab, wire.a, sent);
    const seen = await witness.expect(3);
    assert.deepEqual(
      seen.map((frame) => frame.data),
      sent,
    );
    assert.deepEqual(seen[1]?.vlan, { tci: 5, tpid: 0x88a8 });
    assert.deepEqual(await tcpdump.frames(3), sent);
    assert.deepEqual(
      tshark(pcapFile(sent), ['frame.len']).map((packet) => packet['frame.len']?.[0]),
      ['64', '68', '1514'],
    );
  });

  it('count numbered frames', async () => {
    const wire = await lab.wire();
    const witness = await CountingWitness.open(lab, wire.b, 50_001);
    await flood(lab, wire.a, { count: 50_000 });
    await sendFrames(lab, wire.a, [numberedFrame(7)]);
    const { received, missing, doubled, changed, foreign, dropped } = await witness.verdict();
    assert.deepEqual(
      { received, missing, doubled, changed, foreign, dropped },
      { received: 50_001, missing: 1, doubled: 1, changed: 0, foreign: 0, dropped: 0 },
    );
  });
});
