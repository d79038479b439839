/** A capture whose ring a native thread reads, and a bounded queue out of which packets are fetched one by one. */
import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AsyncCaptureEvents } from '../async/async-capture';
import { TurnBudget } from '../async/turn-budget';
import { WaitList, type WaitOptions } from '../async/wait-list';
import { ChannelQueue } from './channel-queue';
import { readChannelStats, ChannelStats } from './channel-stats';
import { NetringError } from '../errors/errors';
import { keepLedger, type CaptureLedger } from '../ledger';
import { assertLinkType, isEthernet } from '../interfaces/link-types';
import { channels } from '../metrics/books';
import { native, PortState, type NativeCaptureGeometry, type NativeChannel } from '../native';
import { isExpression, packSocketFilter } from '../options/filter-program';
import type { CaptureOptions } from '../options/generated/builders';
import { resolveCapture, toNativeCaptureConfig } from '../options/validate';
import type { OwnedPacket } from '../batches/packet';

const MOST_CAPACITY = 2 ** 31 - 1;

/** Packets after which no more are fetched in a turn of the event loop: some two milliseconds. */
const PACKETS_PER_TURN = 4096;

/**
 * Packets of an interface, one by one, through a queue that never makes the reader wait: while nobody fetches, the thread goes on emptying the
 * ring, and what the queue has no room for is dropped and counted. Open, it keeps the process alive (see `unref`).
 *
 * Which to use: an `AsyncCapture` leaves what is not read in the kernel's ring and hands out batches, at a fraction of the cost. A channel is for
 * programs that think in packets, and for those whose event loop may be busy for longer than the ring lasts. At full rate `recv` and then `tryRecv` until
 * it gives null take a fifth less than `for await`, which makes a promise for every packet.
 *
 * A packet's `data` is valid for ever. Packets that came together share memory, up to 8 KiB where they come few at a time and 128 KiB (or a longer
 * frame) under load: copy what you keep few of many of.
 *
 * All waits take `{ signal }` and are cancel-safe: an aborted wait loses no packet.
 *
 * @example Packets one by one, then what is left
 * ```ts
 * import { ChannelCapture } from '@netring/node-red';
 *
 * await using channel = ChannelCapture.spawn({ interface: 'eth0', profile: 'balanced' }, 10_000);
 * let left = 5;
 * for await (const packet of channel) {
 *   console.log(packet.sourceAddress, packet.originalLength, packet.timestamp.sec);
 *   if (--left === 0) break;
 * }
 * const rest = await channel.stopAndDrain();
 * console.log(rest.length, `${channel.cumulativeStats()}`);
 * ```
 */
export class ChannelCapture extends EventEmitter<AsyncCaptureEvents> implements AsyncIterable<OwnedPacket>, AsyncDisposable, Disposable {
  /** Packets that may wait in the queue. */
  readonly capacity: number;
  /** @internal The name that it was opened by, whatever the interface is called now. */
  readonly openedAs: string;
  /** The ring as the kernel gave it, and the id of the fanout group. */
  readonly geometry: NativeCaptureGeometry;
  /** Options that were honoured only in part. */
  readonly warnings: readonly string[];
  readonly #native: NativeChannel;
  readonly #queue: ChannelQueue;
  readonly #waiting = new WaitList();
  readonly #draining = new WaitList();
  readonly #turn = new TurnBudget(PACKETS_PER_TURN);
  #linkState: PortState;
  /** No packet will come any more: rejects what waits once the queue is empty. */
  #ended: NetringError | undefined;
  /** Nobody but `stopAndDrain` gets packets any more: ends iterations, rejects all else. */
  #stopped: NetringError | undefined;
  #previous: ChannelStats;
  #last: ChannelStats | undefined;
  #interfaceName: string;

  /**
   * Opens the ring and starts its reader. `capacity` is the number of packets that may wait in the queue; their bytes are bound by the option
   * `maxBufferedBytes`. A ring with netring's defaults has 256 MiB.
   *
   * Throws `NetringError` as `Capture` does, RangeError for a capacity that is no integer from 1 to 2147483647.
   */
  static spawn(options: string | CaptureOptions, capacity: number): ChannelCapture {
    return new ChannelCapture(typeof options === 'string' ? { interface: options } : options, capacity);
  }

  private constructor(options: CaptureOptions, capacity: number) {
    super();
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MOST_CAPACITY)
      throw new RangeError(`capacity ${String(capacity)} is not an integer from 1 to ${MOST_CAPACITY}`);
    const { settings, warnings } = resolveCapture(options, native().pageSize);
    this.capacity = capacity;
    this.#interfaceName = this.openedAs = settings.interface;
    this.#native = new (native().Channel)(toNativeCaptureConfig(settings), capacity);
    try {
      this.geometry = this.#native.geometry;
      const { linkType } = this.geometry;
      assertLinkType(linkType, settings.interface);
      // As in `CaptureHandle`: which link it is, the open socket tells.
      if (isExpression(options.filter) && !isEthernet(linkType))
        this.#native.setFilter(packSocketFilter(options.filter, linkType, settings.snapLen));
      this.warnings = [...warnings, ...this.geometry.warnings];
      this.#queue = new ChannelQueue(this.#native, linkType, settings.maxBufferedBytes);
      this.#linkState = this.#native.linkState;
      this.#previous = this.cumulativeStats();
      this.#native.start(() => this.#onWake());
    } catch (error) {
      this.#native.close();
      throw error;
    }
    keepLedger(this, { ledger: () => this.#ledger() });
    channels.open(this);
  }

  /** The socket's file descriptor; -1 after `close`. */
  get fd(): number {
    return this.#closed ? -1 : this.#native.fd;
  }
  /** Name of the interface now: a rename is followed. */
  get interface(): string {
    if (!this.#closed) this.#interfaceName = this.#native.interfaceName;
    return this.#interfaceName;
  }
  /** Whether the interface is up and has a carrier. */
  get linkUp(): boolean {
    return !this.#closed && this.#native.linkState === PortState.Up;
  }
  /** Packets since open that nobody got, for want of room in the queue or because they were left in it: see `ChannelStats`. */
  get dropped(): number {
    return this.cumulativeStats().dropped;
  }

  /**
   * The next packet. Rejects with `Io`: `ECANCELED` after `close`, `ENODEV` when the interface is gone and all that came from it is fetched; with
   * `signal.reason`.
   */
  async recv(options: WaitOptions = {}): Promise<OwnedPacket> {
    for (;;) {
      options.signal?.throwIfAborted();
      const packet = this.#next();
      if (packet !== null) return packet;
      await this.#more(options);
    }
  }

  /**
   * The next packet, if there is one; never waits. Null too once so many packets have been fetched in this turn of the event loop that the rest of
   * the process is to get its turn; `recv` goes on in the next one. Throws as `recv` rejects.
   */
  tryRecv(): OwnedPacket | null {
    const packet = this.#next();
    if (packet === null && this.#ended !== undefined && !this.#turn.exhausted) throw this.#ended;
    return packet;
  }

  /** Packets until `close` or `stopAndDrain`; leaving the loop keeps the channel open. Rejects when the interface is gone. */
  [Symbol.asyncIterator](): AsyncIterableIterator<OwnedPacket> {
    let left = false;
    const done = { done: true, value: undefined } as const;
    const waited = async (): Promise<IteratorResult<OwnedPacket>> => {
      try {
        return { done: false, value: await this.recv() };
      } catch (error) {
        if (error === this.#stopped) return done;
        throw error;
      }
    };
    return {
      // No generator: what is there already costs one promise instead of three.
      next: () => {
        if (left || this.#stopped !== undefined) return Promise.resolve(done);
        const value = this.#next();
        return value === null ? waited() : Promise.resolve({ done: false, value });
      },
      return: () => {
        left = true;
        return Promise.resolve(done);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /**
   * Lets nothing more in, and resolves with what has come so far and not been fetched, oldest first: what waits in the queue, and from the ring
   * what it has room for. Then closes. Takes up to the ring's `blockTimeoutMs` and 20 ms. Ends iterations and rejects other waits with `Io` /
   * `ECANCELED`. An aborted call loses nothing: the next one, or `close`, goes on.
   */
  async stopAndDrain(options: WaitOptions = {}): Promise<OwnedPacket[]> {
    options.signal?.throwIfAborted();
    this.#assertOpen();
    if (this.#stopped === undefined) {
      this.#stop(`the channel on ${this.interface} was stopped`);
      this.#native.drain();
    }
    while (this.#ended === undefined) await this.#draining.wait(options);
    this.#assertOpen();
    const packets: OwnedPacket[] = [];
    do for (let packet = this.#queue.next(); packet !== null; packet = this.#queue.next()) packets.push(packet);
    while (this.#queue.fetch() > 0);
    this.close();
    return packets;
  }

  /** Counters since the last call of this method. */
  stats(): ChannelStats {
    const now = this.cumulativeStats();
    const delta = now.since(this.#previous);
    this.#previous = now;
    return delta;
  }
  /** Counters since open; readable after `close`. */
  cumulativeStats(): ChannelStats {
    return this.#last ?? readChannelStats(this.#native, this.#queue);
  }

  /** Lets the process end although the channel is open. */
  unref(): this {
    this.#native.unref();
    return this;
  }
  /** Takes `unref` back: open, it keeps the process alive, as it does from the start. */
  ref(): this {
    this.#native.ref();
    return this;
  }

  /**
   * Ends the reader, ends iterations, rejects pending waits with `Io` / `ECANCELED`, gives everything back; idempotent. Packets that nobody has
   * fetched count as `dropped`.
   */
  close(): void {
    if (this.#closed) return;
    this.#interfaceName = this.#native.interfaceName;
    const { packets, bytes, received, drops, freezes } = this.cumulativeStats();
    this.#last = new ChannelStats({ packets, bytes, received, drops, freezes, dropped: received - drops - packets, waiting: 0 });
    this.#native.close();
    channels.close(this);
    this.#stop(`the channel on ${this.#interfaceName} was closed`);
    if (this.#stopped !== undefined) this.#draining.fail(this.#stopped);
  }

  /** `using` closes it, as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** `await using` closes it, as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #ledger(): CaptureLedger {
    const { packets, dropped, received, drops } = this.cumulativeStats();
    const account = { wire: received, delivered: packets, drops, shed: dropped };
    return { received: { ...account, waiting: received - packets - drops - dropped } };
  }

  get #closed(): boolean {
    return this.#last !== undefined;
  }

  #next(): OwnedPacket | null {
    if (this.#stopped !== undefined) throw this.#stopped;
    const packet = this.#queue.next();
    if (packet !== null || this.#turn.exhausted) return packet;
    this.#turn.spend(this.#queue.fetch());
    return this.#queue.next();
  }

  /** After `#next` has found nothing: resolves when it may find something. */
  async #more(options: WaitOptions): Promise<void> {
    if (this.#turn.exhausted) await nextTurn();
    else if (this.#ended !== undefined) throw this.#ended;
    else await this.#waiting.wait(options);
  }

  #stop(message: string): void {
    this.#stopped ??= NetringError.io('ECANCELED', message, this.#interfaceName);
    this.#waiting.fail(this.#stopped);
  }

  #assertOpen(): void {
    if (this.#closed) throw this.#stopped!;
  }

  #onWake(): void {
    const { linkState } = this.#native;
    const ended = this.#ended === undefined && this.#native.ended;
    if (ended) {
      this.#ended = this.#end();
      // Nothing is left to wait for.
      this.#native.unref();
    }
    this.#waiting.wake();
    if (ended) this.#draining.wake();
    // Listeners may close the channel, or throw: last.
    if (linkState !== this.#linkState) {
      this.#linkState = linkState;
      if (linkState === PortState.Gone) this.emit('gone', this.#gone());
      else this.emit(linkState === PortState.Up ? 'up' : 'down');
    }
    if (ended && this.#native.failure !== 0 && linkState !== PortState.Gone && this.listenerCount('error') > 0)
      this.emit('error', this.#ended!);
  }

  /** Why the reader has ended. */
  #end(): NetringError {
    const { failure, failedStep, linkState } = this.#native;
    if (failure === 0) return NetringError.io('ECANCELED', `the channel on ${this.interface} was stopped`, this.interface);
    if (linkState === PortState.Gone) return this.#gone();
    return NetringError.fromNative({ errno: failure, step: failedStep, interface: this.interface });
  }

  #gone(): NetringError {
    return NetringError.io('ENODEV', `interface ${this.interface} is gone`, this.interface);
  }
}
