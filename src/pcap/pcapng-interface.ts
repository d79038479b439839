/** Interfaces of a pcapng section: where packets came from and what their times mean. */
import type { FileOrigin } from './batch-builder';
import type { FileInterface } from './file-window';
import { MAX_INTERFACE_NAME } from './limits';
import { batchLinkTypeOf } from './link-types';
import type { BlockBody } from './pcapng-body';
import { Clock } from './pcapng-clock';
import { Option } from './pcapng-format';

export interface PcapngInterface {
  origin: FileOrigin;
  told: FileInterface;
  /** Bytes of the check sequence at the end of every packet. */
  fcsLength: number;
  clock: Clock;
}

const FIXED = 8;
const MICROSECONDS = 6;

export function describedInterface(body: BlockBody): PcapngInterface {
  body.require(FIXED, 'an interface description');
  const linkType = body.u16(0);
  let name = '';
  let resolution = MICROSECONDS;
  let offset = 0;
  let fcsLength = 0;
  body.beginOptions(FIXED);
  while (body.nextOption())
    switch (body.optionCode) {
      case Option.InterfaceName:
        name = body.text(body.optionAt, Math.min(body.optionLength, MAX_INTERFACE_NAME));
        break;
      case Option.InterfaceTimeResolution:
        body.requireOption(1);
        resolution = body.u8(body.optionAt);
        break;
      case Option.InterfaceTimeOffset:
        body.requireOption(8);
        offset = body.i64(body.optionAt);
        break;
      case Option.InterfaceFcsLength:
        body.requireOption(1);
        fcsLength = checkSequenceLength(body.u8(body.optionAt));
        break;
    }
  return {
    origin: { interface: name, linkType: batchLinkTypeOf(linkType) },
    told: { name, linkType, snapLen: body.u32(4) },
    fcsLength,
    clock: new Clock(resolution, offset),
  };
}

/** The format counts in bits, some writers in bytes; real lengths are 2 and 4 bytes, so the values do not overlap. */
function checkSequenceLength(value: number): number {
  return value >= 16 ? value >>> 3 : value;
}
