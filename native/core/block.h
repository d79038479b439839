// A retired block of a TPACKET_V3 ring, read into records. Everything the ring says is checked against the block before
// it is used: a wrong offset ends the walk, it never leads outside.
#ifndef NETRING_CORE_BLOCK_H_
#define NETRING_CORE_BLOCK_H_

#include <linux/filter.h>
#include <linux/if_packet.h>

#include <cstdint>
#include <span>

#include "packet_index.h"

namespace netring {

// Bytes the kernel leaves free before each frame (PACKET_RESERVE), in which the VLAN tag it stripped is put back.
inline constexpr uint32_t kVlanTagLength = 4;

// Fewest bytes that a packet takes of a block: tpacket3_hdr and sockaddr_ll, aligned, and the link-layer header's
// place. No record is longer, which is why a slab as large as the block always holds the batch.
inline constexpr uint32_t kLeastPacketFootprint = 80;

struct BlockReader {
  uint32_t snap_len = 0;  // 0: no truncation
  uint32_t interface_index = 0;
  uint32_t link_type = 0;
  // Set while the ring may hold packets that an earlier filter has let in.
  std::span<const sock_filter> refilter;
};

struct BlockCount {
  uint32_t packets = 0;
  uint32_t refiltered = 0;
  uint64_t original_bytes = 0;
};

// Number of packets a block claims to hold, no more than fit into it.
uint32_t packets_in_block(const tpacket_block_desc* block, uint32_t block_size);

// Fills `header` and `records` (room for `packets_in_block`), offsets counted from the block's begin. Re-inserts
// stripped VLAN tags in the ring itself, so a block is read once only.
BlockCount index_block(uint8_t* block, uint32_t block_size, const BlockReader& reader, BatchHeader* header,
                       PacketRecord* records);

// The same, with the frames copied one after the other to `bytes` (`capacity` bytes) and offsets counted from there.
BlockCount copy_block(uint8_t* block, uint32_t block_size, const BlockReader& reader, BatchHeader* header,
                      PacketRecord* records, uint8_t* bytes, uint32_t capacity);

}  // namespace netring

#endif  // NETRING_CORE_BLOCK_H_
