/** Writes batches as a complete pcapng file in memory. */
import type { PacketBatch } from '../batches/batch';
import { knownOptions } from '../options/known-options';
import { PCAPNG_OPTIONS, PcapngEncoder, type PcapngOptions } from './pcapng-encoder';

/**
 * One complete pcapng file: every interface with its name, every packet with nanosecond time, direction, original length.
 * Throws as `PcapngWriter`.
 */
export function encodePcapng(batches: readonly PacketBatch[], options: PcapngOptions = {}): Buffer {
  const encoder = new PcapngEncoder(knownOptions(options, PCAPNG_OPTIONS));
  const parts = [...batches.map((batch) => encoder.encode(batch)), encoder.finish()].filter(({ length }) => length > 0);
  // The common case, a file of one batch, is not copied once more.
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
