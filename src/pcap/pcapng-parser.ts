/** The pcapng format: sections of blocks, each section in a byte order of its own. */
import type { FileBatches, FilePacket } from './file-batches';
import { invalidFile } from './file-error';
import { MAX_INTERFACES } from './limits';
import { BlockBody } from './pcapng-body';
import { Block, ENHANCED_PACKET_HEADER, Option, PACKET_TYPE_UNKNOWN, packetTypeOfFlags, padded } from './pcapng-format';
import { describedInterface, type PcapngInterface } from './pcapng-interface';

const SECTION_HEADER = 16;
const SIMPLE_PACKET_HEADER = 4;

/** Adds all packets to `batches`. Throws `NetringError` where the file ends or goes wrong. */
export function parsePcapng(file: DataView, batches: FileBatches): void {
  let littleEndian = true;
  let interfaces: PcapngInterface[] = [];
  for (let at = 0; at < file.byteLength;) {
    const body = BlockBody.at(file, at, littleEndian);
    switch (body.type) {
      case Block.SectionHeader:
        checkSection(body);
        littleEndian = body.littleEndian;
        interfaces = [];
        break;
      case Block.InterfaceDescription:
        if (interfaces.length === MAX_INTERFACES) throw invalidFile(at, `a section describes more than ${MAX_INTERFACES} interfaces`);
        interfaces.push(describedInterface(body));
        break;
      case Block.EnhancedPacket:
      case Block.Packet:
        addPacket(body, interfaces, batches);
        break;
      case Block.SimplePacket:
        addSimplePacket(body, interfaces, batches);
        break;
    }
    at = body.next;
  }
}

function checkSection(body: BlockBody): void {
  body.require(SECTION_HEADER, 'a section header');
  const major = body.u16(4);
  const minor = body.u16(6);
  // 1.2 is what some writers called 1.0.
  if (major !== 1 || (minor !== 0 && minor !== 2))
    throw invalidFile(body.offsetOf(4), `pcapng version ${major}.${minor} is not supported, only 1.0 is`);
  body.options(SECTION_HEADER, () => {});
}

/** Enhanced and obsolete packet blocks differ in the width of the interface number only. */
function addPacket(body: BlockBody, interfaces: readonly PcapngInterface[], batches: FileBatches): void {
  body.require(ENHANCED_PACKET_HEADER, 'a packet block');
  const from = interfaceOf(body, interfaces, body.type === Block.EnhancedPacket ? body.u32(0) : body.u16(0));
  const captured = body.u32(12);
  requireCaptured(body, ENHANCED_PACKET_HEADER, captured);
  let packetType = PACKET_TYPE_UNKNOWN;
  let fcsLength = from.fcsLength;
  body.options(ENHANCED_PACKET_HEADER + padded(captured), (code, at, length) => {
    if (code !== Option.PacketFlags) return;
    body.requireOption(code, at, length, 4);
    const flags = body.u32(at);
    packetType = packetTypeOfFlags(flags);
    fcsLength = (flags >>> 5) & 0xf || fcsLength;
  });
  const { sec, nsec } = from.timeOf(body.u32(4), body.u32(8));
  add(batches, from, fcsLength, {
    offset: body.offsetOf(ENHANCED_PACKET_HEADER),
    length: captured,
    originalLength: body.u32(16),
    sec,
    nsec,
    packetType,
  });
}

/** Without a time and always of the first interface, whose limit tells how much of the packet was kept. */
function addSimplePacket(body: BlockBody, interfaces: readonly PcapngInterface[], batches: FileBatches): void {
  body.require(SIMPLE_PACKET_HEADER, 'a simple packet block');
  const from = interfaceOf(body, interfaces, 0);
  const originalLength = body.u32(0);
  const captured = Math.min(originalLength, from.snapLen === 0 ? originalLength : from.snapLen);
  requireCaptured(body, SIMPLE_PACKET_HEADER, captured);
  add(batches, from, from.fcsLength, {
    offset: body.offsetOf(SIMPLE_PACKET_HEADER),
    length: captured,
    originalLength,
    sec: 0,
    nsec: 0,
    packetType: PACKET_TYPE_UNKNOWN,
  });
}

function interfaceOf(body: BlockBody, interfaces: readonly PcapngInterface[], id: number): PcapngInterface {
  const found = interfaces[id];
  if (found === undefined)
    throw invalidFile(body.offsetOf(0), `a packet names interface ${id}, the section has described ${interfaces.length}`);
  return found;
}

function requireCaptured(body: BlockBody, header: number, captured: number): void {
  const room = body.length - header;
  if (captured > room) throw invalidFile(body.offsetOf(0), `a packet claims ${captured} captured bytes, its block has room for ${room}`);
}

/** Leaves out as much of the check sequence as was captured. */
function add(batches: FileBatches, from: PcapngInterface, fcsLength: number, packet: FilePacket): void {
  const originalLength = Math.max(packet.originalLength, packet.length) - fcsLength;
  batches.add(from.origin, { ...packet, originalLength, length: Math.max(Math.min(packet.length, originalLength), 0) });
}
