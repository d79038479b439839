// The layout in which packets cross to JavaScript: one header and one record a packet, all 32-bit words. Mirrored in
// src/native/.
#ifndef NETRING_CORE_PACKET_INDEX_H_
#define NETRING_CORE_PACKET_INDEX_H_

#include <cstdint>

namespace netring {

struct PacketRecord {
  uint32_t offset;           // of the frame in the batch's bytes
  uint32_t length;           // captured, a re-inserted VLAN tag included
  uint32_t original_length;  // on the wire, a re-inserted VLAN tag included
  uint32_t seconds;
  uint32_t nanoseconds;
  uint32_t status;  // the kernel's tp_status bits
  uint32_t rxhash;
  uint32_t vlan;  // tci | tpid << 16
  uint32_t meta;  // protocol | pkttype << 16 | address length << 24
  uint32_t address_low;
  uint32_t address_high;
};
static_assert(sizeof(PacketRecord) == 11 * sizeof(uint32_t));

struct BatchHeader {
  uint32_t count;
  uint32_t byte_length;
  uint32_t sequence_low;
  uint32_t sequence_high;
  uint32_t first_seconds;
  uint32_t first_nanoseconds;
  uint32_t last_seconds;
  uint32_t last_nanoseconds;
  uint32_t flags;
  uint32_t original_low;
  uint32_t original_high;
  uint32_t bytes_offset;
  uint32_t member;  // of a capture group
  uint32_t reserved[3];

  static constexpr uint32_t kTimedOut = 1;
};
static_assert(sizeof(BatchHeader) == 16 * sizeof(uint32_t));

}  // namespace netring

#endif  // NETRING_CORE_PACKET_INDEX_H_
