/** Writes batches as a complete pcapng file in memory. */
import { batchLinkType, type PacketBatch } from '../batch';
import { fileLinkType } from './link-types';
import {
  interfaceDescriptionBlock,
  interfaceStatisticsBlock,
  packetBlocksLength,
  sectionHeaderBlock,
  writePacketBlocks,
  type InterfaceCounters,
} from './pcapng-blocks';

export interface PcapngOptions {
  /** What the file names as its writer. Default `netring for Node-RED`. */
  application?: string;
  /** Counters of the interface the batches came from, since it was opened. */
  statistics?: InterfaceCounters;
}

const APPLICATION = 'netring for Node-RED';

/**
 * One complete pcapng file: every interface with its name, every packet with nanosecond time, direction, original length.
 * Throws TypeError when `statistics` are given for batches of several interfaces, RangeError when a count in them is no integer from 0 on.
 */
export function encodePcapng(batches: readonly PacketBatch[], options: PcapngOptions = {}): Buffer {
  const { ids, descriptions } = describeInterfaces(batches);
  const before = Buffer.concat([sectionHeaderBlock(options.application ?? APPLICATION), ...descriptions]);
  const after = statisticsBlock(batches, descriptions.length, options.statistics);

  const packets = batches.reduce((sum, batch) => sum + packetBlocksLength(batch), 0);
  const file = Buffer.allocUnsafe(before.length + packets + after.length);
  file.set(before);
  let at = before.length;
  batches.forEach((batch, i) => (at = writePacketBlocks(batch, ids[i]!, file, at)));
  file.set(after, at);
  return file;
}

/** Interfaces in the order in which they appear, and for each batch the number of its own. */
function describeInterfaces(batches: readonly PacketBatch[]): { ids: number[]; descriptions: Buffer[] } {
  const known = new Map<string, number>();
  const descriptions: Buffer[] = [];
  const ids = batches.map((batch) => {
    const linkType = fileLinkType(batchLinkType(batch));
    const key = `${linkType} ${batch.interface}`;
    const id = known.get(key) ?? descriptions.length;
    if (id === descriptions.length) {
      known.set(key, id);
      descriptions.push(interfaceDescriptionBlock(batch.interface, linkType));
    }
    return id;
  });
  return { ids, descriptions };
}

function statisticsBlock(batches: readonly PacketBatch[], interfaces: number, counters: InterfaceCounters | undefined): Buffer {
  const last = batches.at(-1);
  if (counters === undefined || last === undefined) return Buffer.alloc(0);
  if (interfaces > 1) throw new TypeError(`statistics are those of one interface, the batches came from ${interfaces}`);
  for (const [name, count] of Object.entries(counters) as [string, unknown][])
    if (!Number.isSafeInteger(count) || (count as number) < 0) throw new RangeError(`statistics.${name} is ${String(count)}: not a count`);
  return interfaceStatisticsBlock(0, last.tsLast, counters);
}
