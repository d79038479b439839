/** An xdp node without Node-RED: opens the socket, keeps it open, delivers what comes, sends what it is given, counts, and says how it is. */
import { NetringError } from '../../../src/errors/errors';
import type { BpfInsn } from '../../../src/filter/instruction';
import { parseFilter, XDP_FILTER } from '../../../src/options/filter-program';
import { Pacer } from '../../../src/replay/pacer';
import { createOutput, type CaptureMessage, type CaptureOutput, type OutputContext } from '../capture/capture-output';
import { CaptureSession, type PacketSource, type SessionEvents } from '../capture/capture-session';
import { systemClock, type Clock } from '../clock';
import { actionOf, isControl, type Message } from '../control';
import { defaultRouteError, ROUTE_INTERVAL_MS } from '../default-route';
import type { FrameSink } from '../frame-sink';
import { InjectMeter } from '../inject/inject-meter';
import { RateMeter, type Totals } from '../capture/capture-ledger';
import { receivingNodes, type Counted } from '../metrics/node-metrics';
import type { Row } from '../../../src/metrics/book';
import { QuietLog, type Log } from '../log';
import { statusOf, StatusLine, troubleOf, type NodeState, type NodeStatus } from '../node-status';
import { Retry } from '../retry';
import { Sending } from '../sending';
import { Sequence } from '../sequence';
import { Ticker } from '../ticker';
import { XdpLedger, type XdpCounting, type XdpReport } from './xdp-ledger';
import type { XdpNodeSetup } from './xdp-setup';
import { xdpStatus, type XdpPath } from './xdp-status';

/** What the node needs of an `AsyncXdpSocket`. */
export interface XdpSource extends Omit<PacketSource, 'on' | 'close'>, FrameSink, XdpPath, XdpCounting {
  /** False when the program of this socket was detached by somebody else. */
  readonly attached: boolean;
  /** Resolves when the device has sent what the kernel took. */
  waitDrained(timeoutMs: number): Promise<void>;
}

/** What a controller is given: the node's side of Node-RED, and the way to a socket. */
export interface XdpHost {
  id: string;
  /** Opens the socket; with a filter, or null for none, instead of the configured one. Throws `NetringError`. */
  open(filter: readonly BpfInsn[] | null | undefined): XdpSource;
  /** Whether a default route leaves through the interface. Throws when there is no such interface. */
  holdsDefaultRoute(name: string): boolean;
  sendPackets(message: CaptureMessage): void;
  sendStatistics(message: { topic: string; payload: XdpReport }): void;
  /** Whether the output is wired to anything. */
  wired(output: 'packets' | 'statistics'): boolean;
  status(status: NodeStatus): void;
  log: Log;
  clock?: Clock;
}

/** Bytes of frames that may wait in the node. */
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;

const ACTIONS = ['start', 'stop', 'restart', 'stats', 'filter'] as const;
const STATUS_INTERVAL_MS = 1000;
/** Longest time that accepted frames are still sent for when the node stops. */
const DRAIN_MS = 1000;

export class XdpController implements Counted {
  readonly #settings: XdpNodeSetup;
  readonly #host: XdpHost;
  readonly #clock: Clock;
  readonly #log: QuietLog;
  readonly #status: StatusLine;
  readonly #retry: Retry;
  readonly #ticker: Ticker;
  readonly #work = new Sequence();
  readonly #ledger = new XdpLedger();
  readonly #meter: InjectMeter;
  readonly #sending: Sending;
  readonly #output: CaptureOutput;
  readonly #context: OutputContext;
  readonly #statusRates = new RateMeter();
  readonly #statisticsRates = new RateMeter();
  #reported: Totals;
  #socket: XdpSource | undefined;
  /** Reads the socket; undefined while there is none, or it only sends. */
  #session: CaptureSession | undefined;
  #state: NodeState = 'stopped';
  /** A filter that came as a control message wins over the configured one. null: none. */
  #filter: readonly BpfInsn[] | null | undefined;
  /** Stopping takes a while, and what happens to the link meanwhile must not start the sending again. */
  #ending = false;

  constructor(settings: XdpNodeSetup, host: XdpHost) {
    this.#settings = settings;
    this.#host = host;
    this.#clock = host.clock ?? systemClock;
    this.#log = new QuietLog(host.log);
    this.#status = new StatusLine((status) => host.status(status), this.#clock);
    this.#retry = new Retry(() => void this.#work.add(() => this.#open()), this.#clock);
    this.#ticker = new Ticker(this.#clock, this.#log);
    this.#meter = new InjectMeter(this.#clock);
    this.#sending = new Sending(
      { ...settings, onFull: 'wait', maxQueuedBytes: MAX_WAITING_BYTES, queueLimit: 'the most that may wait', fixChecksums: true },
      new Pacer('none', 0, this.#clock),
      this.#meter,
      this.#clock,
      (error) => this.#endsWith(this.#socket, error, true),
    );
    this.#output = createOutput(settings.output);
    this.#reported = this.#ledger.totals();
    this.#context = {
      id: host.id,
      take: () => this.#socket?.tryRecv() ?? null,
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

  /** Opens on a later turn of the loop, so that a deploy of many nodes is not held up. Messages that come before wait for it. */
  start(): void {
    receivingNodes.open(this);
    this.#sending.open();
    this.#statusRates.look(this.#ledger.totals(), this.#clock.now());
    this.#statisticsRates.look(this.#ledger.totals(), this.#clock.now());
    this.#ticker.every(STATUS_INTERVAL_MS, () => this.#look());
    this.#ticker.every(this.#settings.statsInterval * 1000, () => this.#sendStatistics());
    if (!this.#settings.allowDefaultRoute) this.#ticker.every(ROUTE_INTERVAL_MS, () => this.#keepsOffRoute(this.#socket));
    void this.#work.add(async () => {
      await this.#clock.turn();
      this.#open();
    });
  }

  /** Takes a message, control or data. Every one is answered with one `done`. */
  input(msg: Message, done: (error?: Error) => void): void {
    if (isControl(msg)) {
      this.#control(msg).then(
        () => done(),
        (error: unknown) => done(error as Error),
      );
      return;
    }
    if (this.#settings.sends) return this.#sending.take(msg, (_report, error) => done(error));
    done(NetringError.config(`this node only receives: its input takes control messages, msg.action = ${ACTIONS.join(', ')}`, 'mode'));
  }

  /** Sends what was accepted for at most a second, then lets go of everything. Never rejects. */
  async close(): Promise<void> {
    const idle = this.#work.close();
    this.#sending.acceptNoMore(stopped(this.#settings.interface));
    this.#retry.reset();
    this.#status.close();
    this.#ticker.stop();
    await idle;
    await this.#end(false);
    receivingNodes.close(this);
    this.#sending.close();
  }

  async #control(msg: Message & { action: string }): Promise<void> {
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

  #open(): void {
    if (this.#work.closed || this.#socket !== undefined) return;
    try {
      this.#assertAllowed(this.#settings.interface, this.#filter);
      const socket = this.#host.open(this.#filter);
      this.#socket = socket;
      this.#ledger.open(socket);
      this.#meter.opened();
      this.#follow(socket);
      this.#retry.reset();
      this.#log.forget();
      for (const warning of socket.warnings) this.#log.warn(`${this.#settings.interface}: ${warning}`);
      this.#linkChanged(socket, socket.linkUp);
    } catch (error) {
      this.#failed(error);
    }
  }

  #follow(socket: XdpSource): void {
    const events: SessionEvents = {
      link: (up) => this.#linkChanged(socket, up),
      ended: (error, gone) => this.#endsWith(socket, error, gone),
    };
    for (const event of ['gone', 'error'] as const) {
      socket.on(event, (error) => {
        if (this.#socket !== socket) return;
        // Packets that are there are still delivered; frames cannot wait for that.
        this.#sending.refuseAll(error);
        if (!this.#settings.receives) events.ended(error, event === 'gone');
      });
    }
    if (this.#settings.receives) {
      this.#session = new CaptureSession(socket, this.#output, this.#context, events, this.#clock);
      return;
    }
    socket.on('up', () => events.link(true));
    socket.on('down', () => events.link(false));
  }

  /** Without a filter every frame of the queue is taken away from the kernel: the editor must not be cut off by that. */
  #assertAllowed(name: string, filter: readonly BpfInsn[] | null | undefined): void {
    const { allowDefaultRoute, attaches, receives, filtered } = this.#settings;
    const takesAll = attaches && receives && (filter === undefined ? !filtered : filter === null);
    if (takesAll && !allowDefaultRoute && this.#host.holdsDefaultRoute(name)) throw defaultRouteError(name);
  }

  /** Closes a socket whose interface has come to hold the default route; it opens again when the route has moved away. */
  #keepsOffRoute(socket: XdpSource | undefined): boolean {
    if (socket === undefined || this.#ending) return true;
    try {
      this.#assertAllowed(socket.interface, this.#filter);
    } catch (error) {
      // Whatever else goes wrong here is no reason to close a socket that works.
      if ((error as NetringError).code !== 'ERR_DEFAULT_ROUTE') return true;
      this.#sending.refuseAll(error as Error);
      this.#endsWith(socket, error, false);
      return false;
    }
    return true;
  }

  #linkChanged(socket: XdpSource, up: boolean): void {
    if (this.#socket !== socket || (up && (this.#ending || this.#work.closed))) return;
    if (up && !this.#keepsOffRoute(socket)) return;
    this.#state = up ? 'up' : 'down';
    if (up) {
      this.#showRates(socket);
      if (this.#settings.sends) this.#sending.start(socket);
      return;
    }
    const { interface: name } = this.#settings;
    this.#status.set(statusOf('down', `${name} down`));
    this.#sending.refuseAll(NetringError.io('ENETDOWN', `the link of ${name} is down`, name));
  }

  #endsWith(socket: XdpSource | undefined, error: unknown, gone: boolean): void {
    if (socket !== undefined) void this.#work.add(() => this.#lost(socket, error, gone));
  }

  async #lost(socket: XdpSource, error: unknown, gone: boolean): Promise<void> {
    if (this.#socket !== socket) return;
    this.#sending.refuseAll(error as Error);
    await this.#closeSocket(true);
    if (!gone) return this.#failed(error);
    this.#state = 'gone';
    this.#status.set(statusOf('gone', `${this.#settings.interface} gone`));
    this.#log.warn(`${this.#settings.interface} is gone; waiting for it to come back`);
    this.#tryAgain();
  }

  #failed(error: unknown): void {
    const trouble = troubleOf(error, this.#settings.interface);
    this.#state = trouble.state;
    this.#status.set(statusOf(trouble.state, trouble.text));
    this.#log.error(trouble.message);
    this.#sending.refuseAll(error as Error);
    if (trouble.passing) this.#tryAgain();
  }

  #tryAgain(): void {
    if (!this.#work.closed) this.#retry.schedule();
  }

  async #stop(): Promise<void> {
    this.#retry.reset();
    await this.#end(true);
    this.#state = 'stopped';
    this.#status.set(statusOf('stopped', 'stopped'));
  }

  async #end(deliver: boolean): Promise<void> {
    this.#ending = true;
    const until = this.#clock.now() + DRAIN_MS;
    // From here on nothing new is accepted, so the queue only gets shorter.
    const reason = stopped(this.#settings.interface);
    this.#sending.acceptNoMore(reason);
    if (this.#socket !== undefined) await this.#sending.drained(DRAIN_MS);
    this.#sending.refuseAll(reason);
    await this.#sending.idle();
    // What the kernel took may still be in its ring, which goes with the socket.
    const left = Math.max(0, until - this.#clock.now());
    if (this.#settings.sends && this.#state === 'up') await this.#socket?.waitDrained(left).catch(() => undefined);
    await this.#closeSocket(deliver);
    this.#ending = false;
  }

  /** Never rejects. */
  async #closeSocket(deliver: boolean): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    try {
      await this.#session?.stop();
      if (deliver) await this.#session?.drain();
    } catch (error) {
      this.#log.warn(String(error));
    }
    this.#socket = undefined;
    this.#session = undefined;
    this.#meter.closed();
    this.#ledger.settle(this.#output.pending);
    this.#output.discard();
    try {
      await socket.close();
    } catch (error) {
      this.#log.warn(String(error));
    }
  }

  async #setFilter(filter: unknown): Promise<void> {
    const { attaches, receives } = this.#settings;
    if (!attaches) throw NetringError.config('a filter is part of the program that the node attaches, and attach is none', 'filter');
    if (!receives) throw NetringError.config('this node only sends: there is nothing to filter', 'filter');
    if (filter === undefined) throw NetringError.config('msg.filter is missing: a filter, or an empty text for none', 'filter');
    const instructions = parseFilter(filter, 'filter', XDP_FILTER);
    const program = instructions.length === 0 ? null : instructions;
    const [socket, session] = [this.#socket, this.#session];
    if (socket !== undefined) {
      this.#assertAllowed(socket.interface, program);
      await session?.source.setFilter(program);
    }
    // What was taken out of the ring before is of the old filter.
    const { held } = this.#output;
    while (held !== undefined && this.#output.held === held && session?.running === true) await this.#clock.turn();
    // Kept for the next socket too: an interface that comes back is filtered as it was.
    this.#filter = program;
  }

  #look(): void {
    const socket = this.#socket;
    if (socket === undefined) return this.#showRates(undefined);
    if (!socket.attached) void this.#work.add(() => this.#detached(socket));
    this.#showRates(socket);
  }

  async #detached(socket: XdpSource): Promise<void> {
    // The program of an interface that is deleted goes with it, and that is told on its own.
    await this.#clock.turn();
    if (this.#socket !== socket || socket.attached) return;
    const { interface: name } = this.#settings;
    const message = `the XDP program of this node on ${name} was detached from outside`;
    return this.#lost(socket, new NetringError('Io', message, { code: 'ERR_XDP_DETACHED', interface: name }), false);
  }

  #showRates(socket: XdpSource | undefined): void {
    const received = this.#statusRates.look(this.#ledger.totals(), this.#clock.now());
    const sent = this.#meter.rates();
    if (this.#state === 'up' && socket !== undefined) this.#status.set(xdpStatus(this.#settings, socket, received, sent));
  }

  #lossesSinceLastMessage(): { drops: number; freezes: number } {
    const { drops } = this.#reported;
    this.#reported = this.#ledger.totals();
    return { drops: this.#reported.drops - drops, freezes: 0 };
  }

  #sendStatistics(): void {
    if (!this.#host.wired('statistics')) return;
    const totals = this.#ledger.totals();
    const rates = this.#statisticsRates.look(totals, this.#clock.now());
    const { sent, bytes: sentBytes, uptime } = this.#meter.statistics();
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
        uptime,
        sent,
        sentBytes,
        sendErrors: this.#ledger.sendErrors,
        xdp: this.#ledger.kernel(),
      },
    });
  }
}

function stopped(name: string): Error {
  return NetringError.io('ECANCELED', `the socket on ${name} is stopped`, name);
}
