#include "backlog.h"

#include <linux/if_packet.h>

#include <algorithm>

namespace netring {

// Stands before each slot.
struct Backlog::Entry {
  alignas(TPACKET_ALIGNMENT) uint32_t size;  // of both
};

namespace {

// What is kept when a long backlog has been worked off.
constexpr size_t kKept = 1 << 20;

}  // namespace

uint8_t* Backlog::reserve(uint32_t size) {
  if (memory_.data() == nullptr) {
    void* memory =
        ::mmap(nullptr, capacity_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    memory_ = Mapping(static_cast<uint8_t*>(memory), capacity_);
  }
  const size_t needed = sizeof(Entry) + TPACKET_ALIGN(size);
  const bool wrapped = tail_ < head_ || (tail_ == head_ && count_ > 0);
  if (wrapped ? needed > head_ - tail_ : needed > capacity_ - tail_) {
    if (wrapped || needed > head_) return nullptr;
    end_ = tail_;
    tail_ = 0;
  }
  return memory_.data() + tail_ + sizeof(Entry);
}

void Backlog::push(uint32_t size) {
  auto* entry = reinterpret_cast<Entry*>(memory_.data() + tail_);
  entry->size = static_cast<uint32_t>(sizeof(Entry) + TPACKET_ALIGN(size));
  tail_ += entry->size;
  if (tail_ > head_) end_ = tail_;
  used_ = std::max(used_, tail_);
  ++count_;
}

size_t Backlog::next(size_t offset) const {
  const size_t after = offset + reinterpret_cast<const Entry*>(memory_.data() + offset)->size;
  return after == end_ ? 0 : after;
}

uint8_t* Backlog::at(uint32_t ahead) const {
  if (ahead >= count_) return nullptr;
  if (ahead == 0) {
    looked_at_ = head_;
  } else if (ahead != looked_ahead_) {
    looked_at_ = next(looked_at_);
  }
  looked_ahead_ = ahead;
  return memory_.data() + looked_at_ + sizeof(Entry);
}

void Backlog::pop(uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) head_ = next(head_);
  count_ -= count;
  if (count_ > 0) return;
  head_ = tail_ = end_ = 0;
  // A burst is no reason to hold its memory until the next one.
  if (used_ > kKept) ::madvise(memory_.data() + kKept, memory_.size() - kKept, MADV_DONTNEED);
  used_ = 0;
}

}  // namespace netring
