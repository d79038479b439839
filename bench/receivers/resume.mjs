import { setTimeout as delay } from 'node:timers/promises';
import { answer, totals } from './harness.mjs';

const TIMEOUT_MS = 10_000;

/** Lets go of what is held and tells how long it took until the next batch came out of the full ring. */
export async function resumed(letGo) {
  const { packets } = totals;
  const begin = performance.now();
  letGo();
  while (totals.packets === packets && performance.now() - begin < TIMEOUT_MS) await delay(10);
  answer({ resumed: totals.packets !== packets, afterMs: performance.now() - begin });
}
