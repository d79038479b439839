/** Pacing by a clock that is turned by hand: even, and never more than 1 ms worth ahead. */
import assert from 'node:assert/strict';
import { Pacer, type PacedFrames } from '../../src/replay/pacer';
import { FakeClock } from './fake-clock';

/** Frames of 125 bytes (1000 bits), recorded at the times given. */
function frames(length: number, times: readonly number[] = []): PacedFrames {
  return { length, lengthAt: () => 125, timeAt: (i) => times[i] };
}

/** When each of the frames leaves, with a timer that fires every `tick` ms, and later than asked for by `late` ms. */
function run(pacer: Pacer, clock: FakeClock, list: PacedFrames, late = 0): number[] {
  const times: number[] = [];
  pacer.begin(true);
  for (let first = 0; first < list.length;) {
    const { count, waitMs } = pacer.take(list, first, Infinity);
    for (let i = 0; i < count; i++) times.push(clock.now());
    first += count;
    // Timers of Node are whole milliseconds, at least one.
    if (first < list.length) clock.advance(Math.max(1, Math.ceil(waitMs)) + late);
  }
  return times;
}

/** The most that was ever sent ahead of an even stream that began at time 0, and the most it fell behind, in ms. */
function drift(times: readonly number[], gapMs: number): { ahead: number; behind: number } {
  const offsets = times.map((time, i) => i * gapMs - time).sort((a, b) => a - b);
  return { ahead: offsets.at(-1)!, behind: -offsets[0]! };
}

describe('pacer', () => {
  for (const [rate, count] of [
    [1, 5],
    [10, 30],
    [333, 1000],
    [1000, 3000],
    [100_000, 300_000],
  ] as const) {
    it(`${rate} packets a second are even and never more than 1 ms ahead`, () => {
      const clock = new FakeClock();
      const { ahead, behind } = drift(run(new Pacer('pps', rate, clock), clock, frames(count)), 1000 / rate);
      assert.ok(ahead <= 1 + 1e-6, `${ahead} ms ahead`);
      assert.ok(behind <= 1 + 1e-6, `${behind} ms behind`);
    });
  }

  it('keeps the rate although timers are late', () => {
    const clock = new FakeClock();
    const { ahead, behind } = drift(run(new Pacer('pps', 5000, clock), clock, frames(20_000), 4), 0.2);
    assert.ok(ahead <= 1 + 1e-6, `${ahead} ms ahead`);
    assert.ok(behind <= 6, `${behind} ms behind`);
  });

  it('catches up on a held-up loop by 20 ms at most', () => {
    const clock = new FakeClock();
    const pacer = new Pacer('pps', 1000, clock);
    const list = frames(100_000);
    pacer.begin(true);
    pacer.take(list, 0, 1);
    clock.advance(500);
    const { count } = pacer.take(list, 1, Infinity);
    assert.ok(count >= 20 && count <= 22, `${count} frames at once`);
  });

  it('bits per second count the bytes of the frames', () => {
    const clock = new FakeClock();
    const times = run(new Pacer('bps', 1_000_000, clock), clock, frames(2000));
    assert.ok(Math.abs(times.at(-1)! - 1999) <= 1, `${times.at(-1)} ms for 2 Mbit at 1 Mbit/s`);
    assert.ok(drift(times, 1).ahead <= 1 + 1e-6);
  });

  it('recorded: the differences of the timestamps, backward ones and missing ones at once', () => {
    const clock = new FakeClock();
    const recorded = [1000, 1010, 1010, 1300, 1200, 1250];
    const times = run(new Pacer('recorded', NaN, clock), clock, frames(6, recorded));
    [0, 10, 10, 300, 300, 350].forEach((due, i) => assert.ok(Math.abs(times[i]! - due) <= 1, `frame ${i} at ${times[i]}`));
    const untimed = run(new Pacer('recorded', NaN, clock), clock, frames(4));
    assert.equal(new Set(untimed).size, 1);
  });

  it('none: everything at once', () => {
    const pacer = new Pacer('none', NaN, new FakeClock());
    assert.deepEqual(pacer.take(frames(1000), 10, 100), { count: 100, waitMs: 0 });
    assert.deepEqual(pacer.take(frames(1000), 990, 100), { count: 10, waitMs: 0 });
  });

  it('goes on evenly over messages, and saves up nothing while idle', () => {
    const clock = new FakeClock();
    const pacer = new Pacer('pps', 100, clock);
    const one = frames(1);
    pacer.begin(true);
    assert.equal(pacer.take(one, 0, 1).count, 1);
    pacer.begin(false);
    assert.equal(pacer.take(one, 0, 1).count, 0);
    clock.advance(10);
    assert.equal(pacer.take(one, 0, 1).count, 1);
    clock.advance(10_000);
    pacer.begin(true);
    assert.equal(pacer.take(frames(100), 0, 100).count, 1);
  });
});
