/** Blocking waits for frames to leave. */
import { NetringError } from '../errors/errors';
import { assertTimeout, type FrameSender } from './frame-sender';

/** How long closing waits for frames that the slots still hold. */
const CLOSE_DRAIN_MS = 1000;

/** Pauses between looks at the kernel's queues, in ms. POLLOUT is no help: it tells of room, not of emptiness. */
const PAUSES = [0.2, 0.5, 1, 2, 5, 10] as const;

/**
 * Flushes and waits until the kernel holds no frame any more. BLOCKS THE THREAD for up to `timeoutMs` milliseconds. Throws TypeError when that is no
 * number, `Io`: `ETIMEDOUT`, or as a flush.
 */
export function waitDrained(sender: FrameSender, timeoutMs: number): void {
  assertTimeout(timeoutMs);
  const drained = poll(() => {
    const stop = sender.flush();
    if (stop instanceof NetringError) throw stop;
    return sender.drained;
  }, timeoutMs);
  if (!drained) throw sender.notDrainedError(timeoutMs);
}

/** Waits until the kernel has taken the slots' frames, or will not. BLOCKS THE THREAD for up to a second. */
export function drainBeforeClose(sender: FrameSender): void {
  poll(() => {
    const stop = sender.flush();
    return stop === 'none' || stop instanceof NetringError;
  }, CLOSE_DRAIN_MS);
}

function poll(done: () => boolean, timeoutMs: number): boolean {
  const deadline = performance.now() + timeoutMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; ; round++) {
    if (done()) return true;
    const rest = deadline - performance.now();
    if (rest <= 0) return false;
    Atomics.wait(pause, 0, 0, Math.min(rest, PAUSES[Math.min(round, PAUSES.length - 1)]!));
  }
}
