/** Turns the bytes of a capture file, as they come, into batches. */
import type { PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import { BatchBuilder } from './batch-builder';
import { invalidFile, truncatedFile } from './file-error';
import { FileWindow, type FileInterface, type Shortage } from './file-window';
import { PcapParser } from './pcap-parser';
import { Block } from './pcapng-format';
import { PcapngParser } from './pcapng-parser';

const MAGIC: Shortage = { what: 'the magic number', needed: 4 };

/**
 * Batches share the bytes they were parsed from. Memory is taken for bytes that have come, never for those that a length in the file only claims.
 */
export class CaptureParser {
  readonly #batch = new BatchBuilder();
  #parser: PcapParser | PcapngParser | undefined;
  #window = new FileWindow(new Uint8Array(0), 0);
  /** Position in the window of the first byte that is not parsed. */
  #at = 0;
  /** What came after the window, until it is enough to go on with. */
  #waiting: Uint8Array[] = [];
  #waitingLength = 0;
  /** Bytes before what waits, in the same memory, that are ours to overwrite. */
  #headroom = 0;
  /** The parser can do nothing with what is in the window. */
  #starved = true;
  #error: NetringError | undefined;

  /** Undefined until the first four bytes have come. */
  get format(): 'pcap' | 'pcapng' | undefined {
    return this.#parser?.format;
  }
  /** Those of the present section. */
  get interfaces(): readonly FileInterface[] {
    return this.#parser?.interfaces ?? [];
  }
  /** Bytes that have come. */
  get length(): number {
    return this.#window.base + this.#window.bytes.length + this.#waitingLength;
  }

  /** Takes the next bytes of the file, which must not change any more. So many bytes before them in their memory may be overwritten. */
  push(bytes: Uint8Array, headroom = 0): void {
    if (bytes.length === 0) return;
    this.#headroom = this.#waiting.length === 0 ? headroom : 0;
    this.#waiting.push(bytes);
    this.#waitingLength += bytes.length;
  }

  /** The next batch; undefined when more bytes are wanted. Throws `NetringError` at the place where the file goes wrong. */
  next(): PacketBatch | undefined {
    if (this.#error !== undefined) throw this.#error;
    while (this.#ready()) {
      try {
        this.#parser ??= parserFor(this.#window);
        this.#at = this.#parser.read(this.#window, this.#at, this.#batch);
        this.#starved = !this.#batch.refused;
      } catch (error) {
        if (!(error instanceof NetringError)) throw error;
        // What was read before is still good.
        this.#error = error;
      }
      const batch = this.#batch.take(this.#window);
      if (batch !== undefined) return batch;
      if (this.#error !== undefined) throw this.#error;
    }
    return undefined;
  }

  /** The file has ended, and `next` has nothing more. Throws `NetringError` when it ends inside something. */
  finish(): void {
    const left = this.#left + this.#waitingLength;
    if (left === 0 && this.#parser !== undefined) return;
    const { what, needed } = this.#shortage;
    throw truncatedFile(this.#window.base + this.#at, what, needed, left);
  }

  get #shortage(): Shortage {
    return this.#parser?.shortage ?? MAGIC;
  }
  get #left(): number {
    return this.#window.bytes.length - this.#at;
  }

  /** Whether the parser can get further; joins what waits to the rest of the window as soon as that is enough. */
  #ready(): boolean {
    if (!this.#starved) return true;
    if (this.#waitingLength === 0 || this.#left + this.#waitingLength < this.#shortage.needed) return false;
    this.#window = new FileWindow(this.#joined(this.#window.bytes.subarray(this.#at)), this.#window.base + this.#at);
    this.#at = 0;
    this.#waiting = [];
    this.#waitingLength = 0;
    return true;
  }

  #joined(rest: Uint8Array): Uint8Array {
    const parts = rest.length === 0 ? this.#waiting : [rest, ...this.#waiting];
    const [chunk] = this.#waiting;
    if (parts.length === 1 && chunk !== undefined) return chunk;
    if (this.#waiting.length > 1 || chunk === undefined || rest.length > this.#headroom) return Buffer.concat(parts);
    const joined = new Uint8Array(chunk.buffer, chunk.byteOffset - rest.length, rest.length + chunk.length);
    joined.set(rest);
    return joined;
  }
}

function parserFor({ view }: FileWindow): PcapParser | PcapngParser {
  const magic = view.getUint32(0);
  if (magic === Block.SectionHeader) return new PcapngParser();
  const parser = PcapParser.for(magic);
  if (parser !== undefined) return parser;
  const shown = magic.toString(16).padStart(8, '0');
  throw invalidFile(0, `magic number 0x${shown} is neither that of pcap nor of pcapng`, remedyFor(shown));
}

/** What is given for a capture file and has to become one first, by its first bytes in hexadecimal. */
function remedyFor(magic: string): string {
  if (magic.startsWith('1f8b'))
    return 'the file is compressed with gzip: gunzip it, or read pipeline(createReadStream(path), createGunzip(), () => {})';
  const packer = { '28b52ffd': 'zstd', '04224d18': 'lz4', fd377a58: 'xz' }[magic];
  return packer === undefined ? 'editcap -F pcapng converts files of other tools' : `the file is compressed: ${packer} -d`;
}
