import assert from 'node:assert/strict';
import { type PacketBatch, type NetringError } from '@netring/node-red';
import { Lab, type Wire } from '../support/lab';
import { needsXdp } from '../support/skip';
import { Witness } from '../support/witness';
import { until } from '../support/wait';
import { frame, tagged } from './rx';
import { judge, NONE_WRONG, numbered, NumberedBatch } from './tx';
import { asyncXdp, collect, MODES, numbersOf, upTo, xdp } from './xdp';

for (const attach of MODES) {
  describe(`XDP sends (${attach})`, () => {
    before(function () {
      needsXdp(this);
    });
    const lab = new Lab();
    let wire: Wire;
    beforeEach(async () => (wire = await lab.wire()));
    afterEach(() => lab.close());

    it('XS-01 XS-05 XS-13 XS-16 100 000 frames arrive at an independent socket: none missing, doubled, changed or out of order', async () => {
      const total = 100_000;
      const witness = await judge(lab, wire.b, total);
      const socket = asyncXdp(lab, { interface: wire.a, attach, frameCount: 512 });
      const source = new NumberedBatch(1000);
      for (let first = 0; first < total; first += 1000) {
        const report = await socket.sendBatch(source.from(first));
        assert.deepEqual(report, { sent: 1000, rejected: 0, bytes: 64_000 });
      }
      await socket.waitDrained(2000);
      const verdict = await witness.verdict();
      assert.deepEqual({ ...NONE_WRONG, received: total, foreign: 0 }, verdict);
      assert.equal(socket.pendingCount, 0);
      assert.equal(socket.availableSlots, 256);
      assert.equal(socket.statistics().tx_invalid_descs, 0);
    });

    it('XS-07 more frames than the UMEM has: the call goes on as they come back', async () => {
      const witness = await judge(lab, wire.b, 5000);
      const socket = asyncXdp(lab, { interface: wire.a, attach, frameCount: 8, mode: 'tx' });
      assert.equal((await socket.sendBatch(numbered(0, 5000))).sent, 5000);
      await socket.waitDrained(2000);
      assert.deepEqual(await witness.verdict(), { ...NONE_WRONG, received: 5000, foreign: 0 });
    });

    it('slots are filled in place and sent by flush; one that is disposed comes back', async () => {
      const witness = await Witness.open(lab, wire.b);
      const socket = xdp(lab, { interface: wire.a, attach, frameCount: 8 });
      assert.equal(socket.frameCapacity, 2048);
      assert.equal(socket.availableSlots, 4);
      const slot = socket.allocate(60);
      assert.ok(slot !== null);
      slot.data.set(frame('in place'));
      slot.send();
      assert.equal(socket.allocate(60)?.[Symbol.dispose](), undefined);
      assert.equal(socket.send(frame('copied')), true);
      assert.equal(witness.frames.length, 0);
      assert.equal(socket.flush(), 2);
      const seen = await witness.expect(2);
      assert.deepEqual(
        seen.map(({ data }) => data),
        [frame('in place'), frame('copied')],
      );
      await until(() => socket.availableSlots === 4, 1000, 'all slots back');
      for (let i = 0; i < 4; i++) assert.equal(socket.send(frame(`${i}`)), true);
      assert.equal(socket.send(frame('no room')), false);
      assert.equal(socket.allocate(60), null);
    });

    it('frames the link does not take are rejected, the rest goes', async () => {
      const witness = await Witness.open(lab, wire.b);
      const socket = asyncXdp(lab, { interface: wire.a, attach });
      const tooLong = Buffer.alloc(1515, 1);
      const withTag = tagged(frame('tag', 1514), [0x8100, 1]);
      const report = await socket.sendBatch([frame('a'), tooLong, Buffer.alloc(13), withTag, frame('b')]);
      assert.deepEqual(
        { sent: report.sent, rejected: report.rejected, first: report.firstRejected },
        { sent: 3, rejected: 2, first: { index: 1, length: 1515, limit: 1514 } },
      );
      const seen = await witness.expect(3);
      assert.deepEqual(
        seen.map(({ data }) => data),
        [frame('a'), withTag, frame('b')],
      );
      assert.equal(socket.rejectedSlots, 2);
    });

    it('without a link nothing is kept back in secret', async () => {
      const socket = asyncXdp(lab, { interface: wire.a, attach });
      lab.ip(`link set ${wire.b} down`);
      await until(() => !socket.linkUp, 2000, 'the link to go down');
      await assert.rejects(socket.sendBatch([frame('lost')]), (error: NetringError) => error.code === 'ENETDOWN');
      lab.ip(`link set ${wire.b} up`);
      await until(() => socket.linkUp, 2000, 'the link to come up');
      const witness = await Witness.open(lab, wire.b);
      await until(async () => (await socket.sendBatch([frame('again')]).catch(() => ({ sent: 0 }))).sent === 1, 2000, 'a frame to go');
      const seen = await witness.expect(1);
      assert.deepEqual(seen[0]?.data, frame('again'));
    });

    it('XS-08 both ways at once between two sockets', async () => {
      const a = asyncXdp(lab, { interface: wire.a, attach });
      const b = asyncXdp(lab, { interface: wire.b, attach });
      const count = 2000;
      const sending = [a, b].map(async (socket) => {
        for (let first = 0; first < count; first += 100) {
          await socket.sendBatch(numbered(first, first + 100));
          await new Promise(setImmediate);
        }
      });
      const [atA, atB] = await Promise.all([collect(a, count), collect(b, count), ...sending]);
      assert.deepEqual(numbersOf(atA ?? [], 64), upTo(count));
      assert.deepEqual(numbersOf(atB ?? [], 64), upTo(count));
    });

    it('receiving never takes the frames of sending', async () => {
      const a = asyncXdp(lab, { interface: wire.a, attach, frameCount: 32 });
      const b = asyncXdp(lab, { interface: wire.b, attach, frameCount: 32 });
      const echo = (async (): Promise<void> => {
        for (let done = 0; done < 1000;) {
          const batch = await b.recv({ signal: AbortSignal.timeout(10_000) });
          await b.sendBatch(batch);
          done += batch.length;
        }
      })();
      const seen: PacketBatch[] = [];
      for (let first = 0; first < 1000; first += 4) {
        await a.sendBatch(numbered(first, first + 4));
        seen.push(...(await collect(a, 4)));
      }
      await echo;
      assert.deepEqual(numbersOf(seen, 64), upTo(1000));
    });
  });
}
