import assert from 'node:assert/strict';
import { AsyncCapture, AsyncInjector, type Injector, type PacketSource } from '@netring/node-red';
import { PacketWalk } from '../../src/batches/packet-walk';

describe('what is easily given instead of the right thing', () => {
  const walk = new PacketWalk(() => null, 10);

  it('no iteration blocks for a time that is no number', () => {
    for (const ms of ['500', undefined, NaN, {}] as unknown[])
      assert.throws(() => walk.during(ms as number), { name: 'TypeError', message: `ms must be a number, not ${String(ms)}` });
    for (const deadline of ['2026-11-29T10:00:00Z', undefined, NaN] as unknown[])
      assert.throws(() => walk.until(deadline as number), {
        name: 'TypeError',
        message: `deadline must be a number or a Date, not ${String(deadline)}`,
      });
    assert.throws(() => walk.until(new Date('never')), TypeError);
    assert.deepEqual([...walk.during(15)], []);
    assert.deepEqual([...walk.until(new Date(0))], []);
  });

  it('a name where a capture or an injector is wanted is told how to open one', () => {
    assert.throws(() => new AsyncCapture('eth0' as unknown as PacketSource), {
      name: 'TypeError',
      message: /fd undefined is no file descriptor.*AsyncCapture\.open\(name\)/,
    });
    assert.throws(() => new AsyncInjector('eth1' as unknown as Injector), {
      name: 'TypeError',
      message: 'eth1 is no Injector: AsyncInjector.open(name) opens one',
    });
  });
});
