// The receiving side of a bridge port: a TPACKET_V2 ring, whose slots are readable one by one. A TPACKET_V3 block is
// not before it is full or its timer has run out, and that timer would be the latency of the wire (0.9 ms of round trip
// at a timeout of 1 ms, 0.13 with V2).
#ifndef NETRING_CORE_BRIDGE_RECEIVER_H_
#define NETRING_CORE_BRIDGE_RECEIVER_H_

#include <linux/if_packet.h>

#include <cstdint>
#include <string>
#include <vector>

#include "../bpf.h"
#include "../packet_index.h"
#include "../resources.h"
#include "../result.h"
#include "backlog.h"

namespace netring {

struct ReceiverConfig {
  uint32_t block_size = 0;
  uint32_t block_count = 0;
  // Longer frames are handed over through the socket's queue.
  uint32_t frame_size = 0;
  bool promiscuous = false;
};

// A frame in its slot, with the virtio_net header before it; bounds are checked.
struct ReceivedFrame {
  const tpacket2_hdr* slot = nullptr;
  const sockaddr_ll* address = nullptr;
  uint8_t* header = nullptr;
  uint32_t length = 0;  // of the frame alone, as it lies in the slot
  uint32_t original_length = 0;
  // The slot holds only the beginning; all of it waits in the socket's queue.
  bool queued = false;
  // The beginning is all there is: the queue had no room.
  bool truncated = false;
  bool tagged = false;
  uint16_t tci = 0;
  uint16_t tpid = 0;
  uint16_t protocol = 0;
  uint8_t packet_type = 0;
  uint32_t network_offset = 0;

  uint8_t* frame() const;
  // As it would be sent: `length` bytes, whatever it was on the wire.
  PacketRecord record() const;
};

class Receiver {
 public:
  // Opens and binds; frames are received from here on.
  static Result<Receiver> open(int ifindex, const ReceiverConfig& config, std::vector<std::string>* warnings);

  int fd() const { return socket_.get(); }
  uint32_t slot_count() const { return request_.tp_frame_nr; }

  // When the ring is half full, or has been: copies slots to the backlog and gives them back to the kernel. While what
  // was peeked at is not released, it must not be called.
  void relieve();
  // Whether the slot `ahead` of the oldest one holds a frame; `ahead` is 0, or at most one more than the last time. A
  // frame whose offsets lead outside the slot has length 0. While there is a backlog, only that is seen.
  bool peek(uint32_t ahead, ReceivedFrame* out) const;
  // Gives the `count` oldest slots back.
  void release(uint32_t count);
  // Takes the oldest frame of the socket's queue, with its virtio_net header, into `buffer`. Returns its bytes, 0 for
  // none.
  uint32_t take_queued(uint8_t* buffer, uint32_t capacity);
  // Throws away all that has been received. Returns the number of frames.
  uint32_t discard();

 private:
  explicit Receiver(UniqueFd socket) : socket_(std::move(socket)) {}
  Status set_up_ring(const ReceiverConfig& config, std::vector<std::string>* warnings);
  tpacket2_hdr* slot(uint32_t ahead) const;
  bool filled(uint32_t ahead) const;
  void prefetch(uint32_t ahead) const;
  void read(tpacket2_hdr* slot, ReceivedFrame* out) const;
  bool stow(tpacket2_hdr* slot);
  void release_ring(uint32_t count);

  // The mapping goes before the socket: until then the kernel keeps filling it.
  UniqueFd socket_;
  Mapping ring_;
  tpacket_req3 request_{};
  uint32_t per_block_ = 1;
  uint32_t cursor_ = 0;
  Backlog backlog_{0};
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_RECEIVER_H_
