/** What an AF_XDP socket receives as a Node stream. */
import { shareLedger } from '../ledger';
import type { XdpSocket } from '../xdp/xdp-socket';
import type { XdpSocketStats, XdpStats } from '../xdp/xdp-stats';
import type { AsyncXdpSocket } from './async-xdp-socket';
import { BatchStream, type StreamSource } from './batch-stream';
import type { WaitOptions } from './wait-list';

/** As `PacketStream`: owned batches with real back-pressure. Destroying it closes the socket. */
export class XdpStream<S extends XdpSocket = XdpSocket> extends BatchStream {
  readonly #socket: AsyncXdpSocket<S>;

  /** @internal Use `AsyncXdpSocket.intoStream`. */
  constructor(socket: AsyncXdpSocket<S>, source: StreamSource, options: WaitOptions) {
    super(source, options);
    this.#socket = socket;
    shareLedger(this, socket);
  }

  /** The socket underneath, for its events, `setFilter` and sending; reading or closing it is a TypeError. */
  get socket(): AsyncXdpSocket<S> {
    return this.#socket;
  }
  /** As `stats` of the socket: counters since the last call of either. Packets count when the stream reads them, up to 4 batches ahead. */
  stats(): XdpSocketStats {
    return this.#socket.stats();
  }
  /** Counters since open; readable after the stream has ended. */
  cumulativeStats(): XdpSocketStats {
    return this.#socket.cumulativeStats();
  }
  /** The kernel's six counters since open; readable after the stream has ended. */
  statistics(): XdpStats {
    return this.#socket.statistics();
  }
}
