/** The forms in which a capture-in node sends packets. */
import type { PacketBatch } from '../../../src/batches/batch';
import type { OutputForm } from '../../../src/options/values';
import type { OwnedPacket, Timestamp } from '../../../src/batches/packet';
import type { Message } from '../control';

/** What a message tells about the packets it carries. The `drops` and `freezes` of all messages add up to those of the statistics. */
export interface RingInfo {
  interface: string;
  seqNum: number;
  packets: number;
  /** Captured bytes. */
  bytes: number;
  tsFirst: Timestamp;
  tsLast: Timestamp;
  /** Since the previous message. */
  drops: number;
  freezes: number;
}

export interface CaptureMessage extends Message {
  topic: string;
  payload: unknown;
  ring: RingInfo;
}

/** Losses since they were last asked for. */
export type LossesSince = () => { drops: number; freezes: number };

/** What a message tells about the batch that it carries. */
export function ringInfo(batch: PacketBatch, losses: ReturnType<LossesSince>): RingInfo {
  const { interface: name, seqNum, length: packets, byteLength: bytes, tsFirst, tsLast } = batch;
  return { interface: name, seqNum, packets, bytes, tsFirst, tsLast, ...losses };
}

export interface OutputContext {
  /** Takes the next batch out of the ring; null when there is none. */
  take(): PacketBatch | null;
  /** Whether anybody would get a message. */
  wired(): boolean;
  send(message: CaptureMessage): void;
  losses: LossesSince;
  /** Unique among the nodes of the process: the prefix of `msg.parts.id`. */
  id: string;
}

/** Moves packets from the ring to the flow, a bounded amount at a time. */
export interface CaptureOutput {
  /** One turn's worth. True when the ring may hold more. */
  turn(context: OutputContext): boolean;
  /** The batch that is being sent packet by packet. */
  readonly held: PacketBatch | undefined;
  /** What was taken out of the ring and the flow did not get yet: packets and the sum of their lengths on the wire. */
  readonly pending: { packets: number; bytes: number };
  /** Gives up what `pending` counts. */
  discard(): void;
}

/** Blocks a turn of the loop. Those that are turned into objects or files cost milliseconds each. */
const BLOCKS_PER_TURN: Readonly<Record<OutputForm, number>> = { batch: 16, packets: 1, pcapng: 4, packet: 16, decoded: 1 };
/** Messages a turn of the loop, in the form of one message per packet. */
export const MESSAGES_PER_TURN = 500;
/** Above this rate, in packets a second, that form keeps an ordinary flow busy with messages alone. */
export const PACKET_FORM_LIMIT = 20_000;

export function createOutput(form: OutputForm): CaptureOutput {
  if (form === 'packet') return new PacketOutput();
  return new BlockOutput(BLOCKS_PER_TURN[form], PAYLOADS[form]);
}

const PAYLOADS: Readonly<Record<Exclude<OutputForm, 'packet'>, (batch: PacketBatch) => unknown>> = {
  batch: (batch) => batch,
  packets: (batch) => batch.toArray(),
  pcapng: (batch) => batch.toPcapng(),
  decoded: (batch) => batch.toDecoded(),
};

/** One message per block. */
class BlockOutput implements CaptureOutput {
  readonly held = undefined;
  readonly pending = { packets: 0, bytes: 0 };
  readonly #blocks: number;
  readonly #payload: (batch: PacketBatch) => unknown;

  constructor(blocks: number, payload: (batch: PacketBatch) => unknown) {
    this.#blocks = blocks;
    this.#payload = payload;
  }

  turn(context: OutputContext): boolean {
    for (let n = 0; n < this.#blocks; n++) {
      const batch = context.take();
      if (batch === null) return false;
      if (!context.wired()) continue;
      context.send({ topic: batch.interface, payload: this.#payload(batch), ring: ringInfo(batch, context.losses()) });
    }
    return true;
  }

  discard(): void {}
}

/** One message per packet: the current batch and how far it has come. What does not fit a turn waits in the ring. */
class PacketOutput implements CaptureOutput {
  #batch: PacketBatch | undefined;
  #index = 0;
  #sequence = 0;

  get held(): PacketBatch | undefined {
    return this.#batch;
  }

  get pending(): { packets: number; bytes: number } {
    const batch = this.#batch;
    if (batch === undefined) return { packets: 0, bytes: 0 };
    let bytes = 0;
    for (let i = this.#index; i < batch.length; i++) bytes += batch.originalLengthAt(i);
    return { packets: batch.length - this.#index, bytes };
  }

  discard(): void {
    this.#batch = undefined;
  }

  turn(context: OutputContext): boolean {
    let blocks = BLOCKS_PER_TURN.packet;
    for (let sent = 0; sent < MESSAGES_PER_TURN;) {
      if (this.#batch === undefined) {
        if (blocks-- === 0) return true;
        const next = context.take();
        if (next === null) return false;
        if (!context.wired()) continue;
        this.#batch = next;
        this.#index = 0;
        this.#sequence++;
      }
      const batch = this.#batch;
      if (this.#index < batch.length) {
        context.send(this.#message(batch, this.#index++, context));
        sent++;
      }
      if (this.#index >= batch.length) this.#batch = undefined;
    }
    return true;
  }

  #message(batch: PacketBatch, index: number, context: OutputContext): CaptureMessage {
    const { data, ...packet }: OwnedPacket = batch.packet(index).toOwned();
    const { timestamp } = packet;
    // Losses are read once a block: they cost a system call.
    const losses = index === 0 ? context.losses() : { drops: 0, freezes: 0 };
    return {
      topic: batch.interface,
      payload: data,
      packet,
      ring: {
        interface: batch.interface,
        seqNum: batch.seqNum,
        packets: 1,
        bytes: packet.length,
        tsFirst: timestamp,
        tsLast: timestamp,
        ...losses,
      },
      parts: { id: `${context.id}.${this.#sequence}`, type: 'array', index, count: batch.length },
    };
  }
}
