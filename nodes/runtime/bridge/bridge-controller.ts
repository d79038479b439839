/** A bridge node without Node-RED: opens the bridge, keeps it open, hands out what the flow is to see, takes its answers, and says how it is. */
import type { PacketBatch } from '../../../src/batches/batch';
import type { BridgePort } from '../../../src/bridge/bridge';
import type { BridgeAnswer, BridgeAudience } from '../../../src/bridge/bridge-feed';
import type { BridgeStats } from '../../../src/bridge/bridge-stats';
import { NetringError } from '../../../src/errors/errors';
import type { BpfInsn } from '../../../src/filter/instruction';
import { BRIDGE_FILTER, parseFilter, type Filter } from '../../../src/options/filter-program';
import { BRIDGE_DIRECTIONS, type BridgeAction, type BridgeDirection, type BridgeMode, type TapMode } from '../../../src/options/values';
import { BridgeLedger, BridgeRateMeter, SIDES, sideOf, type BridgeReport, type DirectionReport, type Side } from './bridge-ledger';
import { answerOf, bridgeMessage, sideOfMessage, tokenOf, type BridgeMessage } from './bridge-messages';
import { systemClock, type Clock } from '../clock';
import { actionOf, isControl, shown, type Message } from '../control';
import { defaultRouteError, ROUTE_INTERVAL_MS } from '../default-route';
import { bridgeNodes, type Counted } from '../metrics/node-metrics';
import type { Row } from '../../../src/metrics/book';
import { QuietLog, type Log } from '../log';
import { shortCount, statusOf, StatusLine, troubleOf, warningStatus, type NodeState, type NodeStatus } from '../node-status';
import { Retry } from '../retry';
import { Sequence } from '../sequence';
import { Ticker } from '../ticker';

export interface BridgeNodeSetup {
  interfaceA: string;
  interfaceB: string;
  mode: BridgeMode;
  tap: TapMode;
  tapRate: number;
  inlineTimeoutMs: number;
  inlineDefault: BridgeAction;
  /** Seconds between statistics messages. */
  statsInterval: number;
  allowDefaultRoute: boolean;
}

/** What the node needs of a `Bridge`. */
export interface BridgeSource {
  readonly warnings: readonly string[];
  linkUp(port: BridgePort): boolean;
  start(audience: BridgeAudience): unknown;
  answer(token: string, answer: BridgeAnswer): boolean;
  setFilter(direction: BridgeDirection, filter: Filter | null): Promise<void>;
  cumulativeStats(): BridgeStats;
  on(event: 'up' | 'down', listener: (port: BridgePort) => void): unknown;
  on(event: 'gone', listener: (port: BridgePort, error: NetringError) => void): unknown;
  on(event: 'error', listener: (error: NetringError) => void): unknown;
  close(): void;
}

/** Filters that came as control messages, by direction; they win over the configured ones. null: none. */
export type BridgeFilters = Readonly<Partial<Record<Side, readonly BpfInsn[] | null>>>;

/** What a controller is given: the node's side of Node-RED, and the way to a bridge. */
export interface BridgeHost {
  /** Opens the bridge, not yet started. Throws `NetringError`. */
  open(filters: BridgeFilters): BridgeSource;
  /** Whether a default route leaves through the interface. Throws when there is no such interface. */
  holdsDefaultRoute(name: string): boolean;
  sendFrames(side: Side, message: BridgeMessage): void;
  sendStatistics(message: { topic: string; payload: BridgeReport }): void;
  /** Whether the output is wired to anything. */
  wired(output: Side | 'statistics'): boolean;
  status(status: NodeStatus): void;
  log: Log;
  clock?: Clock;
}

const ACTIONS = ['start', 'stop', 'restart', 'stats', 'filter'] as const;
const STATUS_INTERVAL_MS = 1000;

export class BridgeController implements Counted {
  readonly #settings: BridgeNodeSetup;
  readonly #host: BridgeHost;
  readonly #clock: Clock;
  readonly #log: QuietLog;
  readonly #status: StatusLine;
  readonly #retry: Retry;
  readonly #ticker: Ticker;
  readonly #work = new Sequence();
  readonly #ledger = new BridgeLedger();
  readonly #statusRates: BridgeRateMeter;
  readonly #statisticsRates: BridgeRateMeter;
  /** Losses that messages have told of. */
  readonly #reported: Record<Side, number> = { aToB: 0, bToA: 0 };
  #bridge: BridgeSource | undefined;
  #state: NodeState = 'stopped';
  #filters: BridgeFilters = {};
  /** Wrong answers that the status has told of. */
  #wrongShown = 0;
  #openedAt = 0;
  #openTime = 0;

  constructor(settings: BridgeNodeSetup, host: BridgeHost) {
    this.#settings = settings;
    this.#host = host;
    this.#clock = host.clock ?? systemClock;
    this.#log = new QuietLog(host.log);
    this.#status = new StatusLine((status) => host.status(status), this.#clock);
    this.#retry = new Retry(() => void this.#work.add(() => this.#open()), this.#clock);
    this.#ticker = new Ticker(this.#clock, this.#log);
    this.#statusRates = new BridgeRateMeter(this.#ledger, this.#clock.now());
    this.#statisticsRates = new BridgeRateMeter(this.#ledger, this.#clock.now());
  }

  get state(): NodeState {
    return this.#state;
  }

  counted(): readonly Row[] {
    const { interfaceA, interfaceB } = this.#settings;
    return SIDES.map((side, i) => {
      const { lateAnswers, wrongAnswers } = this.#ledger.answers(side);
      return { labels: [i === 0 ? interfaceA : interfaceB, BRIDGE_DIRECTIONS[i]!], values: [lateAnswers, wrongAnswers] };
    });
  }

  /** Opens on a later turn of the loop, so that a deploy of many nodes is not held up. */
  start(): void {
    bridgeNodes.open(this);
    this.#ticker.every(STATUS_INTERVAL_MS, () => this.#showRates());
    this.#ticker.every(this.#settings.statsInterval * 1000, () => this.#sendStatistics());
    if (!this.#settings.allowDefaultRoute) this.#ticker.every(ROUTE_INTERVAL_MS, () => this.#checkRoutes());
    void this.#work.add(async () => {
      await this.#clock.turn();
      this.#open();
    });
  }

  /** Takes a control message, or an inline batch that comes back. Rejects with what is wrong with it. */
  async input(msg: Message): Promise<void> {
    if (!isControl(msg)) return this.#answer(msg);
    switch (actionOf(msg, ACTIONS)) {
      case 'start':
        return this.#work.add(() => this.#open());
      case 'stop':
        return this.#work.add(() => this.#stop());
      case 'restart':
        return this.#work.add(() => {
          this.#stop();
          this.#open();
        });
      case 'stats':
        return this.#sendStatistics();
      case 'filter':
        return this.#work.add(() => this.#setFilter(msg));
    }
  }

  /** Lets go of everything. Never rejects. */
  async close(): Promise<void> {
    const idle = this.#work.close();
    this.#retry.reset();
    this.#status.close();
    this.#ticker.stop();
    await idle;
    this.#closeBridge();
    bridgeNodes.close(this);
  }

  #open(): void {
    if (this.#work.closed || this.#bridge !== undefined) return;
    let bridge: BridgeSource | undefined;
    try {
      this.#assertAllowed();
      const opened = this.#host.open(this.#filters);
      bridge = opened;
      opened.on('up', () => this.#linkChanged(opened));
      opened.on('down', () => this.#linkChanged(opened));
      opened.on('gone', (_port, error) => this.#lost(opened, error));
      opened.on('error', (error) => this.#lost(opened, error));
      opened.start(this.#audience());
      this.#bridge = opened;
      this.#ledger.open(() => opened.cumulativeStats());
      this.#openedAt = this.#clock.now();
      this.#retry.reset();
      this.#log.forget();
      for (const warning of opened.warnings) this.#log.warn(warning);
      this.#linkChanged(opened);
    } catch (error) {
      bridge?.close();
      this.#failed(error);
    }
  }

  #audience(): BridgeAudience {
    const { mode, tap, tapRate, inlineTimeoutMs, inlineDefault } = this.#settings;
    if (mode === 'inline') {
      return {
        inline: {
          timeoutMs: inlineTimeoutMs,
          default: inlineDefault,
          onBatch: (batch, direction, token) => this.#hand(batch, { token, direction }),
        },
      };
    }
    if (tap === 'off') return {};
    return { tap: { every: tap === 'all' ? 1 : tapRate, onBatch: (batch, direction) => this.#hand(batch, { direction }) } };
  }

  #hand(batch: PacketBatch, bridge: BridgeMessage['bridge']): void {
    const side = sideOf(bridge.direction);
    if (this.#host.wired(side)) return this.#host.sendFrames(side, bridgeMessage(batch, bridge, this.#losses(side)));
    // Nobody is going to answer: what would happen after the timeout happens at once.
    if (bridge.token !== undefined) this.#bridge?.answer(bridge.token, { verdict: this.#settings.inlineDefault });
  }

  #losses(side: Side): { drops: number; freezes: number } {
    const { kernelDrops, tapShed } = this.#ledger.totals(side);
    const drops = kernelDrops + tapShed - this.#reported[side];
    this.#reported[side] += drops;
    return { drops, freezes: 0 };
  }

  #answer(msg: Message): void {
    if (this.#settings.mode !== 'inline')
      throw new TypeError(`mode ${this.#settings.mode}: this input takes control messages, msg.action = ${ACTIONS.join(', ')}`);
    const side = sideOfMessage(msg);
    try {
      const token = tokenOf(msg);
      if (this.#bridge?.answer(token, answerOf(msg)) !== true) this.#ledger.countLate(side);
    } catch (error) {
      this.#ledger.countWrong(side);
      throw error;
    }
  }

  async #setFilter(msg: Message): Promise<void> {
    const { filter, direction } = msg;
    if (filter === undefined) throw NetringError.config('msg.filter is missing: a filter, or an empty text for none', 'filter');
    const directions = direction === undefined ? BRIDGE_DIRECTIONS : BRIDGE_DIRECTIONS.filter((known) => known === direction);
    if (directions.length === 0)
      throw NetringError.config(`msg.direction ${shown(direction)} is none of ${BRIDGE_DIRECTIONS.join(', ')}`, 'direction');
    const instructions = parseFilter(filter, 'filter', BRIDGE_FILTER);
    const program = instructions.length === 0 ? null : instructions;
    for (const each of directions) {
      await this.#bridge?.setFilter(each, program);
      // Kept for the next bridge too: an interface that comes back is filtered as it was.
      this.#filters = { ...this.#filters, [sideOf(each)]: program };
    }
  }

  #assertAllowed(): void {
    if (this.#settings.allowDefaultRoute) return;
    for (const name of [this.#settings.interfaceA, this.#settings.interfaceB])
      if (this.#host.holdsDefaultRoute(name)) throw defaultRouteError(name);
  }

  /** Closes a bridge of which an interface has come to hold the default route; it opens again when the route has moved away. */
  #checkRoutes(): void {
    if (this.#bridge === undefined) return;
    try {
      this.#assertAllowed();
    } catch (error) {
      // Whatever else goes wrong here is no reason to cut a wire that works.
      if ((error as NetringError).code !== 'ERR_DEFAULT_ROUTE') return;
      this.#closeBridge();
      this.#failed(error);
    }
  }

  #linkChanged(bridge: BridgeSource): void {
    if (this.#bridge !== bridge) return;
    const { interfaceA, interfaceB } = this.#settings;
    const down = [bridge.linkUp('a') ? '' : interfaceA, bridge.linkUp('b') ? '' : interfaceB].filter(Boolean);
    this.#state = down.length === 0 ? 'up' : 'down';
    if (down.length === 0) this.#showRates();
    else this.#status.set(statusOf('down', `${down.join(', ')} down`));
  }

  #lost(bridge: BridgeSource, error: NetringError): void {
    if (this.#bridge !== bridge) return;
    this.#closeBridge();
    if (error.code !== 'ENODEV') return this.#failed(error);
    const name = error.interface ?? '';
    this.#state = 'gone';
    this.#status.set(statusOf('gone', `${name} gone`));
    this.#log.warn(`${name} is gone; waiting for it to come back`);
    if (!this.#work.closed) this.#retry.schedule();
  }

  #failed(error: unknown): void {
    const trouble = troubleOf(error, error instanceof NetringError ? (error.interface ?? '') : '');
    this.#state = trouble.state;
    this.#status.set(statusOf(trouble.state, trouble.text));
    this.#log.error(trouble.message);
    if (trouble.passing && !this.#work.closed) this.#retry.schedule();
  }

  #stop(): void {
    this.#retry.reset();
    this.#closeBridge();
    this.#state = 'stopped';
    this.#status.set(statusOf('stopped', 'stopped'));
  }

  /** Inline frames that are out get the default; the tap hands out its last copies. */
  #closeBridge(): void {
    const bridge = this.#bridge;
    if (bridge === undefined) return;
    bridge.close();
    this.#bridge = undefined;
    this.#openTime += this.#clock.now() - this.#openedAt;
    this.#ledger.settle();
  }

  #showRates(): void {
    const rates = this.#statusRates.look(this.#clock.now());
    if (this.#state !== 'up') return;
    const total = (name: 'dropsPerSecond' | 'latePerSecond'): number => rates.aToB[name] + rates.bToA[name];
    if (total('dropsPerSecond') > 0) return this.#status.set(warningStatus(`dropping ${shortCount(total('dropsPerSecond'))}/s`));
    const wrong = SIDES.reduce((sum, side) => sum + this.#ledger.totals(side).wrongAnswers, 0) - this.#wrongShown;
    this.#wrongShown += wrong;
    if (wrong > 0) return this.#status.set(warningStatus(`wrong answers: ${shortCount(wrong)}`));
    if (total('latePerSecond') > 0) return this.#status.set(warningStatus(`flow late: ${shortCount(total('latePerSecond'))}/s`));
    const [there, back] = SIDES.map((side) => shortCount(rates[side].packetsPerSecond));
    this.#status.set(statusOf('up', `A→B ${there}, B→A ${back} pps`));
  }

  #sendStatistics(): void {
    if (!this.#host.wired('statistics')) return;
    const { interfaceA, interfaceB } = this.#settings;
    const rates = this.#statisticsRates.look(this.#clock.now());
    const report = (side: Side): DirectionReport => ({
      ...this.#ledger.totals(side),
      packetsPerSecond: rates[side].packetsPerSecond,
      bitsPerSecond: rates[side].bitsPerSecond,
    });
    const running = this.#bridge === undefined ? 0 : this.#clock.now() - this.#openedAt;
    this.#host.sendStatistics({
      topic: `${interfaceA} ${interfaceB}`,
      payload: { state: this.#state, uptime: (this.#openTime + running) / 1000, aToB: report('aToB'), bToA: report('bToA') },
    });
  }
}
