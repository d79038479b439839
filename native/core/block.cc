#include "block.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cstring>

#include "bpf.h"

namespace netring {

namespace {

constexpr uint32_t kAddressOffset = TPACKET_ALIGN(sizeof(tpacket3_hdr));
constexpr uint32_t kAddressesLength = 2 * ETH_ALEN;

// One packet in the ring, its bounds already checked.
struct RingPacket {
  const tpacket3_hdr* header;
  const sockaddr_ll* address;
  uint8_t* frame;
  uint32_t length;

  uint32_t status() const { return header->tp_status; }
  bool has_tag() const { return (status() & TP_STATUS_VLAN_VALID) != 0; }
  uint16_t tci() const { return static_cast<uint16_t>(header->hv1.tp_vlan_tci); }
  uint16_t tpid() const { return (status() & TP_STATUS_VLAN_TPID_VALID) != 0 ? header->hv1.tp_vlan_tpid : ETH_P_8021Q; }
};

// Hands every packet of a block that can be read safely to `visit`, which returns false to end the walk.
template <typename Visit>
void walk(uint8_t* block, uint32_t block_size, Visit visit) {
  const auto* descriptor = reinterpret_cast<const tpacket_block_desc*>(block);
  const tpacket_hdr_v1& header = descriptor->hdr.bh1;
  const uint32_t end = std::min(header.blk_len, block_size);
  uint32_t offset = header.offset_to_first_pkt;
  for (uint32_t i = 0; i < packets_in_block(descriptor, block_size); ++i) {
    if (offset % alignof(tpacket3_hdr) != 0 || offset > end || end - offset < kAddressOffset + sizeof(sockaddr_ll))
      return;
    const auto* packet = reinterpret_cast<const tpacket3_hdr*>(block + offset);
    const uint32_t room = end - offset;
    if (packet->tp_mac < kAddressOffset + sizeof(sockaddr_ll) || packet->tp_mac > room ||
        packet->tp_snaplen > room - packet->tp_mac)
      return;
    const uint32_t next = packet->tp_next_offset;
    // The sender's CPU wrote the next header last: fetching it while this packet is dealt with hides most of the miss.
    if (next <= room) __builtin_prefetch(block + offset + next);
    if (!visit(RingPacket{packet, reinterpret_cast<const sockaddr_ll*>(block + offset + kAddressOffset),
                          block + offset + packet->tp_mac, packet->tp_snaplen}))
      return;
    // 0 marks the last packet, whatever the count says.
    if (next == 0 || next > room) return;
    offset += next;
  }
}

bool accepted(const RingPacket& packet, const BlockReader& reader, uint32_t* length) {
  if (reader.refilter.empty()) return true;
  FilterContext context;
  context.frame = {packet.frame, packet.length};
  context.original_length = packet.header->tp_len;
  context.network_offset = static_cast<uint32_t>(packet.header->tp_net - packet.header->tp_mac);
  context.interface_index = reader.interface_index;
  context.link_type = reader.link_type;
  context.protocol = ntohs(packet.address->sll_protocol);
  context.packet_type = packet.address->sll_pkttype;
  context.rxhash = packet.header->hv1.tp_rxhash;
  context.vlan_present = packet.has_tag();
  context.vlan_tci = packet.tci();
  context.vlan_tpid = packet.tpid();
  const uint32_t accept = run_filter(reader.refilter, context);
  *length = std::min(*length, accept);
  return accept != 0;
}

// Puts the tag back where it was on the wire, into the four bytes kept free before the frame. Returns the frame's new
// begin.
uint8_t* insert_tag(const RingPacket& packet, uint32_t length) {
  const uint32_t before = static_cast<uint32_t>(packet.header->tp_mac) - kAddressOffset - sizeof(sockaddr_ll);
  if (!packet.has_tag() || length < kAddressesLength || before < kVlanTagLength) return packet.frame;
  uint8_t* frame = packet.frame - kVlanTagLength;
  std::memmove(frame, packet.frame, kAddressesLength);
  const uint16_t tag[2] = {htons(packet.tpid()), htons(packet.tci())};
  std::memcpy(frame + kAddressesLength, tag, sizeof tag);
  return frame;
}

void describe_packet(const RingPacket& packet, PacketRecord* record) {
  record->seconds = packet.header->tp_sec;
  record->nanoseconds = packet.header->tp_nsec;
  record->status = packet.status();
  record->rxhash = packet.header->hv1.tp_rxhash;
  record->vlan = packet.tci() | static_cast<uint32_t>(packet.tpid()) << 16;
  record->meta = ntohs(packet.address->sll_protocol) | static_cast<uint32_t>(packet.address->sll_pkttype) << 16 |
                 static_cast<uint32_t>(packet.address->sll_halen) << 24;
  std::memcpy(&record->address_low, packet.address->sll_addr, sizeof(uint32_t));
  std::memcpy(&record->address_high, packet.address->sll_addr + sizeof(uint32_t), sizeof(uint32_t));
}

void describe_block(const uint8_t* block, const BlockCount& count, uint64_t bytes, BatchHeader* out) {
  const tpacket_hdr_v1& header = reinterpret_cast<const tpacket_block_desc*>(block)->hdr.bh1;
  out->count = count.packets;
  out->byte_length = static_cast<uint32_t>(bytes);
  out->sequence_low = static_cast<uint32_t>(header.seq_num);
  out->sequence_high = static_cast<uint32_t>(header.seq_num >> 32);
  // libc calls the field ts_usec; in a V3 block it holds nanoseconds.
  out->first_seconds = header.ts_first_pkt.ts_sec;
  out->first_nanoseconds = header.ts_first_pkt.ts_nsec;
  out->last_seconds = header.ts_last_pkt.ts_sec;
  out->last_nanoseconds = header.ts_last_pkt.ts_nsec;
  out->flags = (header.block_status & TP_STATUS_BLK_TMO) != 0 ? BatchHeader::kTimedOut : 0;
  out->original_low = static_cast<uint32_t>(count.original_bytes);
  out->original_high = static_cast<uint32_t>(count.original_bytes >> 32);
  out->bytes_offset = 0;
  out->member = 0;
}

// `place(frame, length)` says at which offset of the batch's bytes a frame lies, or ~0u when there is no room for it.
template <typename Place>
BlockCount read_block(uint8_t* block, uint32_t block_size, const BlockReader& reader, BatchHeader* header,
                      PacketRecord* records, Place place) {
  BlockCount count;
  uint64_t bytes = 0;
  walk(block, block_size, [&](const RingPacket& packet) {
    uint32_t length = packet.length;
    if (!accepted(packet, reader, &length)) {
      ++count.refiltered;
      return true;
    }
    if (reader.snap_len != 0) length = std::min(length, reader.snap_len);
    uint8_t* frame = insert_tag(packet, length);
    const uint32_t tag = frame == packet.frame ? 0 : kVlanTagLength;
    length += tag;
    PacketRecord* record = &records[count.packets];
    record->offset = place(frame, length);
    if (record->offset == ~0U) return false;
    record->length = length;
    record->original_length = packet.header->tp_len + tag;
    describe_packet(packet, record);
    ++count.packets;
    bytes += length;
    count.original_bytes += record->original_length;
    return true;
  });
  describe_block(block, count, bytes, header);
  return count;
}

}  // namespace

uint32_t packets_in_block(const tpacket_block_desc* block, uint32_t block_size) {
  return std::min(block->hdr.bh1.num_pkts, block_size / kLeastPacketFootprint);
}

BlockCount index_block(uint8_t* block, uint32_t block_size, const BlockReader& reader, BatchHeader* header,
                       PacketRecord* records) {
  return read_block(block, block_size, reader, header, records, [block](const uint8_t* frame, uint32_t /*length*/) {
    return static_cast<uint32_t>(frame - block);
  });
}

BlockCount copy_block(uint8_t* block, uint32_t block_size, const BlockReader& reader, BatchHeader* header,
                      PacketRecord* records, uint8_t* bytes, uint32_t capacity) {
  uint32_t used = 0;
  return read_block(block, block_size, reader, header, records, [&](const uint8_t* frame, uint32_t length) {
    if (length > capacity - used) return ~0U;
    std::memcpy(bytes + used, frame, length);
    const uint32_t offset = used;
    used += length;
    return offset;
  });
}

}  // namespace netring
