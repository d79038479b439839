// What the packets of both kinds of receive ring have in common, whose headers differ: the filter that is asked again,
// the VLAN tag that is put back, the record. A `Packet` has the accessors that are used here, its bounds are checked.
#ifndef NETRING_CORE_RING_PACKET_H_
#define NETRING_CORE_RING_PACKET_H_

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "bpf.h"
#include "packet_index.h"

namespace netring {

// Bytes the kernel leaves free before each frame (PACKET_RESERVE), in which the VLAN tag it stripped is put back.
inline constexpr uint32_t kVlanTagLength = 4;

inline constexpr uint32_t kAddressesLength = 2 * ETH_ALEN;

struct RingReader {
  uint32_t snap_len = 0;  // 0: no truncation
  uint32_t interface_index = 0;
  uint32_t link_type = 0;
  // Set while the ring may hold packets that an earlier filter has let in.
  std::span<const sock_filter> refilter;
};

// What has been read into a batch.
struct BatchCount {
  uint32_t packets = 0;
  uint32_t refiltered = 0;
  uint32_t dropped = 0;  // of which the ring has only a part
  uint64_t bytes = 0;    // captured
  uint64_t original_bytes = 0;
};

// Whether `filter` lets the packet in; shortens `length` to what it lets in of it.
template <typename Packet>
bool accepted(const Packet& packet, const RingReader& reader, std::span<const sock_filter> filter, uint32_t* length) {
  if (filter.empty()) return true;
  FilterContext context;
  context.frame = {packet.frame, packet.length};
  context.original_length = packet.original_length();
  context.network_offset = packet.network_offset();
  context.interface_index = reader.interface_index;
  context.link_type = reader.link_type;
  context.protocol = ntohs(packet.address->sll_protocol);
  context.packet_type = packet.address->sll_pkttype;
  context.vlan_present = packet.has_tag();
  context.vlan_tci = packet.tci();
  context.vlan_tpid = packet.tpid();
  const uint32_t accept = run_filter(filter, context);
  *length = std::min(*length, accept);
  return accept != 0;
}

// Puts the tag back where it was on the wire, into the four bytes kept free before the frame. Returns the frame's new
// begin.
template <typename Packet>
uint8_t* insert_tag(const Packet& packet, uint32_t length) {
  if (!packet.has_tag() || length < kAddressesLength || packet.room_before() < kVlanTagLength) return packet.frame;
  uint8_t* frame = packet.frame - kVlanTagLength;
  std::memmove(frame, packet.frame, kAddressesLength);
  const uint16_t tag[2] = {htons(packet.tpid()), htons(packet.tci())};
  std::memcpy(frame + kAddressesLength, tag, sizeof tag);
  return frame;
}

template <typename Packet>
void describe_packet(const Packet& packet, PacketRecord* record) {
  record->seconds = packet.seconds();
  record->nanoseconds = packet.nanoseconds();
  record->status = packet.status();
  record->rxhash = packet.rxhash();
  record->vlan = packet.tci() | static_cast<uint32_t>(packet.tpid()) << 16;
  record->meta = ntohs(packet.address->sll_protocol) | static_cast<uint32_t>(packet.address->sll_pkttype) << 16 |
                 static_cast<uint32_t>(packet.address->sll_halen) << 24;
  std::memcpy(&record->address_low, packet.address->sll_addr, sizeof(uint32_t));
  std::memcpy(&record->address_high, packet.address->sll_addr + sizeof(uint32_t), sizeof(uint32_t));
}

// Enters one packet as the next record. `place(frame, length)` says at which offset of the batch's bytes the frame
// lies, or ~0u when there is no room for it, which ends the batch: false.
template <typename Packet, typename Place>
bool enter_packet(const Packet& packet, const RingReader& reader, std::span<const sock_filter> filter,
                  PacketRecord* records, BatchCount* count, Place place) {
  uint32_t length = packet.length;
  if (!accepted(packet, reader, filter, &length)) {
    ++count->refiltered;
    return true;
  }
  if (reader.snap_len != 0) length = std::min(length, reader.snap_len);
  uint8_t* frame = insert_tag(packet, length);
  const uint32_t tag = frame == packet.frame ? 0 : kVlanTagLength;
  length += tag;
  PacketRecord* record = &records[count->packets];
  record->offset = place(frame, length);
  if (record->offset == ~0U) return false;
  record->length = length;
  record->original_length = packet.original_length() + tag;
  describe_packet(packet, record);
  ++count->packets;
  count->bytes += length;
  count->original_bytes += record->original_length;
  return true;
}

// The header's words that every batch has alike.
inline void describe_count(const BatchCount& count, uint64_t sequence, BatchHeader* out) {
  out->count = count.packets;
  out->byte_length = static_cast<uint32_t>(count.bytes);
  out->sequence_low = static_cast<uint32_t>(sequence);
  out->sequence_high = static_cast<uint32_t>(sequence >> 32);
  out->original_low = static_cast<uint32_t>(count.original_bytes);
  out->original_high = static_cast<uint32_t>(count.original_bytes >> 32);
  out->bytes_offset = 0;
  out->member = 0;
}

}  // namespace netring

#endif  // NETRING_CORE_RING_PACKET_H_
