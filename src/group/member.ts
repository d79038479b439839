/** A member of a capture group as the thread sees it that has opened the group. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { NetringError } from '../errors/errors';
import { native, type NativeCaptureGeometry, type NativeSlabInbox } from '../native';
import type { CaptureOptions } from '../options/generated/builders';
import { CaptureStats, readCaptureStats } from '../capture/capture-stats';
import { fromPlain, type MemberCall, type MemberCalls, type MemberMessage, type MemberTask, type Opened, type Request } from './protocol';

/** After which a thread that does not end by itself is ended. */
const CLOSE_MS = 2000;

export interface MemberListener {
  ready(): void;
  down(): void;
  up(): void;
  gone(error: NetringError): void;
  /** Its interface is gone, and all that it had is sent. */
  drained(error: NetringError): void;
  error(error: NetringError): void;
  /** The thread has ended, and nobody has asked for it. */
  died(error: NetringError): void;
}

interface Pending {
  resolve(result: never): void;
  reject(error: NetringError): void;
}

export class Member {
  readonly inbox: NativeSlabInbox;
  readonly #worker: Worker;
  readonly #interfaceName: string;
  readonly #exited: Promise<void>;
  readonly #pending = new Map<number, Pending>();
  #listener: MemberListener | undefined;
  #opened: Opened | undefined;
  #linkUp = false;
  #requests = 0;
  #failure: NetringError | undefined;
  #closing = false;
  #drained = false;
  /** Packets handed out, and the sum of their lengths on the wire. */
  packets = 0;
  bytes = 0;

  /** Starts the thread. It has a ring, and is a member, from `open` on. */
  constructor(index: number, interfaceName: string, waiting: Int32Array) {
    this.#interfaceName = interfaceName;
    this.inbox = new (native().SlabInbox)();
    const task: MemberTask = { index, outboxFd: this.inbox.outboxFd, waiting };
    // None of the flags of this process: a preloaded module or an inspector has no business in there.
    this.#worker = new Worker(join(__dirname, 'member-worker.js'), {
      workerData: task,
      execArgv: [],
      name: `netring ${interfaceName} ${index}`,
    });
    this.#worker.on('message', (message: MemberMessage) => this.#hear(message));
    this.#worker.on('error', (error) => (this.#failure ??= this.#deathOf(error.message)));
    this.#exited = new Promise((resolve) =>
      this.#worker.once('exit', (code) => {
        this.#ended(this.#failure ?? this.#deathOf(`exit code ${code}`));
        resolve();
      }),
    );
  }

  /** Resolves once its ring is open; rejects with what has kept it from that. */
  async open(options: CaptureOptions): Promise<void> {
    try {
      this.#opened = await this.ask('open', options);
      this.#linkUp = this.#opened.linkUp;
    } finally {
      this.inbox.closeOutbox();
    }
  }

  get geometry(): NativeCaptureGeometry {
    return this.#opened!.geometry;
  }
  get warnings(): readonly string[] {
    return this.#opened!.warnings;
  }
  /** Sends no more: all is sent, or the thread has ended. */
  get drained(): boolean {
    return this.#drained || this.#failure !== undefined;
  }
  /** It has a batch, and no memory for it: the batches that it has sent hold it. */
  get stalled(): boolean {
    return !this.drained && this.inbox.senderStalled;
  }
  get linkUp(): boolean {
    return this.#linkUp && !this.#closing;
  }

  listen(listener: MemberListener): void {
    this.#listener = listener;
    const failure = this.#failure;
    if (failure !== undefined) setImmediate(() => listener.died(failure));
  }

  /** Asks the thread for something. Rejects with its error, or when the thread has ended. */
  ask<Call extends MemberCall>(call: Call, argument: MemberCalls[Call]['argument']): Promise<MemberCalls[Call]['result']> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const request: Request = { id: this.#requests++, call, argument };
    return new Promise((resolve, reject) => {
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Since open, read where the thread counts; its last ones once it has ended. */
  get stats(): CaptureStats {
    const { packets, bytes } = this;
    return new CaptureStats({ ...readCaptureStats(this.inbox, 0), packets, bytes });
  }

  ref(): void {
    this.#worker.ref();
  }
  unref(): void {
    this.#worker.unref();
  }

  /** Resolves once the thread, its ring and its socket are gone. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#worker.ref();
      const end = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
      void this.#exited.then(() => clearTimeout(end));
      if (this.#opened === undefined) void this.#worker.terminate();
      else await this.ask('close', undefined).catch(() => undefined);
    }
    await this.#exited;
    this.inbox.close();
  }

  #hear(message: MemberMessage): void {
    switch (message.type) {
      case 'ready':
        return this.#listener?.ready();
      case 'down':
        this.#linkUp = false;
        return this.#listener?.down();
      case 'up':
        this.#linkUp = true;
        return this.#listener?.up();
      case 'gone':
        return this.#listener?.gone(fromPlain(message.error));
      case 'drained':
        this.#drained = true;
        return this.#listener?.drained(fromPlain(message.error));
      case 'error':
        return this.#listener?.error(fromPlain(message.error));
      case 'answer':
        this.#pending.get(message.id)?.resolve(message.result as never);
        this.#pending.delete(message.id);
        return;
      case 'failure':
        this.#pending.get(message.id)?.reject(fromPlain(message.error));
        this.#pending.delete(message.id);
    }
  }

  #ended(failure: NetringError): void {
    this.#failure = failure;
    for (const pending of this.#pending.values()) pending.reject(failure);
    this.#pending.clear();
    if (!this.#closing) this.#listener?.died(failure);
  }

  #deathOf(reason: string): NetringError {
    return NetringError.io(
      'ECANCELED',
      `a thread of the capture group on ${this.#interfaceName} has ended: ${reason}`,
      this.#interfaceName,
    );
  }
}
