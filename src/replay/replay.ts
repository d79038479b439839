/** Sends recorded packets again. */
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { isUint8Array } from 'node:util/types';
import { interruptible } from '../async/interruptible';
import type { SendReport } from '../async/send-loop';
import { isPacketBatch, sliceBatch, type PacketBatch } from '../batches/batch';
import { NetringError } from '../errors/errors';
import { Injector } from '../injector/injector';
import { knownOptions, type NamesOf } from '../options/known-options';
import type { Pacing } from '../options/values';
import { isEthernet } from '../interfaces/link-types';
import { isXdpSocket } from '../xdp/xdp-socket';
import { readPcap } from '../pcap/reader';
import { milliseconds, Pacer, pacedBatch } from './pacer';

/**
 * Where the packets come from: the path of a capture file or its bytes, batches, or a function that is called for each pass. An iterable that can be
 * iterated once only, such as a stream, is replayed once only.
 */
export type ReplaySource = string | URL | Uint8Array | ReplayBatches | (() => ReplayBatches);

/** ReplayBatches in their order: an array, a `PcapReader`, a stream. */
export type ReplayBatches = Iterable<PacketBatch> | AsyncIterable<PacketBatch>;

/** Where they go: an `AsyncInjector`, an `AsyncXdpSocket`, or what else takes batches. */
export interface ReplaySink {
  /** Resolves when the batch is sent and its memory may be given back. */
  sendBatch(batch: PacketBatch, options: { signal?: AbortSignal; report: SendReport }): Promise<unknown>;
}

/** Options of `replay`. */
export interface ReplayOptions {
  /**
   * When packets leave. `recorded`, the default: in the rhythm of their timestamps; those that go backwards leave at once. `none`: as fast as the
   * sink takes them. `pps`, `bps`: evenly at `rate` packets, or bits of frame without preamble and FCS, a second.
   */
  timing?: Pacing;
  /** How many times faster than recorded. Default 1. */
  speed?: number;
  /** Packets or bits a second, with `pps` and `bps`. */
  rate?: number;
  /** How often the source is replayed, `Infinity` until the signal is aborted. Default 1. A pass follows the one before at once. */
  loop?: number;
  /** Aborting rejects with `signal.reason`; `report` tells what had been sent before. */
  signal?: AbortSignal | undefined;
  /** Filled in as the packets go, so that it tells how far the replay came also when its promise rejects. */
  report?: ReplayReport | undefined;
}

const REPLAY_OPTIONS: NamesOf<ReplayOptions> = { timing: true, speed: true, rate: true, loop: true, signal: true, report: true };

/** What became of the packets. */
export interface ReplayReport {
  /** Packets the kernel took. */
  sent: number;
  /** Packets refused for their length, or by the kernel. */
  rejected: number;
  /** Sum of the lengths of the sent packets in bytes. */
  bytes: number;
  /** Complete passes over the source. */
  loops: number;
}

/** Packets in one call, and before the event loop turns. */
const PACKETS_PER_TURN = 2048;
/** Node.js fires a timer for longer than this at once. */
const LONGEST_PAUSE_MS = 2 ** 31 - 1;

/**
 * Sends the packets of `source` through `sink`. Resolves when all of them are sent.
 *
 * Timers are good to a millisecond: a packet leaves at most 1 ms before it is due. When the process was held up for more than 20 ms, the rest of the
 * delay stays, rather than becoming a burst. The pause between two packets is never shortened, however long it was.
 *
 * Throws NetringError kind `Config` for a bad option, or a source that is not Ethernet, TypeError for what is no source of batches or no sink. Rejects as `readPcap` and the sink do.
 *
 * @example Three times, ten times as fast as recorded
 * ```ts
 * import { AsyncInjector, PacketBatch, replay } from '@netring/node-red';
 *
 * const data = Buffer.from('ffffffffffff02000000000188b5', 'hex');
 * const frames = Array.from({ length: 10 }, (_, i) => ({ data, timestamp: { sec: 0, nsec: i * 10_000_000 } }));
 * const recording = PacketBatch.from(frames).toPcapng(); // or the path of a file
 * await using injector = AsyncInjector.open('eth0');
 * console.log(await replay(recording, injector, { speed: 10, loop: 3 })); // { sent: 30, rejected: 0, bytes: 420, loops: 3 }
 * ```
 */
export async function replay(source: ReplaySource, sink: ReplaySink, options: ReplayOptions = {}): Promise<ReplayReport> {
  const { signal, loop = 1 } = knownOptions(options, REPLAY_OPTIONS);
  assertSink(sink);
  const pacer = pacerFor(options);
  const open = opener(source, loop, signal);
  const report = Object.assign(options.report ?? {}, { sent: 0, rejected: 0, bytes: 0, loops: 0 });
  pacer.begin(true);
  while (report.loops < loop) {
    signal?.throwIfAborted();
    const before = report.sent + report.rejected;
    await onePass(open(), sink, pacer, report, signal);
    report.loops++;
    // Nothing would ever come of it.
    if (report.sent + report.rejected === before) break;
  }
  return report;
}

function assertSink(sink: unknown): void {
  if (sink instanceof Injector || isXdpSocket(sink))
    throw new TypeError(
      `the sink ${sink.interface} does not wait for room: new AsyncInjector(injector) does, and new AsyncXdpSocket(socket)`,
    );
  if (typeof (sink as ReplaySink | null | undefined)?.sendBatch !== 'function')
    throw new TypeError(`the sink ${String(sink)} has no sendBatch: AsyncInjector.open(name) opens one that has`);
}

async function onePass(
  batches: ReplayBatches,
  sink: ReplaySink,
  pacer: Pacer,
  report: ReplayReport,
  signal: AbortSignal | undefined,
): Promise<void> {
  let last: number | undefined;
  for await (const batch of interruptible(batches, signal)) {
    if (!isPacketBatch(batch)) throw new TypeError('the source gives something else than batches');
    if (batch.length === 0) continue;
    if (!isEthernet(batch.linkType))
      throw NetringError.config('source has packets that are not Ethernet, so they cannot be sent as frames', 'source');
    const { tsFirst, tsLast } = batch;
    if (last !== undefined) pacer.goOn(milliseconds(tsFirst) - last);
    last = milliseconds(tsLast);
    await sendPaced(batch, sink, pacer, report, signal);
  }
}

async function sendPaced(
  batch: PacketBatch,
  sink: ReplaySink,
  pacer: Pacer,
  report: ReplayReport,
  signal: AbortSignal | undefined,
): Promise<void> {
  const frames = pacedBatch(batch);
  for (let first = 0; first < batch.length;) {
    signal?.throwIfAborted();
    const { count, waitMs } = pacer.take(frames, first, PACKETS_PER_TURN);
    if (count === 0) {
      await waited(waitMs, signal);
      continue;
    }
    const sent: SendReport = { sent: 0, rejected: 0, bytes: 0 };
    try {
      await sink.sendBatch(sliceBatch(batch, first, first + count), { ...(signal && { signal }), report: sent });
    } finally {
      report.sent += sent.sent;
      report.rejected += sent.rejected;
      report.bytes += sent.bytes;
    }
    first += count;
    // A sink that always has room never lets the loop turn by itself.
    await turn();
  }
}

async function waited(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(Math.min(ms, LONGEST_PAUSE_MS), undefined, { ...(signal && { signal }) });
  } catch (error) {
    // Node.js wraps the reason of an abort.
    signal?.throwIfAborted();
    throw error;
  }
}

function pacerFor({ timing = 'recorded', speed = 1, rate }: ReplayOptions): Pacer {
  if (!['none', 'pps', 'bps', 'recorded'].includes(timing))
    throw NetringError.config(`timing is ${String(timing)}: none, pps, bps or recorded`, 'timing');
  if (!(speed > 0 && Number.isFinite(speed))) throw NetringError.config(`speed is ${speed}: a factor above 0`, 'speed');
  const rated = timing === 'pps' || timing === 'bps';
  if (rated && !(rate !== undefined && rate > 0 && Number.isFinite(rate)))
    throw NetringError.config(`rate is ${rate}: with timing ${timing} it is a number above 0`, 'rate');
  if (!rated && rate !== undefined) throw NetringError.config(`rate has no meaning with timing ${timing}`, 'rate');
  if (timing !== 'recorded' && speed !== 1) throw NetringError.config(`speed has no meaning with timing ${timing}`, 'speed');
  return new Pacer(timing, rate ?? 0, performance, speed);
}

function opener(source: ReplaySource, loop: number, signal: AbortSignal | undefined): () => ReplayBatches {
  if (!(loop === Infinity || (Number.isSafeInteger(loop) && loop > 0)))
    throw NetringError.config(`loop is ${loop}: an integer from 1 on, or Infinity`, 'loop');
  if (typeof source === 'string' || source instanceof URL || isUint8Array(source)) return () => readPcap(source, { signal });
  if (typeof source === 'function') return source;
  if (typeof source !== 'object' || source === null || !(Symbol.asyncIterator in source || Symbol.iterator in source))
    throw new TypeError('replay takes a path, a Buffer, an iterable of batches, or a function that returns one');
  // Iterators return themselves, and streams end: a second pass over them would find nothing.
  if (loop !== 1 && !Array.isArray(source))
    throw NetringError.config('loop wants a source that can be read again: a path, a Buffer, an array, or a function', 'loop');
  return () => source;
}
