// Whose a frame of a UMEM is. A frame in two rings at once is a frame whose bytes change under a reader's hand, and the
// kernel does not notice; so every frame has one owner at a time, and debug builds check it.
#ifndef NETRING_CORE_XDP_FRAME_POOL_H_
#define NETRING_CORE_XDP_FRAME_POOL_H_

#include <cstdint>
#include <vector>

#ifdef DEBUG
#include <cstdlib>
#endif

namespace netring {

enum class FrameOwner : uint8_t {
  kPool,      // free to be sent
  kSlot,      // handed out to be filled
  kSending,   // in the TX ring, the device or the completion ring
  kFilling,   // in the fill ring, or being received into
  kReceived,  // in the RX ring, or read by a batch
};

// The owner of every frame; costs nothing in release builds.
class FrameOwners {
 public:
#ifdef DEBUG
  FrameOwners(uint32_t receiving, uint32_t sending) {
    owners_.resize(receiving, FrameOwner::kReceived);
    owners_.resize(receiving + sending, FrameOwner::kPool);
  }
  // Ends the process when the frame is not `from`'s.
  void pass(uint32_t frame, FrameOwner from, FrameOwner to) {
    if (frame >= owners_.size() || owners_[frame] != from) std::abort();
    owners_[frame] = to;
  }

 private:
  std::vector<FrameOwner> owners_;
#else
  FrameOwners(uint32_t /*receiving*/, uint32_t /*sending*/) {}
  void pass(uint32_t /*frame*/, FrameOwner /*from*/, FrameOwner /*to*/) {}
#endif
};

// Frames free to be sent, the one that came back last first: it is the likeliest to be in a cache.
class FramePool {
 public:
  FramePool(uint32_t first, uint32_t count) {
    free_.reserve(count);
    for (uint32_t frame = first + count; frame-- > first;) free_.push_back(frame);
  }

  uint32_t size() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t take() {
    const uint32_t frame = free_.back();
    free_.pop_back();
    return frame;
  }
  void give_back(uint32_t frame) { free_.push_back(frame); }

 private:
  std::vector<uint32_t> free_;
};

}  // namespace netring

#endif  // NETRING_CORE_XDP_FRAME_POOL_H_
