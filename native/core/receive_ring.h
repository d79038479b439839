// The memory in which a capture receives: blocks that the kernel fills and hands over (block_ring.h), or slots of one
// frame each (slot_ring.h).
#ifndef NETRING_CORE_RECEIVE_RING_H_
#define NETRING_CORE_RECEIVE_RING_H_

#include <linux/filter.h>
#include <linux/if_packet.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "packet_index.h"
#include "resources.h"
#include "result.h"
#include "ring_packet.h"

namespace netring {

// The batch that would be read next; no packets: there is none.
struct WaitingBatch {
  uint32_t packets = 0;   // at most
  size_t slab_bytes = 0;  // header, records and frames of a copy, at most
};

// Where the frames of a lent batch lie. Whoever looks at them shares the memory, so that what a reader has carried away
// stays safe to touch.
struct LentBatch {
  std::shared_ptr<Mapping> memory;
  size_t offset = 0;
  size_t length = 0;
};

class ReceiveRing {
 public:
  virtual ~ReceiveRing() = default;

  uint32_t block_size() const { return request_.tp_block_size; }
  uint32_t block_count() const { return request_.tp_block_nr; }
  uint32_t frame_size() const { return request_.tp_frame_size; }

  // Longest time a received packet is held back, in ms.
  virtual uint32_t timeout_ms() const = 0;
  // Most packets of a batch.
  virtual uint32_t most_packets() const = 0;
  virtual WaitingBatch waiting() = 0;
  // Copies the batch that `waiting` has just told of, its frames one after the other to `bytes`, and gives its memory
  // back to the kernel. No packets: the filter has left none of them.
  virtual BatchCount copy(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                          uint8_t* bytes, uint32_t capacity) = 0;
  // Lends the batch that `waiting` has just told of, until `release`; at once when the filter has left none of it.
  virtual BatchCount lend(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                          LentBatch* out) = 0;
  virtual void release() = 0;
  // Has the packets that an earlier filter may have let in judged by this one as they are read (bpf.h, `judge_of`).
  virtual void refilter(std::vector<sock_filter> program) = 0;
  // The kernel has a filter from now on that cannot be run here. What `refilter` is to judge and has come, still is.
  virtual void forget_filter() = 0;
  // A reader that has carried memory away keeps the socket alive.
  virtual bool outlives_socket() const = 0;

 protected:
  tpacket_req3 request_{};
};

// Asks for a ring (`request` as far as its version has fields) and maps it. For want of memory it becomes smaller, at
// most to a quarter, with a warning: blocks are physically contiguous, and a smaller ring is better than none.
Result<Mapping> map_receive_ring(int fd, tpacket_req3* request, size_t request_size,
                                 std::vector<std::string>* warnings);

}  // namespace netring

#endif  // NETRING_CORE_RECEIVE_RING_H_
