/** A capture-in node without Node-RED: opens the capture, keeps it open, delivers, counts, and says how it is. */
import { checkedFilter, type Filter } from '../../../src/options/filter-program';
import type { OutputForm } from '../../../src/options/values';
import { createOutput, PACKET_FORM_LIMIT, type CaptureMessage, type CaptureOutput, type OutputContext } from './capture-output';
import { CaptureSession, type CaptureSource } from './capture-session';
import { systemClock, type Clock } from '../clock';
import { actionOf, isControl, shown, type Message } from '../control';
import { NetringError } from '../../../src/errors/errors';
import { Ledger, RateMeter, type StatisticsReport, type Totals } from './capture-ledger';
import { receivingNodes, type Counted } from '../metrics/node-metrics';
import type { Row } from '../../../src/metrics/book';
import { QuietLog, type Log } from '../log';
import { shortCount, statusOf, StatusLine, troubleOf, warningStatus, type NodeState, type NodeStatus } from '../node-status';
import { Retry } from '../retry';
import { Sequence } from '../sequence';
import { Ticker } from '../ticker';

export interface CaptureNodeSettings {
  interface: string;
  output: OutputForm;
  /** Seconds between statistics messages. */
  statsInterval: number;
}

/** What a controller is given: the node's side of Node-RED, and the way to a capture. */
export interface CaptureHost {
  id: string;
  /** Opens the capture; with a filter, or null for none, instead of the configured one. Throws `NetringError`. */
  open(filter: Filter | null | undefined): CaptureSource;
  sendPackets(message: CaptureMessage): void;
  sendStatistics(message: { topic: string; payload: StatisticsReport }): void;
  /** Whether the output is wired to anything. */
  wired(output: 'packets' | 'statistics'): boolean;
  status(status: NodeStatus): void;
  log: Log;
  clock?: Clock;
}

const ACTIONS = ['start', 'stop', 'restart', 'stats', 'filter'] as const;
const STATUS_INTERVAL_MS = 1000;

export class CaptureController implements Counted {
  readonly #settings: CaptureNodeSettings;
  readonly #host: CaptureHost;
  readonly #clock: Clock;
  readonly #log: QuietLog;
  readonly #status: StatusLine;
  readonly #retry: Retry;
  readonly #ledger = new Ledger();
  readonly #statusRates = new RateMeter();
  readonly #statisticsRates = new RateMeter();
  readonly #output: CaptureOutput;
  readonly #context: OutputContext;
  #session: CaptureSession | undefined;
  #state: NodeState = 'stopped';
  #filter: Filter | null | undefined;
  #openedAt = 0;
  #openTime = 0;
  #reported: Totals;
  readonly #ticker: Ticker;
  readonly #work = new Sequence();

  constructor(settings: CaptureNodeSettings, host: CaptureHost) {
    this.#settings = settings;
    this.#host = host;
    this.#clock = host.clock ?? systemClock;
    this.#log = new QuietLog(host.log);
    this.#ticker = new Ticker(this.#clock, this.#log);
    this.#status = new StatusLine((status) => host.status(status), this.#clock);
    this.#retry = new Retry(() => void this.#work.add(() => this.#open()), this.#clock);
    this.#output = createOutput(settings.output);
    this.#reported = this.#ledger.totals();
    this.#context = {
      id: host.id,
      take: () => this.#session?.source.tryRecv() ?? null,
      wired: () => host.wired('packets'),
      send: (message) => host.sendPackets(message),
      losses: () => this.#lossesSinceLastMessage(),
    };
  }

  get state(): NodeState {
    return this.#state;
  }

  counted(): readonly Row[] {
    return [{ labels: [this.#settings.interface], values: [this.#ledger.undelivered] }];
  }

  /** Opens on a later turn of the loop, so that a deploy of many nodes is not held up. */
  start(): void {
    receivingNodes.open(this);
    this.#statusRates.look(this.#ledger.totals(), this.#clock.now());
    this.#statisticsRates.look(this.#ledger.totals(), this.#clock.now());
    this.#ticker.every(STATUS_INTERVAL_MS, () => this.#showRates());
    this.#ticker.every(this.#settings.statsInterval * 1000, () => this.#sendStatistics());
    void this.#work.add(async () => {
      await this.#clock.turn();
      this.#open();
    });
  }

  /** Obeys a control message. Rejects with what is wrong with it. */
  async control(msg: Message): Promise<void> {
    if (!isControl(msg))
      throw NetringError.config(
        `msg.action is ${shown(msg['action'])}: this input takes control messages, msg.action = ${ACTIONS.join(', ')}`,
        'action',
      );
    switch (actionOf(msg, ACTIONS)) {
      case 'start':
        return this.#work.add(() => this.#open());
      case 'stop':
        return this.#work.add(() => this.#stop());
      case 'restart':
        return this.#work.add(async () => {
          await this.#stop();
          this.#open();
        });
      case 'stats':
        return this.#sendStatistics();
      case 'filter':
        return this.#work.add(() => this.#setFilter(msg['filter']));
    }
  }

  /** Lets go of everything. Never rejects. */
  async close(): Promise<void> {
    const idle = this.#work.close();
    this.#retry.reset();
    this.#status.close();
    this.#ticker.stop();
    await idle;
    await this.#endSession(false).catch((error: unknown) => this.#log.warn(String(error)));
    receivingNodes.close(this);
  }

  #open(): void {
    if (this.#work.closed || this.#session !== undefined) return;
    try {
      const source = this.#host.open(this.#filter);
      this.#ledger.open(() => source.cumulativeStats());
      this.#openedAt = this.#clock.now();
      const session: CaptureSession = new CaptureSession(
        source,
        this.#output,
        this.#context,
        { link: (up) => this.#linkChanged(up), ended: (error, gone) => void this.#work.add(() => this.#lost(session, error, gone)) },
        this.#clock,
      );
      this.#session = session;
      this.#retry.reset();
      this.#log.forget();
      for (const warning of source.warnings) this.#log.warn(`${this.#settings.interface}: ${warning}`);
      this.#linkChanged(source.linkUp);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    const trouble = troubleOf(error, this.#settings.interface);
    this.#state = trouble.state;
    this.#status.set(statusOf(trouble.state, trouble.text));
    this.#log.error(trouble.message);
    if (trouble.passing) this.#retry.schedule();
  }

  async #lost(session: CaptureSession, error: unknown, gone: boolean): Promise<void> {
    if (this.#session !== session) return;
    await this.#endSession(false);
    if (!gone) return this.#failed(error);
    this.#state = 'gone';
    this.#status.set(statusOf('gone', `${this.#settings.interface} gone`));
    this.#log.warn(`${this.#settings.interface} is gone; waiting for it to come back`);
    this.#retry.schedule();
  }

  async #stop(): Promise<void> {
    this.#retry.reset();
    await this.#endSession(true);
    this.#state = 'stopped';
    this.#status.set(statusOf('stopped', 'stopped'));
  }

  async #endSession(drain: boolean): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await session.stop();
    if (drain) await session.drain();
    this.#session = undefined;
    this.#openTime += this.#clock.now() - this.#openedAt;
    this.#ledger.settle(this.#output.pending);
    this.#output.discard();
    await session.source.close();
  }

  async #setFilter(filter: unknown): Promise<void> {
    if (filter === undefined) throw NetringError.config('msg.filter is missing: a filter, or an empty text for none', 'filter');
    const checked = checkedFilter(filter);
    const session = this.#session;
    await session?.source.setFilter(checked);
    // What was taken out of the ring before is of the old filter.
    const { held } = this.#output;
    while (held !== undefined && this.#output.held === held && session?.running === true) await this.#clock.turn();
    // Kept for the next capture too: an interface that comes back is filtered as it was.
    this.#filter = checked;
  }

  #linkChanged(up: boolean): void {
    this.#state = up ? 'up' : 'down';
    if (up) this.#showRates();
    else this.#status.set(statusOf('down', `${this.#settings.interface} down`));
  }

  #showRates(): void {
    const rates = this.#statusRates.look(this.#ledger.totals(), this.#clock.now());
    if (this.#state !== 'up') return;
    const speed = `${shortCount(rates.packetsPerSecond)} pps`;
    if (rates.dropsPerSecond > 0) this.#status.set(warningStatus(`dropping ${shortCount(rates.dropsPerSecond)}/s`));
    else if (this.#settings.output === 'packet' && rates.packetsPerSecond > PACKET_FORM_LIMIT)
      this.#status.set(warningStatus(`${speed}: use batches`));
    else this.#status.set(statusOf('up', speed));
  }

  #lossesSinceLastMessage(): { drops: number; freezes: number } {
    const { drops, freezes } = this.#reported;
    this.#reported = this.#ledger.totals();
    return { drops: this.#reported.drops - drops, freezes: this.#reported.freezes - freezes };
  }

  #sendStatistics(): void {
    if (!this.#host.wired('statistics')) return;
    const totals = this.#ledger.totals();
    const rates = this.#statisticsRates.look(totals, this.#clock.now());
    const running = this.#session === undefined ? 0 : this.#clock.now() - this.#openedAt;
    this.#host.sendStatistics({
      topic: this.#settings.interface,
      payload: {
        interface: this.#settings.interface,
        state: this.#state,
        packets: totals.packets,
        bytes: totals.bytes,
        drops: totals.drops,
        shed: totals.shed,
        freezes: totals.freezes,
        dropRate: rates.dropRate,
        packetsPerSecond: rates.packetsPerSecond,
        bitsPerSecond: rates.bitsPerSecond,
        uptime: (this.#openTime + running) / 1000,
      },
    });
  }
}
