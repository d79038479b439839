/** An inject-out node without Node-RED: opens the injector, keeps it open, sends what comes, answers every message, and says how it is. */
import { NetringError } from '../../../src/errors/errors';
import type { FullPolicy, InputForm, Pacing } from '../../../src/options/values';
import { Pacer } from '../../../src/replay/pacer';
import { systemClock, type Clock } from '../clock';
import { actionOf, isControl, type Message } from '../control';
import { defaultRouteError, ROUTE_INTERVAL_MS } from '../default-route';
import type { FrameSink } from '../frame-sink';
import { InjectMeter, type InjectStatistics } from './inject-meter';
import type { InjectReport } from './inject-queue';
import { QuietLog, type Log } from '../log';
import { statusOf, StatusLine, troubleOf, type NodeState, type NodeStatus } from '../node-status';
import { Retry } from '../retry';
import { Sending } from '../sending';
import { Sequence } from '../sequence';
import { Ticker } from '../ticker';

export interface InjectNodeSettings {
  interface: string;
  input: InputForm;
  pacing: Pacing;
  /** Frames or bits per second; null with the pacings that have none. */
  rate: number | null;
  onFull: FullPolicy;
  maxQueuedBytes: number;
  fixChecksums: boolean;
  allowDefaultRoute: boolean;
}

/** What a controller is given: the node's side of Node-RED, and the way to an injector. */
export interface InjectHost {
  /** Opens the injector. Throws `NetringError`. */
  open(): FrameSink;
  /** Whether a default route leaves through the interface. Throws when there is no such interface. */
  holdsDefaultRoute(name: string): boolean;
  status(status: NodeStatus): void;
  log: Log;
  clock?: Clock;
}

/** Where the answers to one message go. */
export interface Answer {
  report(payload: InjectReport | InjectStatistics): void;
  done(error?: Error): void;
}

const ACTIONS = ['start', 'stop', 'restart', 'stats'] as const;
const STATUS_INTERVAL_MS = 1000;
/** Longest time that accepted frames are still sent for when the node stops. */
const DRAIN_MS = 1000;

export class InjectController {
  readonly #settings: InjectNodeSettings;
  readonly #host: InjectHost;
  readonly #clock: Clock;
  readonly #log: QuietLog;
  readonly #status: StatusLine;
  readonly #retry: Retry;
  readonly #meter: InjectMeter;
  readonly #sending: Sending;
  #sink: FrameSink | undefined;
  #state: NodeState = 'stopped';
  readonly #ticker: Ticker;
  readonly #work = new Sequence();
  /** Stopping takes a while, and what happens to the injector meanwhile must not open it again. */
  #ending = false;

  constructor(settings: InjectNodeSettings, host: InjectHost) {
    this.#settings = settings;
    this.#host = host;
    this.#clock = host.clock ?? systemClock;
    this.#log = new QuietLog(host.log);
    this.#ticker = new Ticker(this.#clock, this.#log);
    this.#status = new StatusLine((status) => host.status(status), this.#clock);
    this.#retry = new Retry(() => void this.#work.add(() => this.#open()), this.#clock);
    this.#meter = new InjectMeter(this.#clock);
    const pacer = new Pacer(settings.pacing, settings.rate ?? 0, this.#clock);
    const sending = { ...settings, queueLimit: 'maxQueuedBytes' };
    this.#sending = new Sending(sending, pacer, this.#meter, this.#clock, (error) => this.#lost(error));
  }

  get state(): NodeState {
    return this.#state;
  }

  get interface(): string {
    return this.#settings.interface;
  }

  /** Opens on a later turn of the loop, so that a deploy of many nodes is not held up. Messages that come before wait for it. */
  start(): void {
    this.#sending.open();
    this.#ticker.every(STATUS_INTERVAL_MS, () => this.#showRates());
    if (!this.#settings.allowDefaultRoute) this.#ticker.every(ROUTE_INTERVAL_MS, () => this.#checkRoute());
    void this.#work.add(async () => {
      await this.#clock.turn();
      this.#open();
    });
  }

  /** Takes a message. Every message is answered with one `done`, and every input with one report before it. */
  input(msg: Message, answer: Answer): void {
    if (isControl(msg)) {
      this.#control(msg, answer).then(
        () => answer.done(),
        (error: unknown) => answer.done(error as Error),
      );
      return;
    }
    this.#sending.take(msg, (report, error) => {
      answer.report(report);
      answer.done(error);
    });
  }

  /** Sends what was accepted for at most a second, then lets go of everything. Never rejects. */
  async close(): Promise<void> {
    const idle = this.#work.close();
    this.#sending.acceptNoMore(stopped(this.#settings.interface));
    this.#retry.reset();
    this.#ticker.stop();
    this.#status.close();
    await idle;
    await this.#end();
    this.#sending.close();
  }

  async #control(msg: Message & { action: string }, answer: Answer): Promise<void> {
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
        return answer.report({
          interface: this.#settings.interface,
          state: this.#state,
          ...this.#meter.statistics(),
          queuedBytes: this.#sending.queuedBytes,
        });
    }
  }

  #open(): void {
    if (this.#work.closed || this.#sink !== undefined) return;
    try {
      this.#assertAllowed(this.#settings.interface);
      const sink = this.#host.open();
      this.#sink = sink;
      sink.on('up', () => {
        this.#checkRoute();
        this.#linkChanged(sink, true);
      });
      sink.on('down', () => this.#linkChanged(sink, false));
      sink.on('gone', (error) => this.#sink === sink && this.#lost(error));
      sink.on('error', (error) => this.#sink === sink && this.#lost(error));
      this.#retry.reset();
      this.#log.forget();
      this.#meter.opened();
      for (const warning of sink.warnings) this.#log.warn(`${this.#settings.interface}: ${warning}`);
      this.#linkChanged(sink, sink.linkUp);
    } catch (error) {
      this.#failed(error);
    }
  }

  #assertAllowed(name: string): void {
    if (this.#settings.allowDefaultRoute || !this.#host.holdsDefaultRoute(name)) return;
    throw defaultRouteError(name);
  }

  /** Closes an injector whose interface has come to hold the default route; it opens again when the route has moved away. */
  #checkRoute(): void {
    const sink = this.#sink;
    if (sink === undefined || this.#ending) return;
    try {
      this.#assertAllowed(sink.interface);
    } catch (error) {
      // Whatever else goes wrong here is no reason to stop sending.
      if ((error as NetringError).code !== 'ERR_DEFAULT_ROUTE') return;
      this.#failed(error);
      void this.#closeSink();
    }
  }

  #linkChanged(sink: FrameSink, up: boolean): void {
    if (this.#sink !== sink || (up && (this.#ending || this.#work.closed))) return;
    this.#state = up ? 'up' : 'down';
    if (up) {
      this.#showRates();
      this.#sending.start(sink);
      return;
    }
    const { interface: name } = this.#settings;
    this.#status.set(statusOf('down', `${name} down`));
    this.#sending.refuseAll(NetringError.io('ENETDOWN', `the link of ${name} is down`, name));
  }

  #failed(error: unknown): void {
    const trouble = troubleOf(error, this.#settings.interface);
    this.#state = trouble.state;
    this.#status.set(statusOf(trouble.state, trouble.text));
    this.#log.error(trouble.message);
    this.#sending.refuseAll(error as Error);
    if (trouble.passing) this.#tryAgain();
  }

  /** The interface was deleted, or the socket failed. */
  #lost(error: Error): void {
    if (this.#sink === undefined) return;
    const trouble = troubleOf(error, this.#settings.interface);
    const gone = trouble.state === 'missing';
    this.#state = gone ? 'gone' : trouble.state;
    this.#status.set(statusOf(this.#state, gone ? `${this.#settings.interface} gone` : trouble.text));
    this.#log.warn(trouble.message);
    this.#sending.refuseAll(error);
    this.#tryAgain();
    void this.#closeSink();
  }

  #tryAgain(): void {
    if (!this.#work.closed && !this.#ending) this.#retry.schedule();
  }

  async #stop(): Promise<void> {
    this.#retry.reset();
    await this.#end();
    this.#state = 'stopped';
    this.#status.set(statusOf('stopped', 'stopped'));
  }

  async #end(): Promise<void> {
    this.#ending = true;
    // From here on nothing new is accepted, so the queue only gets shorter.
    const reason = stopped(this.#settings.interface);
    this.#sending.acceptNoMore(reason);
    if (this.#sink !== undefined) await this.#sending.drained(DRAIN_MS);
    this.#sending.refuseAll(reason);
    await this.#sending.idle();
    await this.#closeSink();
    this.#ending = false;
  }

  /** Never rejects. */
  async #closeSink(): Promise<void> {
    const sink = this.#sink;
    if (sink === undefined) return;
    this.#sink = undefined;
    this.#meter.closed();
    try {
      await sink.close();
    } catch (error) {
      this.#log.warn(String(error));
    }
  }

  #showRates(): void {
    const status = this.#meter.status();
    if (this.#state === 'up') this.#status.set(status);
  }
}

function stopped(name: string): Error {
  return NetringError.io('ECANCELED', `injection on ${name} is stopped`, name);
}
