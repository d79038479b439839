// The memory that frames of an AF_XDP queue are received into and sent from (UMEM), with the two rings that carry its
// frames to the kernel for receiving (fill ring) and back from sending (completion ring).
#ifndef NETRING_CORE_XDP_UMEM_H_
#define NETRING_CORE_XDP_UMEM_H_

#include <cstdint>
#include <memory>

#include "../resources.h"
#include "../result.h"
#include "frame_pool.h"
#include "rings.h"

namespace netring {

struct UmemGeometry {
  uint32_t frame_size = 0;  // chunk: 2048 or 4096
  uint32_t receiving = 0;   // frames 0 up to this one receive
  uint32_t sending = 0;     // the ones behind them send

  uint32_t frames() const { return receiving + sending; }
  size_t bytes() const { return static_cast<size_t>(frames()) * frame_size; }
};

// Receiving and sending have frames of their own: with one pool, receiving takes frame after frame until there is none
// left to send.
class Umem {
 public:
  // Registers memory and both rings on an AF_XDP socket that has none. Pins the memory.
  static Result<std::shared_ptr<Umem>> create(int fd, const UmemGeometry& geometry);
  Umem(const Umem&) = delete;
  Umem& operator=(const Umem&) = delete;

  const UmemGeometry& geometry() const { return geometry_; }
  // Shared with whoever looks at frames.
  const std::shared_ptr<Mapping>& memory() const { return memory_; }
  uint8_t* frame(uint32_t number) const { return memory_->data() + address(number); }
  uint64_t address(uint32_t number) const { return static_cast<uint64_t>(number) * geometry_.frame_size; }
  // The frame that an address points into; what the kernel says may be nonsense, so that it may be out of range.
  uint64_t frame_of(uint64_t address) const { return address / geometry_.frame_size; }

  // Gives every receiving frame to the kernel, for the first time.
  void fill_all();
  // Gives a frame that was received back to be received into. Not the kernel's before `submit_fill`.
  void refill(uint32_t frame);
  void submit_fill() { fill_.submit(); }
  bool fill_needs_wakeup() const { return fill_.needs_wakeup(); }
  void mark_received(uint32_t frame) { owners_.pass(frame, FrameOwner::kFilling, FrameOwner::kReceived); }

  // Takes back the frames that have been sent.
  void reap();
  // Frames free to be sent, as of the last `reap`.
  uint32_t free_frames() const { return pool_.size(); }
  uint32_t take_frame(FrameOwner owner);
  void give_back(uint32_t frame, FrameOwner owner);
  // A frame that has been sent, or that nobody will send any more.
  void end_sending(uint32_t frame) {
    give_back(frame, FrameOwner::kSending);
    --in_flight_;
  }
  // A slot's frame goes on its way.
  void mark_sending(uint32_t frame) {
    owners_.pass(frame, FrameOwner::kSlot, FrameOwner::kSending);
    ++in_flight_;
  }
  // Frames that the kernel has and has not given back.
  uint32_t in_flight() const { return in_flight_; }

 private:
  Umem(std::shared_ptr<Mapping> memory, const UmemGeometry& geometry);
  Status set_up_rings(int fd);

  std::shared_ptr<Mapping> memory_;
  UmemGeometry geometry_;
  FrameOwners owners_;
  FramePool pool_;
  uint32_t in_flight_ = 0;
  Mapping fill_memory_;
  Mapping completion_memory_;
  ProducerRing<uint64_t> fill_;
  ConsumerRing<uint64_t> completion_;
};

// Asks the kernel for a ring of at least `entries` and maps it. `option` is XDP_RX_RING and the like, `page_offset`
// its place for mmap, `part` its member of xdp_mmap_offsets.
template <typename Entry>
Result<Mapping> map_ring(int fd, int option, const char* name, uint64_t page_offset,
                         xdp_ring_offset xdp_mmap_offsets::*part, uint32_t entries, RingMemory<Entry>* ring);

extern template Result<Mapping> map_ring<uint64_t>(int, int, const char*, uint64_t, xdp_ring_offset xdp_mmap_offsets::*,
                                                   uint32_t, RingMemory<uint64_t>*);
extern template Result<Mapping> map_ring<xdp_desc>(int, int, const char*, uint64_t, xdp_ring_offset xdp_mmap_offsets::*,
                                                   uint32_t, RingMemory<xdp_desc>*);

}  // namespace netring

#endif  // NETRING_CORE_XDP_UMEM_H_
