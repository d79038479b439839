// Slots that have been copied out of a ring, packed: a small frame takes 160 bytes here instead of a whole slot of
// 2 KiB and more. With it a burst of small frames meets a ring as deep as one of TPACKET_V3 would be, whose latency a
// wire cannot have.
#ifndef NETRING_CORE_BRIDGE_BACKLOG_H_
#define NETRING_CORE_BRIDGE_BACKLOG_H_

#include <cstddef>
#include <cstdint>

#include "../resources.h"

namespace netring {

class Backlog {
 public:
  // Memory is taken with the first slot, and touched as slots come.
  explicit Backlog(size_t capacity) : capacity_(capacity) {}

  bool empty() const { return count_ == 0; }
  uint32_t count() const { return count_; }
  // Room for a slot of `size` bytes behind the last one, aligned as in a ring; null when there is none. With `push` it
  // belongs to the backlog.
  uint8_t* reserve(uint32_t size);
  void push(uint32_t size);
  // The slot `ahead` of the oldest one, null behind the last. `ahead` is 0, or at most one more than the last time.
  uint8_t* at(uint32_t ahead) const;
  // Forgets the `count` oldest ones.
  void pop(uint32_t count);

 private:
  struct Entry;
  size_t next(size_t offset) const;

  Mapping memory_;
  size_t capacity_;
  uint32_t count_ = 0;
  size_t head_ = 0;
  size_t tail_ = 0;
  // Where the entries before the wrap end; the rest stand at the beginning of the memory.
  size_t end_ = 0;
  // The memory that has been touched.
  size_t used_ = 0;
  // The last slot that was looked at.
  mutable uint32_t looked_ahead_ = 0;
  mutable size_t looked_at_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_BACKLOG_H_
