/** The sending half of a node: takes the frames of messages, has them sent, and refuses them while there is a reason to. */
import { NetringError } from '../../src/errors/errors';
import type { SentAccount } from '../../src/ledger';
import type { Row } from '../../src/metrics/book';
import type { FullPolicy, InputForm } from '../../src/options/values';
import type { Pacer } from '../../src/replay/pacer';
import { framesOfFile } from './capture/capture-file';
import type { Clock } from './clock';
import type { Message } from './control';
import type { FrameSink } from './frame-sink';
import { framesOf } from './frames';
import type { InjectMeter } from './inject/inject-meter';
import { Job, JobQueue, type InjectReport } from './inject/inject-queue';
import { InjectSender } from './inject/inject-sender';
import { sendingNodes, sendingRow, type Counted } from './metrics/node-metrics';

export interface SendingSettings {
  interface: string;
  input: InputForm;
  onFull: FullPolicy;
  /** What messages that wait may take, and what the refusal of one more calls it. */
  maxQueuedBytes: number;
  queueLimit: string;
  fixChecksums: boolean;
}

export class Sending implements Counted {
  readonly #settings: SendingSettings;
  readonly #meter: InjectMeter;
  readonly #queue: JobQueue;
  readonly #sender: InjectSender;
  /** Why frames are refused at the moment; undefined while they can be sent, or an attempt to open is due at once. */
  #obstacle: Error | undefined;

  /** `failed` is told when the interface is gone. */
  constructor(settings: SendingSettings, pacer: Pacer, meter: InjectMeter, clock: Clock, failed: (error: NetringError) => void) {
    this.#settings = settings;
    this.#meter = meter;
    this.#queue = new JobQueue(settings.maxQueuedBytes);
    this.#sender = new InjectSender(this.#queue, pacer, meter, settings, clock, failed);
  }

  /** What the messages that are not answered yet take. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** What became of all frames of messages. */
  get account(): SentAccount {
    return { ...this.#meter.account(), waiting: this.#queue.frames };
  }

  counted(): readonly Row[] {
    return [sendingRow(this.#settings.interface, this.account, this.queuedBytes)];
  }

  /** Has itself counted among the metrics, until `close`. */
  open(): void {
    sendingNodes.open(this);
  }

  close(): void {
    sendingNodes.close(this);
  }

  /** Takes the frames of a message; `finish` is called once, when all of them are dealt with. */
  take(msg: Message, finish: (report: InjectReport, error: Error | undefined) => void): void {
    const { frames, refused, problem } =
      this.#settings.input === 'file' ? framesOfFile(msg['payload']) : framesOf(msg['payload'], msg['packet']);
    this.#meter.accept(frames.length + refused);
    this.#meter.reject(refused);
    const job = new Job(frames, refused, problem, finish);
    if (this.#obstacle !== undefined) return this.#drop(job, this.#obstacle);
    if (!this.#queue.add(job)) return this.#drop(job, this.#settings.onFull === 'drop' ? undefined : this.#full(job));
    this.#sender.wake();
  }

  /** Sends through `sink` from now on. */
  start(sink: FrameSink): void {
    this.#obstacle = undefined;
    this.#sender.start(sink);
  }

  /** Refuses what comes from now on, if there is no other reason already; what was accepted is still sent. */
  acceptNoMore(reason: Error): void {
    this.#obstacle ??= reason;
  }

  /** Answers everything that waits with `reason`, and all that comes until the next `start`. */
  refuseAll(reason: Error): void {
    this.#obstacle = reason;
    this.#sender.stop(reason);
  }

  /** Resolves when nothing waits any more, at the latest after `ms`. */
  drained(ms: number): Promise<void> {
    return this.#sender.drained(ms);
  }

  /** Resolves when nothing is under way any more. */
  idle(): Promise<void> {
    return this.#sender.idle();
  }

  #drop(job: Job, reason: Error | undefined): void {
    this.#meter.drop(job.frames.length);
    job.end(reason);
  }

  #full(job: Job): Error {
    const { interface: name, maxQueuedBytes, queueLimit } = this.#settings;
    const { length, bytes } = this.#queue;
    const waiting = `${length} ${length === 1 ? 'message takes' : 'messages take'} ${bytes} of ${queueLimit} ${maxQueuedBytes}`;
    const message = `${job.frames.byteLength} bytes of frames do not fit: ${waiting}`;
    return new NetringError('Io', message, { code: 'ENOBUFS', option: queueLimit, interface: name });
  }
}
