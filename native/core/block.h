// A retired block of a TPACKET_V3 ring, read into records. Everything the ring says is checked against the block before
// it is used: a wrong offset ends the walk, it never leads outside.
#ifndef NETRING_CORE_BLOCK_H_
#define NETRING_CORE_BLOCK_H_

#include <linux/if_packet.h>

#include <cstdint>

#include "packet_index.h"
#include "ring_packet.h"

namespace netring {

// Fewest bytes that a packet takes of a block: tpacket3_hdr and sockaddr_ll, aligned, and the link-layer header's
// place. No record is longer, which is why a slab as large as the block always holds the batch.
inline constexpr uint32_t kLeastPacketFootprint = 80;

// Number of packets a block claims to hold, no more than fit into it.
uint32_t packets_in_block(const tpacket_block_desc* block, uint32_t block_size);

// Fills `header` and `records` (room for `packets_in_block`), offsets counted from the block's begin. Re-inserts
// stripped VLAN tags in the ring itself, so a block is read once only.
BatchCount index_block(uint8_t* block, uint32_t block_size, const RingReader& reader, BatchHeader* header,
                       PacketRecord* records);

// The same, with the frames copied one after the other to `bytes` (`capacity` bytes) and offsets counted from there.
BatchCount copy_block(uint8_t* block, uint32_t block_size, const RingReader& reader, BatchHeader* header,
                      PacketRecord* records, uint8_t* bytes, uint32_t capacity);

}  // namespace netring

#endif  // NETRING_CORE_BLOCK_H_
