// XS: the indices alone pass entries between this process and the kernel, past their wrap at 2^32. A second thread
// plays the kernel; the thread sanitizer judges.
#include <memory>
#include <thread>
#include <vector>

#include "../core/xdp/rings.h"
#include "check.h"

namespace netring::test {
namespace {

constexpr uint32_t kSize = 8;
constexpr uint32_t kEntries = 50'000;
// Both indices wrap on the way.
constexpr uint32_t kStart = UINT32_MAX - kEntries / 2;

struct RingOfWords {
  RingOfWords() { words[0] = words[8] = kStart; }

  RingMemory<uint64_t> memory() {
    const xdp_ring_offset offsets = {0, 8 * sizeof(uint32_t), 32 * sizeof(uint32_t), 16 * sizeof(uint32_t)};
    return {reinterpret_cast<uint8_t*>(words), offsets, kSize};
  }

  alignas(uint64_t) uint32_t words[32 + 2 * kSize] = {};
};

void entries_pass_from_producer_to_consumer() {
  RingOfWords ring;
  std::thread kernel([&ring] {
    ConsumerRing<uint64_t> consumer(ring.memory());
    for (uint32_t next = 0; next < kEntries;) {
      const uint32_t count = consumer.available(1);
      for (uint32_t i = 0; i < count; ++i) {
        if (consumer.at(i) != next + i) std::abort();
      }
      if (count == 0) std::this_thread::yield();
      consumer.release(count);
      next += count;
    }
  });
  ProducerRing<uint64_t> producer(ring.memory());
  for (uint32_t next = 0; next < kEntries;) {
    const uint32_t room = std::min(producer.room(), kEntries - next);
    EXPECT(room <= kSize);
    if (room == 0) std::this_thread::yield();
    for (uint32_t i = 0; i < room; ++i) producer.put(next++);
    producer.submit();
  }
  kernel.join();
  EXPECT_EQ(producer.waiting(), 0U);
  EXPECT_EQ(producer.room(), kSize);
}

void an_entry_is_not_seen_before_it_is_submitted() {
  RingOfWords ring;
  ProducerRing<uint64_t> producer(ring.memory());
  ConsumerRing<uint64_t> consumer(ring.memory());
  producer.put(1);
  producer.put(2);
  EXPECT_EQ(consumer.available(1), 0U);
  EXPECT_EQ(producer.room(), kSize - 2);
  producer.submit();
  EXPECT_EQ(consumer.available(1), 2U);
  EXPECT_EQ(producer.last(0), 2U);
  EXPECT_EQ(producer.last(1), 1U);
  consumer.release(1);
  EXPECT_EQ(producer.waiting(), 1U);
  EXPECT_EQ(consumer.at(0), 2U);
}

// An index from a kernel (or a memory) gone wrong must not lead out of the ring.
void counts_never_exceed_the_ring() {
  RingOfWords ring;
  ConsumerRing<uint64_t> consumer(ring.memory());
  ring.words[0] = kStart + 1000;
  EXPECT_EQ(consumer.available(1), kSize);
  ProducerRing<uint64_t> producer(ring.memory());
  EXPECT_EQ(producer.waiting(), kSize);
  EXPECT_EQ(producer.room(), 0U);
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({{"entries_pass_from_producer_to_consumer", entries_pass_from_producer_to_consumer},
                  {"an_entry_is_not_seen_before_it_is_submitted", an_entry_is_not_seen_before_it_is_submitted},
                  {"counts_never_exceed_the_ring", counts_never_exceed_the_ring}});
}
