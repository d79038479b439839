/** How old frames are when they are read: what the receivers of the suite `latency` count, and their answers. */
import { serve, totals } from '../receivers/harness.mjs';

/** Where the C sender has put the time, CLOCK_MONOTONIC in ns, host byte order: see c/common.h. */
const STAMP_OFFSET = 50;
const MOST = 1 << 20;

const ages = new Float64Array(MOST);

/** Notes the age of every packet of a batch, as of now. */
export function note(batch) {
  const now = Number(process.hrtime.bigint());
  const { bytes, length } = batch;
  for (let i = 0; i < length; i++) {
    const at = batch.offsetAt(i) + STAMP_OFFSET;
    ages[totals.packets++ % MOST] = now - (bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000);
  }
  totals.bytes += batch.byteLength;
}

/** Median and 99th percentile since the mark, in ns. */
function quantiles() {
  const sorted = ages.slice(0, Math.min(totals.packets, MOST)).sort();
  return { p50: sorted[sorted.length >> 1] ?? 0, p99: sorted[sorted.length - 1 - Math.floor(sorted.length / 100)] ?? 0 };
}

export const serveAges = (drops) => serve({ drops, summary: quantiles });
