/** Captures that share the packets of an interface, each in a thread of its own, read as one. */
import { EventEmitter } from 'node:events';
import type { AsyncCaptureEvents } from '../async/async-capture';
import { ReceiveLoop } from '../async/receive-loop';
import type { WaitOptions } from '../async/wait-list';
import type { PacketBatch } from '../batches/batch';
import { assertFanoutEbpf } from '../capture/capture-handle';
import { checkProgram, type EbpfProgram } from '../capture/ebpf';
import { NetringError } from '../errors/errors';
import { keepLedger } from '../ledger';
import { captures } from '../metrics/books';
import { native, type NativeCaptureGeometry } from '../native';
import { parseFilter, type Filter } from '../options/filter-program';
import type { CaptureOptions, CaptureSettings } from '../options/generated/builders';
import { assertOptions } from '../options/known-options';
import { resolveCapture } from '../options/validate';
import type { Owner } from '../owner';
import { type CaptureStats, sumOfStats } from '../capture/capture-stats';
import { GroupBooks } from './group-books';
import { GroupReader } from './group-reader';
import { Member } from './member';
import type { MemberCall, MemberCalls } from './protocol';

/** Most members that the kernel lets into a group. */
const MOST_MEMBERS = 256;

/**
 * Opens a fanout group of `members` captures, each in a thread of its own (node:worker_threads). Every option holds for each of them: there are so many
 * rings, and so many times `maxBufferedBytes`. `fanoutMode` is `hash` unless given; the kernel picks an unused `fanoutGroup` unless one is
 * given, which may have members in other processes. The members join in order: where the kernel counts them (`cpu`, `queue-mapping`, `ebpf`),
 * `batch.member` is its number as long as there are no others.
 *
 * Rejects with `NetringError` as `Capture.open` throws, and leaves nothing open then; RangeError unless `members` is an integer from 1 to 256.
 *
 * @example A hundred packets, and who has read them
 * ```ts
 * import { captureGroup } from '@netring/node-red';
 *
 * await using group = await captureGroup(2, { interface: 'eth0', profile: 'balanced', fanoutMode: 'load-balance' });
 * const packets = [0, 0];
 * for await (const batch of group) {
 *   packets[batch.member] += batch.length;
 *   if (packets[0] + packets[1] >= 100) break;
 * }
 * console.log(packets, `${await group.stats()}`);
 * ```
 */
export async function captureGroup(members: number, options: CaptureOptions): Promise<CaptureGroup> {
  if (!Number.isInteger(members) || members < 1 || members > MOST_MEMBERS)
    throw new RangeError(`members must be an integer from 1 to ${MOST_MEMBERS}, not ${members}`);
  assertOptions(options);
  const given: CaptureOptions = { ...options, fanoutMode: options.fanoutMode ?? 'hash' };
  const { settings, warnings } = resolveCapture(given, native().pageSize);
  const flags = settings.fanoutFlags.filter((flag) => flag !== 'unique-id');
  const waiting = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const threads: Member[] = [];
  try {
    for (let index = 0; index < members; index++) threads.push(new Member(index, settings.interface, waiting));
    // Only the first one can ask for a new group; then its id is known. One after the other: the order in which they join is that in which the kernel
    // numbers them.
    let { fanoutGroup } = settings;
    for (const member of threads) {
      await member.open({ ...given, fanoutGroup, fanoutFlags: fanoutGroup === 0 ? [...flags, 'unique-id'] : flags });
      fanoutGroup = member.geometry.fanoutGroup;
    }
  } catch (error) {
    await Promise.all(threads.map((member) => member.close()));
    throw error;
  }
  return new CaptureGroup(threads, settings, warnings, waiting);
}

/**
 * The members of a fanout group as one source of owned batches, which come from the members' threads without being copied again. `batch.member` tells
 * which one has read it; batches of one member come in order, those of several in any.
 *
 * A slow reader holds the members up, not the memory: each reads at most 16 batches ahead, and stops at `maxBufferedBytes` of batches that are
 * alive. Its ring fills then, and the kernel counts what it drops.
 */
export class CaptureGroup extends EventEmitter<AsyncCaptureEvents> implements AsyncIterable<PacketBatch>, AsyncDisposable {
  readonly #members: readonly Member[];
  readonly #settings: CaptureSettings;
  readonly #warnings: readonly string[];
  readonly #owner: Owner;
  readonly #reader: GroupReader;
  readonly #receiving: ReceiveLoop;
  readonly #books: GroupBooks;
  #closed = false;
  #ended: Promise<unknown> | undefined;
  #gone: NetringError | undefined;
  #previous: CaptureStats;

  /** @internal Use `captureGroup`. */
  constructor(members: readonly Member[], settings: CaptureSettings, warnings: readonly string[], waiting: Int32Array) {
    super();
    this.#members = members;
    this.#settings = settings;
    this.#warnings = [...new Set([...warnings, ...members.flatMap((member) => member.warnings)])];
    this.#owner = this.#asOwner();
    this.#reader = new GroupReader(members, this.#owner, settings.maxBufferedBytes);
    this.#receiving = new ReceiveLoop(this.#reader, this.#owner, this.#readiness(waiting), () => 0);
    this.#previous = sumOfStats([]);
    this.#books = new GroupBooks(settings, members, this.#reader, this.#owner);
    keepLedger(this, this.#books);
    captures.open(this.#books);
    members.forEach((member, index) => this.#listenTo(member, index));
  }

  /** Name of the interface that the group was opened on. */
  get interface(): string {
    return this.#settings.interface;
  }
  /** Number of members. */
  get size(): number {
    return this.#members.length;
  }
  /** Id of the fanout group, which captures of other processes may join. */
  get fanoutGroup(): number {
    return this.geometry.fanoutGroup;
  }
  /** The ring of each member, as the kernel gave it to the first one. */
  get geometry(): NativeCaptureGeometry {
    return this.#members[0]!.geometry;
  }
  /** Whether the interface is up and has a carrier. */
  get linkUp(): boolean {
    return this.#members[0]!.linkUp;
  }
  /** Options that were honoured only in part. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /**
   * The next batch of any member. Rejects with `Io`: `ECANCELED` after `close` or when a member's thread has ended, `ENODEV` when the interface is gone
   * and everything is read. An aborted wait loses no packet.
   */
  async recv(options: WaitOptions = {}): Promise<PacketBatch> {
    return this.#receiving.recv(options);
  }

  /** The next batch if there is one; never waits. Null too once 16 batches have been read in this turn of the event loop. */
  tryRecv(): PacketBatch | null {
    return this.#receiving.tryRecv();
  }

  /** Batches until `close`; aborting rejects with `signal.reason`. Leaving the loop keeps the group open. */
  batches(options: WaitOptions = {}): AsyncGenerator<PacketBatch, void, undefined> {
    return this.#receiving.batches(() => undefined, options);
  }

  /** As `batches()`. */
  [Symbol.asyncIterator](): AsyncGenerator<PacketBatch, void, undefined> {
    return this.batches();
  }

  /** The members' counters together, since the last call of this method. */
  async stats(): Promise<CaptureStats> {
    const now = await this.cumulativeStats();
    const delta = now.since(this.#previous);
    this.#previous = now;
    return delta;
  }

  /** The members' counters together, since open; readable after `close`. `packets` are those handed out, not what has only been read ahead. */
  async cumulativeStats(): Promise<CaptureStats> {
    await this.#ended;
    return this.#books.cumulativeStats();
  }

  /** The counters of each member, since open. */
  async memberStats(): Promise<CaptureStats[]> {
    await this.#ended;
    return this.#members.map((member) => member.stats);
  }

  /**
   * As `AsyncCapture.setFilter`, for every member, but that batches that a member has read ahead are as the filter before has let them in. When a member
   * refuses the program, others may have it already.
   *
   * Rejects with `Config` for a bad filter, with `Io` / `ECANCELED` after `close`.
   */
  async setFilter(filter: Filter | null): Promise<void> {
    await this.#tell(
      'setFilter',
      filter === null ? null : parseFilter(filter, 'filter', { for: 'socket', linkType: this.geometry.linkType }),
    );
  }

  /**
   * As `Capture.attachEbpfFilter`, for every member.
   * Rejects as it throws, and with `Io` / `ECANCELED` after `close`.
   */
  async attachEbpfFilter(program: EbpfProgram): Promise<void> {
    await this.#tell('attachEbpfFilter', checkProgram(program));
  }

  /**
   * As `Capture.attachFanoutEbpf`.
   *
   * Rejects as it throws, and with `Io` / `ECANCELED` after `close`.
   *
   * @example The last byte of the destination picks the member
   * ```ts
   * import { captureGroup } from '@netring/node-red';
   *
   * // bpftool prog load by_station.o /sys/fs/bpf/by_station type socket
   * await using group = await captureGroup(2, { interface: 'eth0', profile: 'balanced', fanoutMode: 'ebpf' });
   * await group.attachFanoutEbpf('/sys/fs/bpf/by_station');
   * const batch = await group.recv();
   * console.log(batch.member, `${batch}`);
   * ```
   */
  async attachFanoutEbpf(program: EbpfProgram): Promise<void> {
    this.#owner.assertOpen();
    assertFanoutEbpf(this.#settings.fanoutMode);
    await this.#members[0]!.ask('attachFanoutEbpf', checkProgram(program));
  }

  /** Takes the members' filters away, classic or eBPF; no error when there are none. */
  async detachFilter(): Promise<void> {
    return this.setFilter(null);
  }

  /** Lets the process end although the group is open. */
  unref(): this {
    if (!this.#closed) for (const member of this.#members) member.unref();
    return this;
  }
  /** Takes `unref` back: open, it keeps the process alive, as it does from the start. */
  ref(): this {
    if (!this.#closed) for (const member of this.#members) member.ref();
    return this;
  }

  /**
   * Ends iterations and rejects pending waits with `Io` / `ECANCELED` at once; resolves when all threads, rings and sockets are gone. Idempotent. Batches
   * stay valid.
   */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#receiving.close(NetringError.io('ECANCELED', `the capture group on ${this.interface} was closed`, this.interface));
      this.#ended = Promise.all(this.#members.map((member) => member.close())).then(() => captures.close(this.#books));
    }
    await this.#ended;
  }

  /** `await using` closes it, as `close`, and waits until the threads are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #asOwner(): Owner {
    const isClosed = (): boolean => this.#closed;
    const name = this.interface;
    return {
      get closed() {
        return isClosed();
      },
      interface: name,
      assertOpen: () => {
        if (isClosed()) throw NetringError.io('ECANCELED', `the capture group on ${name} is closed`, name);
      },
    };
  }

  #readiness(waiting: Int32Array): { arm(): void; disarm(): void } {
    return {
      arm: () => {
        Atomics.store(waiting, 0, 1);
        // What was sent before is told by nobody any more, nor who came to be held up.
        if (this.#reader.ready || this.#reader.stalled) setImmediate(() => this.#receiving.wake());
      },
      disarm: () => void Atomics.store(waiting, 0, 0),
    };
  }

  #listenTo(member: Member, index: number): void {
    member.listen({
      ready: () => this.#receiving.wake(),
      // The link is the same for all.
      down: () => index === 0 && this.emit('down'),
      up: () => index === 0 && this.emit('up'),
      gone: (error) => {
        if (this.#gone !== undefined) return;
        this.#gone = error;
        this.emit('gone', error);
      },
      // Each has sent all that was in its ring by then, and readers look for a batch before they look for the end.
      drained: (error) => {
        if (this.#members.every((one) => one.drained)) this.#receiving.endAfter(0, this.#gone ?? error);
      },
      error: (error) => this.#report(error),
      died: (error) => {
        this.#receiving.endAfter(0, error);
        if (this.listenerCount('error') > 0) this.emit('error', error);
      },
    });
  }

  /** Never silent: who listens is told, and otherwise whoever waits. */
  #report(error: NetringError): void {
    if (this.listenerCount('error') > 0) this.emit('error', error);
    else this.#receiving.fail(error);
  }

  async #tell<Call extends MemberCall>(call: Call, argument: MemberCalls[Call]['argument']): Promise<void> {
    this.#owner.assertOpen();
    await Promise.all(this.#members.map((member) => member.ask(call, argument)));
  }
}
