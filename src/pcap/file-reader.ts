/** Reads capture files held in memory: pcap and pcapng, either byte order. */
import type { PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import { CaptureParser } from './capture-parser';

export interface CaptureFile {
  /** Packets in the order of the file, at most 1024 a batch, each batch from one interface. They share the file's bytes. */
  batches: PacketBatch[];
  /**
   * Why not all of the file was read: kind `Io`, code `ERR_TRUNCATED_FILE` or `ERR_INVALID_FILE`, the message with the byte offset.
   * The packets before it are in `batches`.
   */
  error?: NetringError;
}

/**
 * Reads a whole pcap file (microseconds or nanoseconds) or pcapng file. Times keep their nanoseconds. Packets of link types other than Ethernet
 * are read too, their batch has that type. A check sequence (FCS) that the file says it holds is left out. Never throws on bad bytes.
 */
export function readCaptureFile(bytes: Uint8Array): CaptureFile {
  const batches: PacketBatch[] = [];
  const parser = new CaptureParser();
  parser.push(bytes);
  try {
    for (let batch = parser.next(); batch !== undefined; batch = parser.next()) batches.push(batch);
    parser.finish();
    return { batches };
  } catch (error) {
    if (!(error instanceof NetringError)) throw error;
    return { batches, error };
  }
}
