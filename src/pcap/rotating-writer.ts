/** A recording in several files, of which the newest are kept. */
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { sliceBatch, type PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import type { Timestamp } from '../batches/packet';
import { checkType, knownOptions, type NamesOf } from '../options/known-options';
import { batchOf, lasting, type Allocate, type CaptureFileInput, type FileEncoder } from './file-encoder';
import { FileNames } from './file-names';
import { LossCounter } from './losses';
import { endOfRoom, firstAt, shifted } from './packet-range';
import { PcapEncoder } from './pcap-encoder';
import { PCAPNG_OPTIONS, PcapngEncoder, type PcapngOptions } from './pcapng-encoder';

/** Options of `RotatingWriter`. Without a limit there is one file, until `rotate`. */
export interface RotatingOptions extends PcapngOptions {
  /**
   * Path with `{number}` in the file's name, which counts up from 1 or from the highest there is, and if wanted `{time}`, the UTC time of the file's
   * first packet as 20260131T235959Z: `/var/log/eth0-{number}-{time}.pcapng`.
   */
  path: string;
  /** Default `pcapng`. With `pcap` the options `application`, `comment` and `statistics` have no place. */
  format?: 'pcapng' | 'pcap';
  /** A file ends before it has more bytes than this, unless a single packet needs more. */
  maxBytes?: number;
  /** A file holds packets of so many seconds, by their timestamps; it also ends when it has been open for so long. */
  maxSeconds?: number;
  /** A file holds at most so many packets. */
  maxPackets?: number;
  /** Files that stay, the one being written included; older ones of the same pattern are deleted, those of earlier runs too. Default: all. */
  keep?: number;
  /** Told of every file when it is complete and closed. */
  onFile?: (file: RecordedFile) => void;
}

const ROTATING_OPTIONS: NamesOf<RotatingOptions> = {
  ...PCAPNG_OPTIONS,
  path: true,
  format: true,
  maxBytes: true,
  maxSeconds: true,
  maxPackets: true,
  keep: true,
  onFile: true,
};

/** A file that is complete. */
export interface RecordedFile {
  /** Its path, the placeholders filled in. */
  path: string;
  /** What stands for `{number}`. */
  number: number;
  /** Packets in it. */
  packets: number;
  /** Its size in bytes. */
  bytes: number;
}

interface CurrentFile extends RecordedFile {
  handle: FileHandle;
  encoder: FileEncoder;
  /** Packets of this time and later have no place in it. */
  until: Timestamp | undefined;
  timer: NodeJS.Timeout | undefined;
}

const WAITING_BATCHES = 4;
/** Bytes of memory that are kept for the next batch. */
const MAX_SCRATCH = 4 * 1024 * 1024;
/** Node.js fires a timer for longer than this at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A `Writable` that takes batches or packet objects and writes them to capture files, a new one whenever a limit is reached. A batch that does not fit
 * is divided between two packets; every file is complete in itself. Each batch goes to the kernel in one piece as it comes, so that a process which
 * dies leaves files that can be read up to their last packets. No file is overwritten.
 *
 * Fails with the file system's error, and as `PcapngWriter` and `PcapWriter` do.
 *
 * @example The last three files
 * ```ts
 * import { pipeline } from 'node:stream/promises';
 * import { AsyncCapture, RotatingWriter } from '@netring/node-red';
 *
 * const stream = AsyncCapture.open('eth0').intoStream();
 * const writer = new RotatingWriter({
 *   path: 'eth0-{number}.pcapng',
 *   maxPackets: 100,
 *   keep: 3,
 *   onFile: ({ path, packets, bytes }) => console.log(path, packets, bytes),
 * });
 * await pipeline(stream.take(5), writer);
 * ```
 */
export class RotatingWriter extends Writable {
  readonly #options: RotatingOptions;
  readonly #names: FileNames;
  readonly #losses: LossCounter | undefined;
  /** Complete files that are kept, oldest first. */
  #kept: { number: number; path: string }[];
  #number: number;
  #file: CurrentFile | undefined;
  /** What is done with files, one after the other: the timer must not close one that is being written. */
  #work: Promise<void> = Promise.resolve();
  #scratch = Buffer.alloc(0);
  /** What is encoded is written before anything else is, so all of it may use one memory: fresh pages cost half as much as the encoding. */
  readonly #allocate: Allocate = (size) => {
    if (size > MAX_SCRATCH) return Buffer.allocUnsafe(size);
    if (size > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size)));
    return this.#scratch.subarray(0, size);
  };

  /** Throws NetringError kind `Config`; the file system's error when the folder cannot be read. */
  constructor(options: RotatingOptions) {
    super({ objectMode: true, highWaterMark: WAITING_BATCHES });
    this.#options = checked(options);
    this.#names = new FileNames(options.path);
    this.#losses = options.statistics && new LossCounter(options.statistics);
    this.#createEncoder();
    this.#kept = this.#names.existing();
    this.#number = this.#kept.at(-1)?.number ?? 0;
  }

  /** Path of the file that is being written; undefined between two. */
  get path(): string | undefined {
    return this.#file?.path;
  }

  /** Takes a `CaptureFileInput`, otherwise as any `Writable`. A borrowed batch is copied, so that it may be released as soon as this returns. */
  override write(input: unknown, callback?: (error: Error | null | undefined) => void): boolean;
  /** As without an encoding, which has no meaning for packets. */
  override write(input: unknown, encoding?: BufferEncoding, callback?: (error: Error | null | undefined) => void): boolean;
  override write(input: unknown, ...rest: unknown[]): boolean {
    return super.write(lasting(input), ...(rest as []));
  }

  /** Ends it as any `Writable`. */
  override end(callback?: () => void): this;
  /** Takes one more input, as `write` does, and ends it. */
  override end(input: unknown, callback?: () => void): this;
  /** As without an encoding, which has no meaning for packets. */
  override end(input: unknown, encoding?: BufferEncoding, callback?: () => void): this;
  override end(input?: unknown, ...rest: unknown[]): this {
    // Node.js does not call `write` for it.
    return super.end(lasting(input), ...(rest as []));
  }

  /** Ends the present file; the next packet begins a new one. Resolves when it is complete. */
  rotate(): Promise<void> {
    return this.#inOrder(() => this.#finish());
  }

  /** @internal */
  override _write(input: CaptureFileInput, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#inOrder(() => this.#record(batchOf(input))).then(() => callback(), callback);
  }

  /** @internal */
  override _final(callback: (error?: Error | null) => void): void {
    this.rotate().then(() => callback(), callback);
  }

  /** @internal What was written stays as it is. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const end = (): void => {
      const file = this.#file;
      this.#file = undefined;
      clearTimeout(file?.timer);
      if (file === undefined) callback(error);
      else file.handle.close().then(() => callback(error), callback);
    };
    this.#work.then(end, end);
  }

  #inOrder(task: () => Promise<void>): Promise<void> {
    const done = this.#work.then(task);
    this.#work = done.catch(() => undefined);
    return done;
  }

  async #record(batch: PacketBatch): Promise<void> {
    for (let first = 0; first < batch.length;) {
      const file = (this.#file ??= await this.#open(batch, first));
      let end = this.#endIn(file, batch, first);
      if (end === first && file.packets > 0) {
        await this.#finish();
        continue;
      }
      end = Math.max(end, first + 1);
      const bytes = file.encoder.encode(sliceBatch(batch, first, end), this.#allocate);
      await writeAll(file.handle, bytes);
      file.bytes += bytes.length;
      file.packets += end - first;
      first = end;
    }
  }

  /** Index of the first packet from `first` on that has no place in the file. */
  #endIn({ encoder, packets, until }: CurrentFile, batch: PacketBatch, first: number): number {
    const { maxBytes, maxPackets = Infinity } = this.#options;
    let end = Math.min(batch.length, first + maxPackets - packets);
    if (until !== undefined) end = Math.min(end, firstAt(batch, first, until));
    if (maxBytes === undefined) return end;
    const room = maxBytes - encoder.lengthWithout(batch);
    // Only the batch with which a file ends is looked through.
    if (encoder.roomFor(batch) <= room) return end;
    return Math.min(
      end,
      endOfRoom(batch, first, room, (length) => encoder.packetLength(length)),
    );
  }

  async #open(batch: PacketBatch, first: number): Promise<CurrentFile> {
    const { keep = Infinity, maxSeconds } = this.#options;
    // Gone already is as good.
    while (this.#kept.length >= keep) await unlink(this.#kept.shift()!.path).catch(ignoreMissing);
    const start = batch.timestampAt(first);
    const number = ++this.#number;
    const path = this.#names.path(number, start);
    const handle = await open(path, 'wx');
    const encoder = this.#createEncoder();
    const until = maxSeconds === undefined ? undefined : shifted(start, maxSeconds);
    const file: CurrentFile = { path, number, packets: 0, bytes: 0, handle, encoder, until, timer: undefined };
    if (maxSeconds !== undefined) this.#endAfter(file, maxSeconds * 1000);
    return file;
  }

  /** Ends a file after so long, in as many timers as that takes. */
  #endAfter(file: CurrentFile, ms: number): void {
    const step = Math.min(ms, LONGEST_TIMER_MS);
    file.timer = setTimeout(() => (ms > step ? this.#endAfter(file, ms - step) : this.#outOfTime(file.path)), step).unref();
  }

  /** Nothing has come that would have ended the file. */
  #outOfTime(path: string): void {
    this.#inOrder(async () => {
      if (this.#file?.path === path) await this.#finish();
    }).catch((error: unknown) => this.destroy(error as Error));
  }

  async #finish(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    clearTimeout(file.timer);
    try {
      const end = file.encoder.finish();
      await writeAll(file.handle, end);
      file.bytes += end.length;
    } finally {
      await file.handle.close();
    }
    const { path, number, packets, bytes } = file;
    this.#kept.push({ number, path });
    this.#options.onFile?.({ path, number, packets, bytes });
  }

  #createEncoder(): FileEncoder {
    const { format, snapLen } = this.#options;
    if (format === 'pcap') return new PcapEncoder(snapLen === undefined ? {} : { snapLen });
    return new PcapngEncoder(this.#options, this.#losses);
  }
}

function checked(options: RotatingOptions): RotatingOptions {
  const { format = 'pcapng', maxBytes, maxSeconds, maxPackets, keep } = knownOptions(options, ROTATING_OPTIONS);
  checkType(options, 'onFile', 'function');
  if (!['pcapng', 'pcap'].includes(format)) throw NetringError.config(`format is ${String(format)}: pcapng or pcap`, 'format');
  if (maxSeconds !== undefined && !(maxSeconds > 0 && Number.isFinite(maxSeconds)))
    throw NetringError.config(`maxSeconds is ${maxSeconds}: a number of seconds above 0`, 'maxSeconds');
  for (const [name, value] of Object.entries({ maxBytes, maxPackets, keep }))
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      throw NetringError.config(`${name} is ${value}: an integer from 1 on`, name);
  if (format === 'pcap')
    for (const name of ['application', 'comment', 'statistics'] as const)
      if (options[name] !== undefined) throw NetringError.config(`${name} has no place in a pcap file, only in pcapng`, name);
  return options;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
