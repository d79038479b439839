/** Spreads frames over time: evenly, or in the rhythm in which they were recorded. */
import type { PacketBatch } from '../batches/batch';
import type { Pacing } from '../options/values';
import type { Timestamp } from '../batches/packet';

/** What the pacer needs to know of the frames it spreads. */
export interface PacedFrames {
  readonly length: number;
  /** Bytes of frame `i`, without preamble and FCS. */
  lengthAt(i: number): number;
  /** When frame `i` was recorded, in ms; undefined when it has no timestamp. */
  timeAt(i: number): number | undefined;
}

/** Milliseconds on a clock that never jumps. */
export interface PacerClock {
  now(): number;
}

/** Timers fire at most every millisecond, so what is due within the next one leaves now. Never more than that ahead. */
const AHEAD_MS = 1;
/** A loop that was held up catches up on this much; the rest would be a burst. */
const CATCH_UP_MS = 20;

export class Pacer {
  readonly #pacing: Pacing;
  /** ms a frame, ms a bit of frame, or ms a recorded ms. */
  readonly #cost: number;
  readonly #clock: PacerClock;
  /** When the next frame is due. */
  #due = -Infinity;

  /** `rate`: frames or bits per second; no meaning with `none` and `recorded`. `speed`: how many times faster than recorded. */
  constructor(pacing: Pacing, rate: number, clock: PacerClock, speed = 1) {
    this.#pacing = pacing;
    this.#cost = pacing === 'recorded' ? 1 / speed : 1000 / rate;
    this.#clock = clock;
  }

  /**
   * A message begins. Time in which there was nothing to send (`idle`) cannot be saved up; recorded times are followed within a message
   * only, since messages may come from recordings of different days.
   */
  begin(idle: boolean): void {
    const now = this.#clock.now();
    if (idle || this.#pacing === 'recorded') this.#due = Math.max(this.#due, now);
  }

  /** The recording goes on, so many recorded ms after its last frame. */
  goOn(ms: number): void {
    if (this.#pacing === 'recorded') this.#due += Math.max(0, ms) * this.#cost;
  }

  /** How many frames from `first` on may leave now, at most `limit`, which are booked as sent; and how long to wait when none may. */
  take(frames: PacedFrames, first: number, limit: number): { count: number; waitMs: number } {
    const end = Math.min(first + limit, frames.length);
    if (this.#pacing === 'none') return { count: end - first, waitMs: 0 };
    const now = this.#clock.now();
    this.#due = Math.max(this.#due, now - CATCH_UP_MS);
    let next = first;
    while (next < end && this.#due < now + AHEAD_MS) this.#due += this.#gapAfter(frames, next++);
    return { count: next - first, waitMs: next > first ? 0 : this.#due - now - AHEAD_MS };
  }

  #gapAfter(frames: PacedFrames, i: number): number {
    if (this.#pacing === 'pps') return this.#cost;
    if (this.#pacing === 'bps') return frames.lengthAt(i) * 8 * this.#cost;
    if (i + 1 >= frames.length) return 0;
    const [from, to] = [frames.timeAt(i), frames.timeAt(i + 1)];
    return from === undefined || to === undefined ? 0 : Math.max(0, to - from) * this.#cost;
  }
}

/** The frames of a batch. */
export function pacedBatch(batch: PacketBatch): PacedFrames {
  return { length: batch.length, lengthAt: (i) => batch.lengthAt(i), timeAt: (i) => milliseconds(batch.timestampAt(i)) };
}

/** Precise to a quarter of a microsecond, today's seconds being some 1.8e9. */
export function milliseconds({ sec, nsec }: Timestamp): number {
  return sec * 1000 + nsec / 1e6;
}
