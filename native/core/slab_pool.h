// Memory for owned batches. A fresh buffer for every block costs page faults and zeroing, 2 to 10 times the copy
// itself, so slabs go round.
#ifndef NETRING_CORE_SLAB_POOL_H_
#define NETRING_CORE_SLAB_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "counter.h"

namespace netring {

// Slabs of power-of-two sizes, so that a batch of a few packets does not pin a whole block's worth. Safe to use from
// several threads: slabs may come back in another one than that which took them.
class SlabPool {
 public:
  static constexpr size_t kSmallest = 4096;
  // Free slabs kept for reuse. The collector gives slabs back some dozens at a time; what is beyond goes back to the
  // system, so that a burst of hoarded batches does not stay in the process for ever.
  static constexpr size_t kMostFree = size_t{64} << 20;

  SlabPool() = default;
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  struct Slab {
    uint8_t* data = nullptr;
    size_t size = 0;
  };

  // Size of the slab that `take(bytes)` would give out.
  static size_t slab_size(size_t bytes);
  // A slab of at least `bytes`; data is null when the system has no memory.
  Slab take(size_t bytes);
  void give_back(Slab slab);
  // Frees the slabs that are not in use; those in use are freed as they come back.
  void close();

  size_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  // Times that whoever takes slabs came to find that it may not have another: counted there, by one thread.
  Counter stalls;

 private:
  static size_t class_of(size_t size);

  std::atomic<size_t> live_bytes_ = 0;
  // Over what follows.
  std::mutex mutex_;
  std::vector<std::vector<uint8_t*>> free_;
  size_t free_bytes_ = 0;
  bool closed_ = false;
};

}  // namespace netring

#endif  // NETRING_CORE_SLAB_POOL_H_
