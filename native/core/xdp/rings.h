// The four rings between an AF_XDP socket and the kernel (Documentation/networking/af_xdp.rst, net/xdp/xsk_queue.h).
//
// Producer and consumer indices count up in 32 bits and wrap; an entry's place is its index modulo the ring's size, a
// power of two. Whoever produces writes entries first and the index with release; whoever consumes reads the index with
// acquire, the entries, and gives them back by a release store of its own index. Each side keeps a copy of both
// indices: the other side's lies on a cache line that the other processor writes.
#ifndef NETRING_CORE_XDP_RINGS_H_
#define NETRING_CORE_XDP_RINGS_H_

#include <linux/if_xdp.h>

#include <algorithm>
#include <cstdint>

#include "../atomics.h"

namespace netring {

// Where a ring's parts lie in its mapping.
template <typename Entry>
struct RingMemory {
  RingMemory() = default;
  RingMemory(uint8_t* memory, const xdp_ring_offset& offsets, uint32_t entry_count)
      : producer(reinterpret_cast<uint32_t*>(memory + offsets.producer)),
        consumer(reinterpret_cast<uint32_t*>(memory + offsets.consumer)),
        flags(reinterpret_cast<uint32_t*>(memory + offsets.flags)),
        entries(reinterpret_cast<Entry*>(memory + offsets.desc)),
        size(entry_count) {}

  Entry& at(uint32_t index) const { return entries[index & (size - 1)]; }

  uint32_t* producer = nullptr;
  uint32_t* consumer = nullptr;
  uint32_t* flags = nullptr;
  Entry* entries = nullptr;
  uint32_t size = 0;
};

// Fill ring (addresses of frames to receive into) and TX ring (frames to send).
template <typename Entry>
class ProducerRing {
 public:
  ProducerRing() = default;
  explicit ProducerRing(const RingMemory<Entry>& memory)
      : memory_(memory), next_(load_acquire(memory.producer)), taken_(load_acquire(memory.consumer)) {}

  uint32_t size() const { return memory_.size; }

  // Entries that `put` may be called for.
  uint32_t room() {
    taken_ = load_acquire(memory_.consumer);
    return size() - std::min(next_ - taken_, size());
  }
  // Not the kernel's before `submit`.
  void put(const Entry& entry) { memory_.at(next_++) = entry; }
  void submit() { store_release(memory_.producer, next_); }

  // Entries that the kernel has not consumed.
  uint32_t waiting() {
    taken_ = load_acquire(memory_.consumer);
    return std::min(next_ - taken_, size());
  }
  // The `place`th last entry that was put.
  const Entry& last(uint32_t place) const { return memory_.at(next_ - 1 - place); }
  // Asked after `submit`: a driver raises the flag and then looks at the ring once more, so that the store before must
  // not be overtaken by this load.
  bool needs_wakeup() const {
    __sync_synchronize();
    return (load_acquire(memory_.flags) & XDP_RING_NEED_WAKEUP) != 0;
  }

 private:
  RingMemory<Entry> memory_;
  uint32_t next_ = 0;
  uint32_t taken_ = 0;
};

// RX ring (received frames) and completion ring (addresses of frames that have been sent).
template <typename Entry>
class ConsumerRing {
 public:
  ConsumerRing() = default;
  explicit ConsumerRing(const RingMemory<Entry>& memory)
      : memory_(memory), next_(load_acquire(memory.consumer)), filled_(load_acquire(memory.producer)) {}

  uint32_t size() const { return memory_.size; }

  // Entries there are to read, at least `wanted` of them if there are so many: the kernel's index is only looked at
  // when the last look does not answer.
  uint32_t available(uint32_t wanted) {
    if (filled_ - next_ < wanted) filled_ = load_acquire(memory_.producer);
    return std::min(filled_ - next_, size());
  }
  const Entry& at(uint32_t place) const { return memory_.at(next_ + place); }
  void release(uint32_t count) {
    next_ += count;
    store_release(memory_.consumer, next_);
  }

 private:
  RingMemory<Entry> memory_;
  uint32_t next_ = 0;
  uint32_t filled_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_XDP_RINGS_H_
