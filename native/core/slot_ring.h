// A TPACKET_V2 ring: every frame has a slot, which can be read at once. It is what a capture with latency immediate
// receives into.
//
// The other way to have frames as they come is the socket's queue and recvmmsg. `npm run bench -- latency`, Linux 6.18,
// two CPUs, both in C: they are as fast (median age at 4,903 frames a second 27 us, recvmmsg 31) and cost the same. But
// 16 MiB of ring need no privilege, as the queue does beyond rmem_max, and hold more: as a queue they are some 5,000
// small frames with what the kernel reckons around each, and of 600,000 at 200,000 a second recvmmsg lost 18,000 to
// 66,000, the ring none.
//
// Frames longer than a slot come through the queue all the same (PACKET_COPY_THRESH), one datagram for each slot that
// says so. What the queue has no room for is dropped and counted: half a frame is none.
//
// A busy loop must lose no more here than with blocks, into which the kernel packs 116,000 frames of 64 bytes to 16
// MiB. So the slots are small where the queue may be large, which takes CAP_NET_ADMIN (or rmem_max): then there are
// 65,000 of them, and 14,000 frames of 1500 bytes fit into the queue (10,000 into blocks).
#ifndef NETRING_CORE_SLOT_RING_H_
#define NETRING_CORE_SLOT_RING_H_

#include "receive_ring.h"

namespace netring {

struct SlotRingConfig {
  uint32_t block_size = 0;
  uint32_t block_count = 0;
  uint32_t frame_size = 0;  // of a slot, at most
  uint32_t snap_len = 0;    // shorter than a slot: so are the slots, and there are more of them
  bool own_queue = false;   // the size of the queue has been set by the user, who then decides on the slots too
  std::span<const sock_filter> filter;
};

class SlotRing final : public ReceiveRing {
 public:
  // Bounds of a batch, so that one call cannot take as long as it likes. A longer frame is a batch by itself.
  static constexpr uint32_t kMostPackets = 1024;
  static constexpr uint32_t kMostBytes = 256 * 1024;
  // Longest frame that is read from the queue: super-frames have 64 KiB, with BIG TCP up to 512.
  static constexpr uint32_t kLongestFrame = 1 << 20;

  static Result<std::unique_ptr<ReceiveRing>> open(int fd, SlotRingConfig config, std::vector<std::string>* warnings);
  // `fd` is where long frames are read from, `memory` the slots; `lent` takes the frames of lent batches.
  SlotRing(int fd, const tpacket_req3& request, Mapping memory, Mapping lent, std::span<const sock_filter> filter);

  uint32_t timeout_ms() const override { return 0; }
  uint32_t most_packets() const override { return kMostPackets; }
  WaitingBatch waiting() override;
  BatchCount copy(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                  uint8_t* bytes, uint32_t capacity) override;
  // A copy as well, in memory of its own: the slots are not side by side, so that lending them would mean lending the
  // whole ring, and V8 would reckon with its size for every batch of one frame.
  BatchCount lend(RingReader reader, const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records,
                  LentBatch* out) override;
  void release() override {}
  void refilter(std::vector<sock_filter> program) override;
  void forget_filter() override;
  bool outlives_socket() const override { return false; }

 private:
  tpacket2_hdr* slot(uint32_t ahead) const;
  bool filled(uint32_t ahead) const;
  void prefetch(uint32_t ahead) const;
  uint32_t longest(const tpacket2_hdr& header) const;
  uint32_t take_queued(uint8_t* buffer, uint32_t capacity) const;

  int fd_;
  Mapping memory_;
  uint32_t slots_ = 0;
  uint32_t per_block_ = 1;
  uint32_t cursor_ = 0;
  uint64_t sequence_ = 0;
  std::vector<sock_filter> filter_;
  uint32_t refilter_slots_ = 0;
  // Whether `filter_` judges what the kernel's filter lets in.
  bool filter_known_ = true;
  std::shared_ptr<Mapping> lent_;
};

}  // namespace netring

#endif  // NETRING_CORE_SLOT_RING_H_
