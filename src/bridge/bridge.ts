/** Two interfaces become one wire: a native engine forwards frames in both directions, with no JavaScript in their path. */
import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { WaitOptions } from '../async/wait-list';
import { BridgeFeed, type BridgeAnswer, type BridgeAudience } from './bridge-feed';
import { FilterRun, type BridgeFilterFunction } from './bridge-run';
import { type BridgeStats, readBridgeStats } from './bridge-stats';
import { NetringError } from '../errors/errors';
import { forwardedAccount, keepLedger, type BridgeLedger } from '../ledger';
import { ARPHRD_ETHER } from '../interfaces/link-types';
import { bridges } from '../metrics/books';
import { native, PortState, type NativeBridge, type NativeBridgeAudience } from '../native';
import { BRIDGE_FILTER, packFilter, parseFilter, type Filter } from '../options/filter-program';
import { BridgeSetters, type BridgeOptions, type BridgeSettings } from '../options/generated/builders';
import { resolveBridge, toNativeBridgeConfig } from '../options/validate';
import { BRIDGE_ACTIONS, BRIDGE_DIRECTIONS, type BridgeAction, type BridgeDirection } from '../options/values';

/** One end of a bridge. */
export type BridgePort = 'a' | 'b';

/** Events of `Bridge`. */
export interface BridgeEvents {
  /** The link of a port went down. The other port's link is left alone; frames to this one are dropped and counted as errors. */
  down: [port: BridgePort];
  /** The link of a port came back. */
  up: [port: BridgePort];
  /** The interface was deleted. Open a new bridge when it returns. */
  gone: [port: BridgePort, error: NetringError];
  /** The engine has ended by itself. */
  error: [NetringError];
}

/** File descriptors of the four sockets. */
export interface BridgeHandles {
  /** Receives on port A, what goes A to B. */
  readonly rxA: number;
  /** Sends on port B, what goes A to B. */
  readonly txB: number;
  /** Receives on port B, what goes B to A. */
  readonly rxB: number;
  /** Sends on port A, what goes B to A. */
  readonly txA: number;
}

/** Sets the options of a bridge one by one; `build` opens it. */
export class BridgeBuilder extends BridgeSetters {
  /** Opens both interfaces. Throws `NetringError`: `Config` for a bad option, else by what the kernel refused. */
  build(): Bridge {
    return new Bridge(this.options);
  }
}

/**
 * A wire between two interfaces. Needs CAP_NET_RAW.
 *
 * The interfaces should have no addresses: the kernel goes on reading what they receive. Checksums and segments that a sender left to its hardware
 * travel along (PACKET_VNET_HDR), VLAN tags keep their TPID, and what this machine itself sends on the interfaces is not forwarded.
 *
 * After `close` whatever starts it, answers or sets a filter throws `Io` / `ECANCELED`; counters stay readable, `handles()` are -1.
 *
 * @example A wire for a second, without LLDP
 * ```ts
 * import { setTimeout as delay } from 'node:timers/promises';
 * import { Bridge } from '@netring/node-red';
 *
 * using bridge = Bridge.builder({ interfaceA: 'eth1', interfaceB: 'eth2', profile: 'balanced' }).build();
 * bridge.on('down', (port) => console.log(`${port} is down`));
 * bridge.start();
 * await delay(1000);
 * console.log(`${bridge.cumulativeStats()}`);
 * await bridge.stop();
 *
 * const signal = AbortSignal.timeout(1000);
 * await bridge.run(({ data }) => (data.readUInt16BE(12) === 0x88cc ? 'drop' : 'forward'), { signal }).catch(() => undefined);
 * ```
 */
export class Bridge extends EventEmitter<BridgeEvents> implements Disposable {
  /** @internal Checked options, defaults filled in. */
  readonly settings: BridgeSettings;
  /** What was honoured only in part, and unequal MTUs. */
  readonly warnings: readonly string[];
  readonly #native: NativeBridge;
  readonly #handles: BridgeHandles;
  readonly #feed: BridgeFeed;
  #states: [PortState, PortState];
  #running = false;
  #run: FilterRun | undefined;
  #keepsAlive = true;
  /** A listener that gets the tap's last copies may call `close` again. */
  #closing = false;
  #previous: BridgeStats;
  #last: BridgeStats | undefined;

  /** Throws `NetringError`. Prefer `Bridge.openPair` or `Bridge.builder`. */
  constructor(options: BridgeOptions) {
    super();
    const { settings, warnings } = resolveBridge(options, native().pageSize);
    this.settings = settings;
    this.#native = new (native().Bridge)(toNativeBridgeConfig(settings));
    try {
      assertEthernet(settings.interfaceA, this.#native.linkTypes[0]);
      assertEthernet(settings.interfaceB, this.#native.linkTypes[1]);
      const dropsMatching = settings.filterAction === 'drop';
      this.#native.setFilter(0, packFilter(settings.filterAToB), dropsMatching);
      this.#native.setFilter(1, packFilter(settings.filterBToA), dropsMatching);
    } catch (error) {
      this.#native.close();
      throw error;
    }
    this.warnings = [...warnings, ...this.#native.warnings];
    const [rxA, txB, rxB, txA] = this.#native.fds;
    this.#handles = { rxA, txB, rxB, txA };
    this.#feed = new BridgeFeed(this.#native, settings);
    this.#states = [this.#native.portState(0), this.#native.portState(1)];
    this.#previous = readBridgeStats(this.#native);
    keepLedger(this, this);
    bridges.open(this);
  }

  /** A bridge with netring's defaults: 256 MiB of receive ring an interface. */
  static openPair(interfaceA: string, interfaceB: string): Bridge {
    return new Bridge({ interfaceA, interfaceB });
  }

  /** A builder that starts from `options`. */
  static builder(options: Partial<BridgeOptions> = {}): BridgeBuilder {
    return new BridgeBuilder(options);
  }

  /** The sockets' file descriptors; all -1 after `close`. */
  handles(): BridgeHandles {
    return this.#last === undefined ? this.#handles : { rxA: -1, txB: -1, rxB: -1, txA: -1 };
  }

  /** Whether frames are forwarded now: after `start`, or during `run`. */
  get running(): boolean {
    return this.#running;
  }

  /** The state of a port's link. */
  linkUp(port: BridgePort): boolean {
    return this.#states[port === 'a' ? 0 : 1] === PortState.Up;
  }

  /**
   * Starts forwarding, on a thread of its own; does nothing on a bridge that runs, and throws `EALREADY` when it were to get another audience.
   * Frames received before are thrown away and counted as `kernelDrops`. Keeps the process alive. Throws `Config` for a bad audience.
   */
  start(audience: BridgeAudience = {}): this {
    this.#assertOpen();
    if (!this.#running) this.#begin(this.#feed.open(audience));
    else if (audience.tap !== undefined || audience.inline !== undefined) throw this.#runsAlready();
    return this;
  }

  /** Cuts the wire; idempotent. `start` joins it again. */
  stop(): void {
    this.#halt();
    this.#run?.end();
  }

  /**
   * Answers a batch of `start({ inline })`. The first answer wins: false for a later one, and for one that comes after the timeout.
   * Throws TypeError for what is no answer, RangeError when it does not fit the batch, `Config` for an unknown name in it; the batch then still waits.
   *
   * @example Every frame waits for its verdict
   * ```ts
   * import { setTimeout as delay } from 'node:timers/promises';
   * import { Bridge, type PacketBatch } from '@netring/node-red';
   *
   * using bridge = Bridge.builder({ interfaceA: 'eth1', interfaceB: 'eth2', profile: 'balanced' }).build();
   * const onBatch = (batch: PacketBatch, direction: string, token: string): void => {
   *   const verdict = Array.from(batch, (packet) => (packet.length > 1000 ? 'drop' : 'forward'));
   *   if (!bridge.answer(token, { verdict })) console.log(`${direction}: too late`);
   * };
   * bridge.start({ inline: { timeoutMs: 100, default: 'forward', onBatch } });
   * await delay(500);
   * bridge.stop();
   * console.log(`${bridge.cumulativeStats()}`);
   * ```
   */
  answer(token: string, answer: BridgeAnswer = {}): boolean {
    this.#assertOpen();
    return this.#feed.answer(token, answer);
  }

  /**
   * Forwards what `filter` lets through, until `stop` (which resolves), an abort (which rejects with the signal's reason) or an error of the filter.
   * It runs on the event loop, a batch at a time, and holds up all traffic while it does; frames that it has not judged at the end are dropped.
   * Rejects with `Io` / `EALREADY` on a bridge that runs, TypeError for a verdict that is none.
   */
  async run(filter: BridgeFilterFunction, options: WaitOptions = {}): Promise<void> {
    return this.#runFilter(filter, Infinity, options);
  }

  /** netring's name of `run`. */
  async runAsync(filter: BridgeFilterFunction, options: WaitOptions = {}): Promise<void> {
    return this.#runFilter(filter, Infinity, options);
  }

  /** `run` for `count` iterations: each is a batch of frames, or `pollTimeoutMs` without one. */
  async runIterations(count: number, filter: BridgeFilterFunction, options: WaitOptions = {}): Promise<void> {
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`count ${String(count)} is not an integer from 0 on`);
    return this.#runFilter(filter, count, options);
  }

  /**
   * Changes the filter of one direction. No frame that it holds back is forwarded after this resolves, and none that it lets through is lost.
   * `action` is what happens to frames that the filter picks; null takes the filter away. A bad filter rejects with `Config` and leaves the old one.
   * Inline, frames that are with the flow already are not judged again. An abort ends the wait for the engine, not the filter.
   */
  async setFilter(
    direction: BridgeDirection,
    filter: Filter | null,
    action: BridgeAction = this.settings.filterAction,
    { signal }: WaitOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    this.#assertOpen();
    if (!BRIDGE_DIRECTIONS.includes(direction)) throw new TypeError(`direction must be one of ${BRIDGE_DIRECTIONS.join(', ')}`);
    if (!BRIDGE_ACTIONS.includes(action)) throw new TypeError(`action must be one of ${BRIDGE_ACTIONS.join(', ')}`);
    const which = direction === 'a-to-b' ? 0 : 1;
    this.#native.setFilter(which, packFilter(filter === null ? [] : parseFilter(filter, 'filter', BRIDGE_FILTER)), action === 'drop');
    while (this.#running && !this.#native.filterApplied(which)) {
      await pause(1);
      signal?.throwIfAborted();
    }
  }

  /** Counters since the last call of this method. The kernel's drops are up to date to 20 ms. */
  stats(): BridgeStats {
    const now = this.cumulativeStats();
    const delta = now.since(this.#previous);
    this.#previous = now;
    return delta;
  }

  /** Counters since open; readable after `close`. */
  cumulativeStats(): BridgeStats {
    return this.#last ?? readBridgeStats(this.#native);
  }

  /** @internal */
  ledger({ aToB, bToA } = this.cumulativeStats()): BridgeLedger {
    const closed = this.#last !== undefined;
    return { aToB: forwardedAccount(aToB, closed), bToA: forwardedAccount(bToA, closed) };
  }

  /** Lets the process end although the bridge runs. */
  unref(): this {
    this.#keepsAlive = false;
    this.#native.unref();
    return this;
  }
  /** Takes `unref` back: while it runs, the bridge keeps the process alive. */
  ref(): this {
    this.#keepsAlive = true;
    this.#native.ref();
    return this;
  }

  /** Gives everything back to the kernel; idempotent. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    try {
      this.#halt();
    } finally {
      this.#last = readBridgeStats(this.#native);
      this.#native.close();
      bridges.close(this);
      this.#run?.end({ reason: this.#closed() });
    }
  }

  /** `using` closes it, as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #runFilter(filter: BridgeFilterFunction, iterations: number, { signal }: WaitOptions): Promise<void> {
    this.#assertOpen();
    signal?.throwIfAborted();
    if (this.#running) throw this.#runsAlready();
    const run = new FilterRun(filter, iterations, this.settings.pollTimeoutMs, () => this.#halt());
    this.#run = run;
    const abort = (): void => run.end({ reason: signal?.reason });
    signal?.addEventListener('abort', abort, { once: true });
    try {
      if (iterations > 0) this.#begin(this.#feed.openJudged(run.judge));
      run.begin();
      await run.finished;
    } finally {
      signal?.removeEventListener('abort', abort);
      if (this.#run === run) this.#run = undefined;
    }
  }

  #begin(audience: NativeBridgeAudience): void {
    this.#native.start(() => this.#onWake(), audience);
    if (!this.#keepsAlive) this.#native.unref();
    this.#running = true;
  }

  #halt(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#native.stop();
    this.#feed.close();
  }

  #onWake(): void {
    const { failure, failedStep } = this.#native;
    if (failure !== 0) {
      const reason = NetringError.fromNative({ errno: failure, step: failedStep, interface: this.settings.interfaceA });
      try {
        this.#halt();
      } finally {
        if (this.#run === undefined) this.emit('error', reason);
        else this.#run.end({ reason });
      }
      return;
    }
    try {
      this.#reportChanges();
    } finally {
      // Also when a listener has thrown: the engine calls only once for all batches that are there.
      this.#feed.drain();
    }
  }

  #reportChanges(): void {
    for (const which of [0, 1] as const) {
      const state = this.#native.portState(which);
      if (this.#last !== undefined || state === this.#states[which]) continue;
      this.#states[which] = state;
      this.#report(which === 0 ? 'a' : 'b', state);
    }
  }

  #report(port: BridgePort, state: PortState): void {
    const name = port === 'a' ? this.settings.interfaceA : this.settings.interfaceB;
    if (state === PortState.Gone) this.emit('gone', port, NetringError.io('ENODEV', `interface ${name} is gone`, name));
    else this.emit(state === PortState.Up ? 'up' : 'down', port);
  }

  #assertOpen(): void {
    if (this.#last !== undefined) throw this.#closed();
  }

  #runsAlready(): NetringError {
    return NetringError.io('EALREADY', 'the bridge runs already: stop it first', this.settings.interfaceA);
  }

  #closed(): NetringError {
    const { interfaceA, interfaceB } = this.settings;
    return NetringError.io('ECANCELED', `the bridge of ${interfaceA} and ${interfaceB} is closed`, interfaceA);
  }
}

function assertEthernet(name: string, linkType: number): void {
  if (linkType === ARPHRD_ETHER) return;
  throw NetringError.config(
    `interface ${name} has link type ${linkType}; a bridge joins interfaces of link type 1 (Ethernet)`,
    'interface',
  );
}
