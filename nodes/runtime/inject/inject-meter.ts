/** The books of an inject-out node: totals since deploy. */
import type { SentAccount } from '../../../src/ledger';
import type { Clock } from '../clock';
import type { InjectReport } from './inject-queue';
import { shortCount, statusOf, warningStatus, type NodeState, type NodeStatus } from '../node-status';

/** Answer to the control message `stats`. */
export interface InjectStatistics extends InjectReport {
  interface: string;
  state: NodeState;
  /** What the messages that are not answered yet take of `maxQueuedBytes`. */
  queuedBytes: number;
  /** Time with an open injector in s, since deploy. */
  uptime: number;
}

/** Frames a second. */
export type InjectRates = Record<'sent' | 'rejected' | 'dropped', number>;

export class InjectMeter {
  readonly #clock: Clock;
  readonly #totals: InjectReport = { sent: 0, bytes: 0, rejected: 0, dropped: 0 };
  #accepted = 0;
  #shown: InjectReport & { at: number };
  #openedAt: number | undefined;
  #openTime = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#shown = { ...this.#totals, at: clock.now() };
  }

  accept(frames: number): void {
    this.#accepted += frames;
  }
  send(frames: number, bytes: number): void {
    this.#totals.sent += frames;
    this.#totals.bytes += bytes;
  }
  reject(frames: number): void {
    this.#totals.rejected += frames;
  }
  drop(frames: number): void {
    this.#totals.dropped += frames;
  }

  opened(): void {
    this.#openedAt = this.#clock.now();
  }
  closed(): void {
    this.#openTime += this.#running();
    this.#openedAt = undefined;
  }

  statistics(): InjectReport & { uptime: number } {
    return { ...this.#totals, uptime: (this.#openTime + this.#running()) / 1000 };
  }

  account(): Omit<SentAccount, 'waiting'> {
    const { sent, rejected, dropped } = this.#totals;
    return { accepted: this.#accepted, sent, rejected, dropped };
  }

  /** What `rates` come to. */
  status(): NodeStatus {
    const rates = this.rates();
    return lossesOf(rates) ?? statusOf('up', `${shortCount(rates.sent)} pps`);
  }

  /** Rates since the last call. */
  rates(): InjectRates {
    const now = this.#clock.now();
    const before = this.#shown;
    const seconds = Math.max((now - before.at) / 1000, 0.01);
    this.#shown = { ...this.#totals, at: now };
    const rate = (count: keyof InjectRates): number => (this.#totals[count] - before[count]) / seconds;
    return { sent: rate('sent'), rejected: rate('rejected'), dropped: rate('dropped') };
  }

  #running(): number {
    return this.#openedAt === undefined ? 0 : this.#clock.now() - this.#openedAt;
  }
}

/** The status of a node that does not send all it is given; undefined when it does. */
export function lossesOf({ rejected, dropped }: InjectRates): NodeStatus | undefined {
  if (rejected > 0) return warningStatus(`refusing ${shortCount(rejected)}/s`);
  return dropped > 0 ? warningStatus(`dropping ${shortCount(dropped)}/s`) : undefined;
}
