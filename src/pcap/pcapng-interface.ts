/** Interfaces of a pcapng section: where packets came from and what their times mean. */
import type { Timestamp } from '../packet';
import type { FileOrigin } from './file-batches';
import { batchLinkTypeOf } from './link-types';
import type { BlockBody } from './pcapng-body';
import { Option } from './pcapng-format';

export interface PcapngInterface {
  origin: FileOrigin;
  /** The longest packet that was kept; 0 for no limit. */
  snapLen: number;
  /** Bytes of the check sequence at the end of every packet. */
  fcsLength: number;
  /** The time that a packet's two 32-bit words stand for. */
  timeOf: Clock;
}

type Clock = (high: number, low: number) => Timestamp;

const FIXED = 8;
const MICROSECONDS = 6;
const BINARY = 0x80;
/** Powers of ten up to this one are divided by without BigInt. */
const NANOSECONDS = 9;

export function describedInterface(body: BlockBody): PcapngInterface {
  body.require(FIXED, 'an interface description');
  const origin = { interface: '', linkType: batchLinkTypeOf(body.u16(0)) };
  let resolution = MICROSECONDS;
  let offset = 0;
  let fcsLength = 0;
  body.options(FIXED, (code, at, length) => {
    switch (code) {
      case Option.InterfaceName:
        origin.interface = body.text(at, length);
        break;
      case Option.InterfaceTimeResolution:
        body.requireOption(code, at, length, 1);
        resolution = body.u8(at);
        break;
      case Option.InterfaceTimeOffset:
        body.requireOption(code, at, length, 8);
        offset = body.i64(at);
        break;
      case Option.InterfaceFcsLength:
        body.requireOption(code, at, length, 1);
        fcsLength = checkSequenceLength(body.u8(at));
        break;
    }
  });
  return { origin, snapLen: body.u32(4), fcsLength, timeOf: clock(resolution, offset) };
}

/** The format counts in bits, some writers in bytes; real lengths are 2 and 4 bytes, so the values do not overlap. */
function checkSequenceLength(value: number): number {
  return value >= 16 ? value >>> 3 : value;
}

/** How times count: `resolution` is a power of ten, or of two with bit 7 set, to be taken negative. `offset` is in seconds. */
function clock(resolution: number, offset: number): Clock {
  const exponent = resolution & ~BINARY;
  if ((resolution & BINARY) === 0 && exponent <= NANOSECONDS) {
    const ticks = 10 ** exponent;
    const nanoseconds = 10 ** (NANOSECONDS - exponent);
    return (high, low) => {
      // 64 bits by 30: long division in digits of 16 bits, whose partial dividends a number holds exactly.
      let sec = 0;
      let rest = 0;
      for (const digit of [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff]) {
        const partial = rest * 0x1_0000 + digit;
        sec = sec * 0x1_0000 + Math.floor(partial / ticks);
        rest = partial % ticks;
      }
      return { sec: sec + offset, nsec: rest * nanoseconds };
    };
  }
  const ticks = ((resolution & BINARY) === 0 ? 10n : 2n) ** BigInt(exponent);
  return (high, low) => {
    const time = (BigInt(high) << 32n) | BigInt(low);
    return { sec: Number(time / ticks) + offset, nsec: Number(((time % ticks) * 1_000_000_000n) / ticks) };
  };
}
