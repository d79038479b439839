/** Reads capture files held in memory: pcap and pcapng, either byte order. */
import type { PacketBatch } from '../batch';
import { NetringError } from '../errors';
import { FileBatches } from './file-batches';
import { invalidFile, truncatedFile } from './file-error';
import { parsePcap, pcapVariant } from './pcap-parser';
import { parsePcapng } from './pcapng-parser';
import { Block } from './pcapng-format';

export interface CaptureFile {
  /** Packets in the order of the file, at most 1024 a batch, each batch from one interface. They share the file's bytes. */
  batches: PacketBatch[];
  /**
   * Why not all of the file was read: kind `Io`, code `ERR_TRUNCATED_FILE` or `ERR_INVALID_FILE`, the message with the byte offset.
   * The packets before it are in `batches`.
   */
  error?: NetringError;
}

const MAGIC_LENGTH = 4;

/**
 * Reads a whole pcap file (microseconds or nanoseconds) or pcapng file. Times keep their nanoseconds. Packets of link types other than Ethernet
 * are read too, their batch has that type. A check sequence (FCS) that the file says it holds is left out. Never throws on bad bytes.
 */
export function readCaptureFile(bytes: Uint8Array): CaptureFile {
  const batches = new FileBatches(bytes);
  try {
    parse(bytes, batches);
    return { batches: batches.finish() };
  } catch (error) {
    if (!(error instanceof NetringError)) throw error;
    return { batches: batches.finish(), error };
  }
}

function parse(bytes: Uint8Array, batches: FileBatches): void {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < MAGIC_LENGTH) throw truncatedFile(0, 'the magic number', MAGIC_LENGTH, bytes.length);
  const magic = file.getUint32(0);
  if (magic === Block.SectionHeader) return parsePcapng(file, batches);
  const variant = pcapVariant(magic);
  if (variant === undefined)
    throw invalidFile(0, `magic number 0x${magic.toString(16).padStart(8, '0')} is neither that of pcap nor of pcapng`);
  parsePcap(file, variant, batches);
}
