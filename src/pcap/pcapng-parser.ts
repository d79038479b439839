/** The pcapng format: sections of blocks, each section in a byte order of its own. */
import type { BatchBuilder } from './batch-builder';
import { invalidFile } from './file-error';
import type { FileInterface, FileWindow, Shortage } from './file-window';
import { MAX_INTERFACES, MAX_SECTION_NAMES } from './limits';
import { BlockBody } from './pcapng-body';
import { Block, ENHANCED_PACKET_HEADER, Option, PACKET_TYPE_UNKNOWN, packetTypeOfFlags, padded } from './pcapng-format';
import { describedInterface, type PcapngInterface } from './pcapng-interface';

const SECTION_HEADER = 16;
const SIMPLE_PACKET_HEADER = 4;
const STATISTICS_HEADER = 12;

export class PcapngParser {
  readonly format = 'pcapng';
  readonly #body = new BlockBody();
  #interfaces: PcapngInterface[] = [];
  /** Bytes of their names. */
  #nameBytes = 0;

  get shortage(): Shortage {
    return this.#body.shortage;
  }

  /** Those of the present section. */
  get interfaces(): readonly FileInterface[] {
    return this.#interfaces.map(({ told }) => told);
  }

  /** Adds packets to `batch` from position `at` on, until it is full or bytes are missing. Returns the position of the first block that is not read. */
  read(window: FileWindow, at: number, batch: BatchBuilder): number {
    const body = this.#body;
    while (body.enter(window, at)) {
      switch (body.type) {
        case Block.EnhancedPacket:
        case Block.Packet:
          if (!this.#addPacket(window, batch)) return at;
          break;
        case Block.SimplePacket:
          if (!this.#addSimplePacket(window, batch)) return at;
          break;
        case Block.SectionHeader:
          this.#beginSection();
          break;
        case Block.InterfaceDescription:
          this.#describe();
          break;
        case Block.InterfaceStatistics:
          this.#count();
          break;
      }
      at = body.next;
    }
    return at;
  }

  #beginSection(): void {
    const body = this.#body;
    body.require(SECTION_HEADER, 'a section header');
    const major = body.u16(4);
    const minor = body.u16(6);
    // 1.2 is what some writers called 1.0.
    if (major !== 1 || (minor !== 0 && minor !== 2))
      throw invalidFile(body.offsetOf(4), `pcapng version ${major}.${minor} is not supported, only 1.0 is`);
    body.beginOptions(SECTION_HEADER);
    while (body.nextOption());
    this.#interfaces = [];
    this.#nameBytes = 0;
  }

  #describe(): void {
    const body = this.#body;
    if (this.#interfaces.length === MAX_INTERFACES)
      throw invalidFile(body.blockOffset, `a section describes more than ${MAX_INTERFACES} interfaces`);
    const described = describedInterface(body);
    this.#nameBytes += Buffer.byteLength(described.told.name);
    if (this.#nameBytes > MAX_SECTION_NAMES)
      throw invalidFile(body.blockOffset, `the names of a section's interfaces have more than ${MAX_SECTION_NAMES} bytes`);
    this.#interfaces.push(described);
  }

  /** Enhanced and obsolete packet blocks differ in the width of the interface number only. */
  #addPacket(window: FileWindow, batch: BatchBuilder): boolean {
    const body = this.#body;
    body.require(ENHANCED_PACKET_HEADER, 'a packet block');
    const { view, start, littleEndian } = body;
    const id = body.type === Block.EnhancedPacket ? view.getUint32(start, littleEndian) : view.getUint16(start, littleEndian);
    const from = this.#interfaces[id] ?? this.#interfaceOf(id, 'a packet');
    const captured = view.getUint32(start + 12, littleEndian);
    this.#requireCaptured(ENHANCED_PACKET_HEADER, captured);
    let packetType = PACKET_TYPE_UNKNOWN;
    let fcsLength = from.fcsLength;
    body.beginOptions(ENHANCED_PACKET_HEADER + padded(captured));
    while (body.nextOption()) {
      if (body.optionCode !== Option.PacketFlags) continue;
      body.requireOption(4);
      const flags = view.getUint32(start + body.optionAt, littleEndian);
      packetType = packetTypeOfFlags(flags);
      fcsLength = (flags >>> 5) & 0xf || fcsLength;
    }
    const { clock } = from;
    clock.tell(view.getUint32(start + 4, littleEndian), view.getUint32(start + 8, littleEndian));
    // As much of the check sequence as was captured is left out.
    const original = Math.max(view.getUint32(start + 16, littleEndian), captured) - fcsLength;
    const length = Math.max(Math.min(captured, original), 0);
    return batch.add(window, from.origin, start + ENHANCED_PACKET_HEADER, length, original, clock.sec, clock.nsec, packetType);
  }

  /** Without a time and always of the first interface, whose limit tells how much of the packet was kept. */
  #addSimplePacket(window: FileWindow, batch: BatchBuilder): boolean {
    const body = this.#body;
    body.require(SIMPLE_PACKET_HEADER, 'a simple packet block');
    const { origin, fcsLength, told } = this.#interfaceOf(0, 'a packet');
    const whole = body.u32(0);
    const captured = Math.min(whole, told.snapLen === 0 ? whole : told.snapLen);
    this.#requireCaptured(SIMPLE_PACKET_HEADER, captured);
    const original = whole - fcsLength;
    const length = Math.max(Math.min(captured, original), 0);
    return batch.add(window, origin, body.start + SIMPLE_PACKET_HEADER, length, original, 0, 0, PACKET_TYPE_UNKNOWN);
  }

  #count(): void {
    const body = this.#body;
    body.require(STATISTICS_HEADER, 'an interface statistics block');
    const { told } = this.#interfaceOf(body.u32(0), 'a statistics block');
    const statistics = { received: 0, drops: 0 };
    body.beginOptions(STATISTICS_HEADER);
    while (body.nextOption()) {
      if (body.optionCode !== Option.StatisticsReceived && body.optionCode !== Option.StatisticsDropped) continue;
      body.requireOption(8);
      statistics[body.optionCode === Option.StatisticsReceived ? 'received' : 'drops'] = body.u64(body.optionAt);
    }
    told.statistics = statistics;
  }

  #interfaceOf(id: number, what: string): PcapngInterface {
    const found = this.#interfaces[id];
    if (found === undefined)
      throw invalidFile(this.#body.offsetOf(0), `${what} names interface ${id}, the section has described ${this.#interfaces.length}`);
    return found;
  }

  #requireCaptured(header: number, captured: number): void {
    const room = this.#body.length - header;
    if (captured > room)
      throw invalidFile(this.#body.offsetOf(0), `a packet claims ${captured} captured bytes, its block has room for ${room}`);
  }
}
