// Numbers that one thread counts and others look at.
#ifndef NETRING_CORE_COUNTER_H_
#define NETRING_CORE_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace netring {

// A counter with one writer, readable from any thread. Whoever sees a count sees all that was counted before it: of two
// counters, the one that is counted first is to be read last.
class Counter {
 public:
  void add(uint64_t count) { value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_release); }
  uint64_t get() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace netring

#endif  // NETRING_CORE_COUNTER_H_
