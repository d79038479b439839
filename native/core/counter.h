// Numbers that one thread counts and others look at.
#ifndef NETRING_CORE_COUNTER_H_
#define NETRING_CORE_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace netring {

// A counter with one writer, readable from any thread.
class Counter {
 public:
  void add(uint64_t count) { value_.store(get() + count, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace netring

#endif  // NETRING_CORE_COUNTER_H_
