import assert from 'node:assert/strict';
import { once } from 'node:events';
import { AsyncInjector, Injector, type NetringError, type AsyncInjectorEvents } from '@netring/node-red';
import { carrier, Lab } from '../support/lab';
import { idleCpu, output } from '../support/process';
import { timed, until, within } from '../support/wait';
import { Witness } from '../support/witness';
import { frame } from './rx';
import { asyncInjector, injector } from './tx';

const event = (tx: AsyncInjector, name: keyof AsyncInjectorEvents): Promise<unknown[]> =>
  within(once(tx, name) as Promise<unknown[]>, 3000, `event ${name}`);

describe('sending and the link', () => {
  const lab = new Lab();
  afterEach(() => lab.close());

  for (const end of ['a', 'b'] as const) {
    const cause = end === 'a' ? 'the interface is down' : 'there is no carrier';
    it(`TX-06 ${cause}: an error, nothing handed over; up: resumes`, async () => {
      const wire = await lab.wire();
      const witness = await Witness.open(lab, wire.b);
      const tx = injector(lab, { interface: wire.a });
      assert.equal(tx.sendBatch(frame('one')), 1);
      lab.ip(`link set ${wire[end]} down`);
      // The kernel may take a second to look at a lost carrier (linkwatch).
      await until(() => !tx.linkUp, 3000, 'link down');
      const down = { name: 'NetringError', kind: 'Io', code: 'ENETDOWN', interface: wire.a };
      assert.throws(() => tx.sendBatch([frame('lost')]), down);
      tx.send(frame('two'));
      assert.throws(() => tx.flush(), down);
      assert.throws(() => tx.waitDrained(1000), down);
      assert.equal(tx.pendingCount, 1, 'stays in the ring');
      assert.equal(tx.sendBatch([]), 0);
      lab.ip(`link set ${wire[end]} up`);
      await until(() => carrier(wire.a), 5000, 'carrier');
      assert.equal(tx.linkUp, true);
      assert.equal(tx.sendBatch(frame('end')), 1);
      const seen = await witness.expect(3);
      assert.deepEqual(
        seen.map(({ data }) => data.toString('latin1', 14, 17)),
        ['one', 'two', 'end'],
      );
    });
  }

  it('TX-06 async: events, rejection, and the same handle goes on', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = asyncInjector(lab, { interface: wire.a });
    await tx.send(frame('one'));
    const down = event(tx, 'down');
    lab.ip(`link set ${wire.b} down`);
    await down;
    assert.equal(tx.linkUp, false);
    await assert.rejects(tx.send(frame('lost')), { code: 'ENETDOWN' });
    await assert.rejects(tx.sendBatch([frame('lost')]), { code: 'ENETDOWN' });
    assert.deepEqual(await tx.sendBatch([]), { sent: 0, rejected: 0, bytes: 0 });
    const up = event(tx, 'up');
    lab.ip(`link set ${wire.b} up`);
    await up;
    await tx.send(frame('end'));
    const seen = await witness.expect(2);
    assert.deepEqual(
      seen.map(({ data }) => data.toString('latin1', 14, 17)),
      ['one', 'end'],
    );
  });

  it('TX-06 a call that waits for room rejects within a second when the link goes down, and tells what was sent', async () => {
    const wire = await lab.wire();
    lab.ip(`link set ${wire.a} txqueuelen 10`);
    tbf(wire.a, '64kbit', 2000);
    const tx = asyncInjector(lab, { interface: wire.a });
    const report = { sent: 0, rejected: 0, bytes: 0 };
    const waiting = tx.sendBatch(
      Array.from({ length: 200 }, () => frame('x', 500)),
      { report },
    );
    const behind = tx.send(frame('behind'));
    const ends = Promise.allSettled([waiting, behind]);
    lab.ip(`link set ${wire.b} down`);
    const [results, took] = await timed(() => within(ends, 5000, 'rejection'));
    assert.ok(took < 1000, `${took} ms`);
    for (const result of results) {
      assert.equal(result.status, 'rejected');
      assert.equal((result.reason as NetringError).code, 'ENETDOWN');
    }
    assert.ok(report.sent > 0 && report.sent < 200, `${report.sent} sent`);
    assert.equal(report.bytes, report.sent * 500);
  });

  it('TX-06 an overrun of rtnetlink under a blocked loop loses no state', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = asyncInjector(lab, { interface: wire.a });
    lab.defer(() => lab.ip('link set lo mtu 65536'));
    const noise = Array.from({ length: 500 }, (_, i) => `link set lo mtu ${60_000 + i}`);
    for (const text of ['one', 'two']) {
      const down = event(tx, 'down');
      // Blocks the loop until it is done.
      output('ip', ['-batch', '-'], { input: [...noise, `link set ${wire.a} down`].join('\n') });
      await assert.rejects(tx.send(frame('lost')), { code: 'ENETDOWN' });
      await down;
      assert.equal(tx.linkUp, false);
      await assert.rejects(tx.send(frame('lost')), { code: 'ENETDOWN' });
      const up = event(tx, 'up');
      lab.ip(`link set ${wire.a} up`);
      await up;
      await tx.send(frame(text));
    }
    const seen = await witness.expect(2);
    assert.deepEqual(
      seen.map(({ data }) => data.toString('latin1', 14, 17)),
      ['one', 'two'],
    );
  });

  it('gone: pending and later calls reject', async () => {
    const wire = await lab.wire();
    tbf(wire.a, '64kbit', 2000);
    const tx = asyncInjector(lab, { interface: wire.a });
    const waiting = assert.rejects(tx.sendBatch(Array.from({ length: 200 }, () => frame('x', 500))), (error: NetringError) =>
      ['ENODEV', 'ENETDOWN'].includes(error.code),
    );
    const gone = event(tx, 'gone');
    lab.ip(`link del ${wire.a}`);
    const [error] = await gone;
    assert.equal((error as NetringError).code, 'ENODEV');
    await waiting;
    await assert.rejects(tx.send(frame('x')), { code: 'ENODEV' });
    assert.equal(tx.linkUp, false);
  });

  it('gone: the synchronous calls throw ENODEV', async () => {
    const wire = await lab.wire();
    const tx = injector(lab, { interface: wire.a });
    tx.send(frame('x'));
    lab.ip(`link del ${wire.a}`);
    assert.throws(() => tx.sendBatch(frame('x')), { code: 'ENODEV' });
    assert.throws(() => tx.flush(), { code: 'ENODEV' });
  });

  it('a rename is followed', async () => {
    const wire = await lab.wire();
    const witness = await Witness.open(lab, wire.b);
    const tx = injector(lab, { interface: wire.a });
    lab.ip(`link set ${wire.a} down`);
    lab.ip(`link set ${wire.a} name txrenamed0`);
    lab.defer(() => lab.ip('link del txrenamed0'));
    lab.ip('link set txrenamed0 up');
    await until(() => tx.linkUp, 5000, 'link up');
    assert.equal(tx.interface, 'txrenamed0');
    assert.equal(tx.sendBatch(frame('same')), 1);
    await witness.expect(1);
  });

  it('opens on a link that is down, and an idle injector costs no CPU in either state', async () => {
    const wire = await lab.wire({ up: false });
    const tx = new AsyncInjector(Injector.open(wire.a));
    lab.defer(() => tx.close());
    assert.equal(tx.linkUp, false);
    const usedDown = await idleCpu(1000);
    assert.ok(usedDown <= 2, `${usedDown} % of a CPU`);
    const up = event(tx, 'up');
    lab.ip(`link set ${wire.a} up`);
    lab.ip(`link set ${wire.b} up`);
    await up;
    await tx.send(frame('x'));
    const usedUp = await idleCpu(1000);
    assert.ok(usedUp <= 2, `${usedUp} % of a CPU`);
  });

  function tbf(iface: string, rate: string, limit: number): void {
    output('tc', ['qdisc', 'add', 'dev', iface, 'root', 'tbf', 'rate', rate, 'burst', '2000', 'limit', String(limit)]);
  }
});
