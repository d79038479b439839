// A PACKET_TX_RING with TPACKET_V2 headers.
//
// V2, because V1's status word is as long as the kernel's `unsigned long`, and V3 gains nothing for sending but a
// header in another layout. The kernel takes slots strictly in order and waits at the first one that is not ready, so
// there is one cursor: a slot that was handed out and not sent is the next one handed out.
#ifndef NETRING_CORE_TX_RING_H_
#define NETRING_CORE_TX_RING_H_

#include <linux/if_packet.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "frame_limit.h"
#include "resources.h"
#include "result.h"

namespace netring {

// Slots never cross a block: a block is the next power of two of a slot or a page, and the number of slots is rounded
// up to whole blocks. tp_block_nr is 0 when the ring would be too large to describe.
tpacket_req tx_geometry(uint32_t frame_size, uint32_t frame_count, uint32_t page_size);

class TxRing {
 public:
  // Data begins where the kernel expects it without PACKET_TX_HAS_OFF: tp_hdrlen - sizeof(sockaddr_ll).
  static constexpr uint32_t kDataOffset = TPACKET_ALIGN(sizeof(tpacket2_hdr));

  // `fd` is a packet socket that has no ring yet. A ring that does not fit into memory is made smaller, with a warning.
  static Result<TxRing> set_up(int fd, uint32_t frame_size, uint32_t frame_count, std::vector<std::string>* warnings);
  TxRing(std::shared_ptr<Mapping> memory, const tpacket_req& geometry);

  const std::shared_ptr<Mapping>& memory() const { return memory_; }
  uint32_t frame_count() const { return geometry_.tp_frame_nr; }
  uint32_t frame_capacity() const { return geometry_.tp_frame_size - kDataOffset; }
  // Where a slot's frame stands in the mapping.
  size_t data_offset(uint32_t slot) const { return slot_offset(slot) + kDataOffset; }

  // The slot that the next `commit` sends, or -1 when the ring is full. Does not advance.
  int64_t allocate() const;
  uint8_t* data(uint32_t slot) const { return memory_->data() + data_offset(slot); }
  // Marks the slot of `allocate` for sending and advances.
  void commit(uint32_t length);

  // Walks over the slots that the kernel has taken since the last call. A frame that does not fit the link (any more)
  // is one the kernel has skipped: with PACKET_LOSS such a slot looks like one that was sent.
  struct Taken {
    uint32_t sent = 0;
    uint64_t bytes = 0;
    uint32_t refused = 0;
  };
  Taken reap(const FrameLimit& limit);
  // Slots marked for sending that `reap` has not seen leave.
  uint32_t unsent() const { return unsent_; }

  // Slots that are marked for sending or that the kernel is sending, and those that are free: the whole ring is looked
  // at.
  uint32_t count_pending() const;
  uint32_t count_available() const;

 private:
  size_t slot_offset(uint32_t slot) const;
  tpacket2_hdr* header(uint32_t slot) const;
  uint32_t after(uint32_t slot) const { return slot + 1 == geometry_.tp_frame_nr ? 0 : slot + 1; }

  std::shared_ptr<Mapping> memory_;
  tpacket_req geometry_;
  uint32_t frames_per_block_;
  uint32_t next_ = 0;    // handed out next
  uint32_t oldest_ = 0;  // oldest one not known to be taken
  uint32_t unsent_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_TX_RING_H_
