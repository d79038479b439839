#include "block.h"

#include <algorithm>
#include <cstring>

namespace netring {

namespace {

constexpr uint32_t kAddressOffset = TPACKET_ALIGN(sizeof(tpacket3_hdr));

struct BlockPacket {
  const tpacket3_hdr* header;
  const sockaddr_ll* address;
  uint8_t* frame;
  uint32_t length;

  uint32_t original_length() const { return header->tp_len; }
  uint32_t network_offset() const { return static_cast<uint32_t>(header->tp_net - header->tp_mac); }
  uint32_t seconds() const { return header->tp_sec; }
  uint32_t nanoseconds() const { return header->tp_nsec; }
  uint32_t status() const { return header->tp_status; }
  uint32_t rxhash() const { return header->hv1.tp_rxhash; }
  bool has_tag() const { return (status() & TP_STATUS_VLAN_VALID) != 0; }
  uint16_t tci() const { return static_cast<uint16_t>(header->hv1.tp_vlan_tci); }
  uint16_t tpid() const { return (status() & TP_STATUS_VLAN_TPID_VALID) != 0 ? header->hv1.tp_vlan_tpid : ETH_P_8021Q; }
  uint32_t room_before() const { return static_cast<uint32_t>(header->tp_mac) - kAddressOffset - sizeof(sockaddr_ll); }
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
    if (!visit(BlockPacket{packet, reinterpret_cast<const sockaddr_ll*>(block + offset + kAddressOffset),
                           block + offset + packet->tp_mac, packet->tp_snaplen}))
      return;
    // 0 marks the last packet, whatever the count says.
    if (next == 0 || next > room) return;
    offset += next;
  }
}

void describe_block(const uint8_t* block, const BatchCount& count, BatchHeader* out) {
  const tpacket_hdr_v1& header = reinterpret_cast<const tpacket_block_desc*>(block)->hdr.bh1;
  describe_count(count, header.seq_num, out);
  // libc calls the field ts_usec; in a V3 block it holds nanoseconds.
  out->first_seconds = header.ts_first_pkt.ts_sec;
  out->first_nanoseconds = header.ts_first_pkt.ts_nsec;
  out->last_seconds = header.ts_last_pkt.ts_sec;
  out->last_nanoseconds = header.ts_last_pkt.ts_nsec;
  out->flags = (header.block_status & TP_STATUS_BLK_TMO) != 0 ? BatchHeader::kTimedOut : 0;
}

template <typename Place>
BatchCount read_block(uint8_t* block, uint32_t block_size, const RingReader& reader, BatchHeader* header,
                      PacketRecord* records, Place place) {
  BatchCount count;
  walk(block, block_size, [&](const BlockPacket& packet) {
    return enter_packet(packet, reader, reader.refilter, records, &count, place);
  });
  describe_block(block, count, header);
  return count;
}

}  // namespace

uint32_t packets_in_block(const tpacket_block_desc* block, uint32_t block_size) {
  return std::min(block->hdr.bh1.num_pkts, block_size / kLeastPacketFootprint);
}

BatchCount index_block(uint8_t* block, uint32_t block_size, const RingReader& reader, BatchHeader* header,
                       PacketRecord* records) {
  return read_block(block, block_size, reader, header, records, [block](const uint8_t* frame, uint32_t /*length*/) {
    return static_cast<uint32_t>(frame - block);
  });
}

BatchCount copy_block(uint8_t* block, uint32_t block_size, const RingReader& reader, BatchHeader* header,
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
