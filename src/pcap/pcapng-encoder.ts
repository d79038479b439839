/** Encodes batches as a pcapng file: little-endian, nanoseconds, several interfaces, their counters. */
import type { PacketBatch } from '../batches/batch';
import type { Timestamp } from '../batches/packet';
import { checkType, type NamesOf } from '../options/known-options';
import { keptLength, type Allocate, type FileEncoder } from './file-encoder';
import { fileLinkType } from './link-types';
import type { InterfaceCounters } from './file-window';
import { LossCounter } from './losses';
import { encodePacketBlocks, packetBlocksRoom } from './packet-encoders';
import { interfaceDescriptionBlock, interfaceStatisticsBlock, sectionHeaderBlock } from './pcapng-blocks';
import { LOSS_OPTION, PACKET_BLOCK_OVERHEAD, padded } from './pcapng-format';

/** Options of `PcapngWriter`. */
export interface PcapngOptions {
  /** What the file names as its writer. Default `netring for Node-RED`. */
  application?: string;
  /** A comment on the whole file. */
  comment?: string;
  /** Bytes of each packet that are kept; 0, the default, keeps all of them. Its original length is told in any case. */
  snapLen?: number;
  /**
   * Counters of the interface of that name since it was opened, such as a capture's `cumulativeStats()`; undefined when there are none. Asked before
   * every batch, whose first packet then tells how many were lost since the batch before, and for the statistics blocks of the interfaces.
   */
  statistics?: (interfaceName: string) => InterfaceCounters | undefined;
}

export const PCAPNG_OPTIONS: NamesOf<PcapngOptions> = { application: true, comment: true, snapLen: true, statistics: true };

interface Described {
  id: number;
  name: string;
}

const APPLICATION = 'netring for Node-RED';
const STATISTICS_LENGTH = interfaceStatisticsBlock(0, { sec: 0, nsec: 0 }, { received: 0, drops: 0 }).length;
const EMPTY = Buffer.alloc(0);

export class PcapngEncoder implements FileEncoder {
  readonly #section: Buffer;
  readonly #snapLen: number;
  readonly #kept: number;
  readonly #losses: LossCounter | undefined;
  readonly #interfaces = new Map<string, Described>();
  #length = 0;

  /** `losses` goes on counting from another file's. Throws NetringError kind `Config`, RangeError for a text of more than 65535 bytes. */
  constructor(options: PcapngOptions = {}, losses = options.statistics && new LossCounter(options.statistics)) {
    checkType(options, 'application', 'string');
    checkType(options, 'comment', 'string');
    checkType(options, 'statistics', 'function');
    this.#section = sectionHeaderBlock(options.application ?? APPLICATION, options.comment);
    this.#snapLen = options.snapLen ?? 0;
    this.#kept = keptLength(options.snapLen);
    this.#losses = losses;
  }

  encode(batch: PacketBatch, allocate: Allocate = (size) => Buffer.allocUnsafe(size)): Buffer {
    const known = this.#interfaces.get(keyOf(batch));
    const description = known === undefined ? this.#describe(batch) : EMPTY;
    const { id } = known ?? this.#add(batch);
    const lost = batch.length === 0 ? 0 : (this.#losses?.since(batch.interface) ?? 0);
    const before = this.#length === 0 ? this.#section.length : 0;
    const out = allocate(before + description.length + packetBlocksRoom(batch, this.#kept, lost));
    if (before > 0) out.set(this.#section);
    out.set(description, before);
    const length = encodePacketBlocks(batch, out, before + description.length, this.#kept, id, lost);
    this.#length += length;
    return out.subarray(0, length);
  }

  /** Statistics blocks of the interfaces so far; with the section's header when nothing was written before. */
  statistics(at: Timestamp = now()): Buffer {
    const blocks = this.#length === 0 ? [this.#section] : [];
    for (const { id, name } of this.#interfaces.values()) {
      const counters = this.#losses?.counters(name);
      if (counters !== undefined) blocks.push(interfaceStatisticsBlock(id, at, counters));
    }
    const out = Buffer.concat(blocks);
    this.#length += out.length;
    return out;
  }

  finish(): Buffer {
    return this.statistics();
  }

  lengthWithout(batch: PacketBatch): number {
    const known = this.#interfaces.has(keyOf(batch));
    const counted = this.#interfaces.size + (known ? 0 : 1);
    return (
      (this.#length === 0 ? this.#section.length : this.#length) +
      (known ? 0 : this.#describe(batch).length) +
      (this.#losses === undefined ? 0 : LOSS_OPTION + counted * STATISTICS_LENGTH)
    );
  }

  roomFor(batch: PacketBatch): number {
    return packetBlocksRoom(batch, this.#kept, 0);
  }

  packetLength(captured: number): number {
    return PACKET_BLOCK_OVERHEAD + padded(Math.min(captured, this.#kept));
  }

  #describe(batch: PacketBatch): Buffer {
    return interfaceDescriptionBlock(batch.interface, fileLinkType(batch.linkType), this.#snapLen);
  }

  #add(batch: PacketBatch): Described {
    const described = { id: this.#interfaces.size, name: batch.interface };
    this.#interfaces.set(keyOf(batch), described);
    return described;
  }
}

function keyOf(batch: PacketBatch): string {
  return `${fileLinkType(batch.linkType)} ${batch.interface}`;
}

function now(): Timestamp {
  const ms = Date.now();
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 };
}
