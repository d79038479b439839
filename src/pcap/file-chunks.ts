/** The bytes of a file in large chunks, one read ahead of what is being parsed. */
import { open, type FileHandle } from 'node:fs/promises';
import { FileMemory } from './file-memory';

/** Bytes of a file as they come. */
export interface Chunk {
  bytes: Uint8Array;
  /** Bytes before them, in the same memory, that may be overwritten: room for what was left of the chunk before. */
  headroom: number;
}

/** Together as large as a piece of memory that goes round. */
const HEADROOM = 128 * 1024;
const CHUNK = 1024 * 1024 - HEADROOM;

/** Throws the file system's error. The file is closed when the iteration ends. */
export async function* fileChunks(path: string | URL): AsyncGenerator<Chunk, void, undefined> {
  const memory = new FileMemory();
  const file = await open(path, 'r');
  try {
    for (let coming = readChunk(file, memory); ;) {
      const chunk = await coming;
      if (chunk.bytes.length === 0) return;
      coming = readChunk(file, memory);
      coming.catch(() => undefined);
      yield chunk;
    }
  } finally {
    memory.close();
    // Not awaited: it ends after the read that is under way, which that of a pipe may never do.
    file.close().catch(() => undefined);
  }
}

async function readChunk(file: FileHandle, memory: FileMemory): Promise<Chunk> {
  const piece = memory.allocate(HEADROOM + CHUNK);
  const { bytesRead } = await file.read(piece, HEADROOM, CHUNK);
  const bytes = piece.subarray(HEADROOM, HEADROOM + bytesRead);
  // The end of a file, or a pipe: batches that are kept would hold far more memory than they have bytes.
  return bytesRead < CHUNK / 2 ? { bytes: Buffer.from(bytes), headroom: 0 } : { bytes, headroom: HEADROOM };
}
