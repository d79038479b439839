/** The one owner of an AF_XDP socket's native object, behind `XdpSocket` and its async shell. */
import { BatchReader } from '../batches/batch-reader';
import { NetringError } from '../errors/errors';
import { FrameSender } from '../sending/frame-sender';
import { interfaceInfo } from '../interfaces/interfaces';
import { receivedAccount, xdpSentAccount, type LedgerKeeper, type XdpLedger } from '../ledger';
import { assertEthernet } from '../interfaces/link-types';
import { xdpSockets } from '../metrics/books';
import { native, type NativeXdpSocket } from '../native';
import { packFilter, parseFilter, XDP_FILTER, type Filter } from '../options/filter-program';
import type { XdpSettings } from '../options/generated/builders';
import { receivingFrames, toNativeXdpConfig } from '../options/validate';
import type { Owner } from '../owner';
import { assertFits, assertShareable, explainRefusal } from './xdp-checks';
import { readXdpStats, type XdpReading, type XdpSocketStats, type XdpStats } from './xdp-stats';

const ATTACH_MODES = [null, 'driver', 'skb'] as const;

export class XdpHandle implements Owner, LedgerKeeper {
  readonly settings: XdpSettings;
  readonly native: NativeXdpSocket;
  readonly warnings: readonly string[];
  readonly queues: readonly number[];
  readonly boundMode: 'copy' | 'zerocopy';
  readonly attachMode: 'driver' | 'skb' | null;
  /** Chunks for receiving, of each queue. */
  readonly rxFrames: number;
  readonly receives: boolean;
  readonly sends: boolean;
  /** Use `receiver()` and `sender()`, which refuse what the mode does not do. */
  readonly #reader: BatchReader;
  readonly #sender: FrameSender;
  #previous: XdpSocketStats;
  #last: XdpReading | undefined;
  #interfaceName: string;

  constructor(settings: XdpSettings, warnings: readonly string[], shared: XdpHandle | undefined) {
    const info = interfaceInfo(settings.interface);
    assertFits(settings, info);
    if (shared !== undefined) assertShareable(settings, shared);
    this.settings = settings;
    this.native = open(settings, shared, info.queues);
    try {
      assertEthernet(this.native.linkType, settings.interface, 'AF_XDP sockets are for');
      this.#interfaceName = settings.interface;
      this.warnings = [...warnings, ...this.native.warnings];
      this.queues = Object.freeze([...this.native.queues]);
      this.boundMode = this.native.zeroCopy ? 'zerocopy' : 'copy';
      this.attachMode = ATTACH_MODES[this.native.attachMode] ?? null;
      this.rxFrames = receivingFrames(settings);
      this.receives = this.rxFrames > 0;
      this.sends = this.rxFrames < settings.frameCount;
      this.#reader = new BatchReader(this.native, this, this.native.linkType, settings.maxBufferedBytes);
      this.#sender = new FrameSender(this.native, this, 'sendto');
      this.#previous = this.#read().socket;
    } catch (error) {
      this.native.close();
      throw error;
    }
    xdpSockets.open(this);
  }

  get closed(): boolean {
    return this.#last !== undefined;
  }
  /** -1 after `close`. */
  get fd(): number {
    return this.closed ? -1 : this.native.fd;
  }
  get linkUp(): boolean {
    return !this.closed && this.native.linkUp;
  }
  /** Whether frames are still redirected by the program of this socket; true when it has none. */
  get attached(): boolean {
    return !this.closed && this.native.attached;
  }
  /** The interface's name now: a rename is followed. */
  get interface(): string {
    if (!this.closed) this.#interfaceName = this.native.interfaceName;
    return this.#interfaceName;
  }

  /** What reads. Throws TypeError for a socket without chunks to receive into. */
  receiver(): BatchReader {
    if (!this.receives) throw new TypeError(`this socket only sends (mode ${this.#mode()}): to receive open it with mode rxtx or rx`);
    return this.#reader;
  }

  /** What sends, open or not. Throws TypeError for a socket without chunks to send from. */
  sender(): FrameSender {
    if (!this.sends) throw new TypeError(`this socket only receives (mode ${this.#mode()}): to send open it with mode rxtx or tx`);
    return this.#sender;
  }

  /** Sizes and counts of the sending side, which a socket has in every mode. */
  get slots(): Pick<FrameSender, 'maxFrameLength' | 'frameCapacity' | 'frameCount' | 'pendingCount' | 'availableSlots' | 'rejectedSlots'> {
    return this.#sender;
  }

  setFilter(filter: Filter | null): void {
    this.assertOpen();
    this.receiver();
    if (this.settings.attach === 'none')
      throw NetringError.config('filter with attach "none": a filter is part of the program that attach none leaves out', 'filter');
    this.native.setFilter(packFilter(filter === null ? [] : parseFilter(filter, 'filter', XDP_FILTER)));
  }

  /** Since the last call. */
  stats(): XdpSocketStats {
    const now = this.cumulativeStats();
    const delta = now.since(this.#previous);
    this.#previous = now;
    return delta;
  }

  /** Since open; the last totals after `close`. */
  cumulativeStats(): XdpSocketStats {
    return this.read().socket;
  }

  /** The kernel's counters since open; the last ones after `close`. */
  statistics(): XdpStats {
    return this.read().kernel;
  }

  /** Everything that is counted, of one moment. */
  read(): XdpReading {
    return this.#last ?? this.#read();
  }

  ledger(): XdpLedger {
    const reading = this.read();
    return { received: receivedAccount(reading.socket, this.closed), sent: xdpSentAccount(reading, this.closed) };
  }

  assertOpen(): void {
    if (this.closed) throw NetringError.io('ECANCELED', `the XDP socket on ${this.#interfaceName} is closed`, this.#interfaceName);
  }

  /** Hands over what it can at once and gives everything back; idempotent. */
  close(): void {
    if (this.closed) return;
    this.#reader.release();
    if (this.sends) this.#sender.flush();
    this.#interfaceName = this.native.interfaceName;
    this.#last = this.#read();
    this.native.close();
    xdpSockets.close(this);
  }

  #read(): XdpReading {
    return readXdpStats(this.native, this.#reader.collections);
  }

  #mode(): string {
    const { mode, prefill } = this.settings;
    return mode === 'custom' ? `custom with prefill ${prefill}` : mode;
  }
}

function open(settings: XdpSettings, shared: XdpHandle | undefined, queues: number): NativeXdpSocket {
  const { XdpSocket } = native();
  const config = toNativeXdpConfig(settings);
  try {
    return shared === undefined ? new XdpSocket(config) : new XdpSocket(config, shared.native);
  } catch (error) {
    throw explainRefusal(error, settings, queues);
  }
}
