#include "slab_pool.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace netring {

SlabPool::~SlabPool() { close(); }

size_t SlabPool::slab_size(size_t bytes) { return std::bit_ceil(std::max(bytes, kSmallest)); }

size_t SlabPool::class_of(size_t size) {
  return static_cast<size_t>(std::countr_zero(size) - std::countr_zero(kSmallest));
}

SlabPool::Slab SlabPool::take(size_t bytes) {
  const size_t size = slab_size(bytes);
  const size_t index = class_of(size);
  Slab slab;
  slab.size = size;
  {
    const std::lock_guard lock(mutex_);
    if (free_.size() <= index) free_.resize(index + 1);
    if (!free_[index].empty()) {
      slab.data = free_[index].back();
      free_[index].pop_back();
      free_bytes_ -= size;
    }
  }
  if (slab.data == nullptr) slab.data = static_cast<uint8_t*>(std::aligned_alloc(kSmallest, size));
  if (slab.data == nullptr) return {};
  live_bytes_.fetch_add(size, std::memory_order_relaxed);
  return slab;
}

void SlabPool::give_back(Slab slab) {
  live_bytes_.fetch_sub(slab.size, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    if (!closed_ && free_bytes_ + slab.size <= kMostFree) {
      free_[class_of(slab.size)].push_back(slab.data);
      free_bytes_ += slab.size;
      return;
    }
  }
  std::free(slab.data);
}

void SlabPool::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (auto& slabs : free_) {
    for (uint8_t* slab : slabs) std::free(slab);
    slabs.clear();
  }
  free_bytes_ = 0;
}

}  // namespace netring
