// Packets on their way from a channel's reader to JavaScript, played through on one thread.
#include "../core/channel/packet_queue.h"

#include <vector>

#include "check.h"

namespace netring::test {

namespace {

constexpr double kPlenty = 1 << 30;

bool put(PacketQueue& queue, uint32_t length, uint8_t fill = 0) {
  const std::vector<uint8_t> frame(length, fill);
  PacketRecord record{};
  record.offset = 77;
  record.length = length;
  record.original_length = length + 1;
  return queue.append(record, frame.data());
}

uint32_t take(PacketQueue& queue) {
  PacketQueue::Batch* batch = queue.take();
  if (batch == nullptr) return 0;
  const uint32_t packets = batch->packets;
  queue.taken(batch);
  return packets;
}

void grows_until_it_is_taken() {
  PacketQueue queue(kPlenty);
  for (int i = 0; i < 10; ++i) {
    EXPECT(put(queue, 100, static_cast<uint8_t>(i)));
    (void)queue.publish();
  }
  PacketQueue::Batch* batch = queue.take();
  if (!EXPECT(batch != nullptr)) return;
  EXPECT_EQ(batch->packets, 10U);
  EXPECT_EQ(batch->bytes, 1000U);
  for (uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(batch->records[i].offset, i * 100);
    EXPECT_EQ(batch->slab.data[batch->records[i].offset], i);
  }
  // What comes while it is read goes to the next one.
  EXPECT(put(queue, 100));
  (void)queue.publish();
  EXPECT_EQ(batch->packets, 10U);
  queue.taken(batch);
  EXPECT_EQ(take(queue), 1U);
}

void what_is_being_filled_is_not_taken() {
  PacketQueue queue(kPlenty);
  EXPECT(put(queue, 100));
  EXPECT_EQ(take(queue), 0U);
  (void)queue.publish();
  EXPECT(put(queue, 100));
  EXPECT_EQ(take(queue), 0U);
  (void)queue.publish();
  EXPECT_EQ(take(queue), 2U);
}

void wakes_once_who_has_found_nothing() {
  PacketQueue queue(kPlenty);
  EXPECT(!queue.publish());
  EXPECT(put(queue, 100));
  EXPECT(queue.publish());
  EXPECT(put(queue, 100));
  EXPECT(!queue.publish());
  EXPECT_EQ(take(queue), 2U);
  EXPECT(put(queue, 100));
  EXPECT(!queue.publish());
  EXPECT_EQ(take(queue), 1U);
  EXPECT_EQ(take(queue), 0U);
  EXPECT(put(queue, 100));
  EXPECT(queue.publish());
}

void is_bounded_in_packets_and_bytes() {
  PacketQueue queue(0);
  uint32_t packets = 0;
  while (put(queue, 60)) ++packets;
  (void)queue.publish();
  // Two batches are the least.
  EXPECT_EQ(packets, 2 * PacketQueue::kMostPackets);
  EXPECT_EQ(take(queue), PacketQueue::kMostPackets);
  while (put(queue, 1500)) ++packets;
  EXPECT_EQ(packets, 2 * PacketQueue::kMostPackets + uint32_t{PacketQueue::kSlabBytes / 1500});
}

void a_long_frame_has_a_slab_of_its_size() {
  PacketQueue queue(kPlenty);
  const auto longer = static_cast<uint32_t>(PacketQueue::kSlabBytes + 1);
  EXPECT(put(queue, 60));
  EXPECT(put(queue, longer, 9));
  EXPECT(put(queue, 60));
  (void)queue.publish();
  EXPECT_EQ(take(queue), 1U);
  PacketQueue::Batch* batch = queue.take();
  if (!EXPECT(batch != nullptr)) return;
  EXPECT_EQ(batch->packets, 2U);
  EXPECT_EQ(batch->slab.size, 2 * PacketQueue::kSlabBytes);
  EXPECT_EQ(batch->slab.data[longer - 1], 9);
  queue.taken(batch);
  // The batch is used again, with more memory than it had.
  EXPECT(put(queue, 4 * longer));
}

void slabs_that_were_taken_out_are_counted_and_outlive_the_queue() {
  std::vector<SlabPool::Slab> kept;
  std::shared_ptr<SlabPool> pool;
  {
    PacketQueue queue(kPlenty);
    pool = queue.pool();
    for (int round = 0; round < 3; ++round) {
      EXPECT(put(queue, 1000, static_cast<uint8_t>(round)));
      (void)queue.publish();
      PacketQueue::Batch* batch = queue.take();
      if (!EXPECT(batch != nullptr)) return;
      kept.push_back(batch->slab);
      batch->slab.data = nullptr;
      queue.taken(batch);
      EXPECT_EQ(queue.bytes_out(), kept.size() * PacketQueue::kSlabBytes);
    }
    pool->give_back(kept.back());
    kept.pop_back();
    EXPECT_EQ(queue.bytes_out(), 2 * PacketQueue::kSlabBytes);
    // Left in the queue, and half filled.
    for (int i = 0; i < 300; ++i) EXPECT(put(queue, 1000));
  }
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i].data[999], i);
  for (const SlabPool::Slab& slab : kept) pool->give_back(slab);
  EXPECT_EQ(pool->live_bytes(), size_t{0});
}

void a_burst_is_not_kept() {
  PacketQueue queue(kPlenty);
  for (int i = 0; i < 200; ++i) EXPECT(put(queue, PacketQueue::kSlabBytes));
  (void)queue.publish();
  uint32_t packets = 0;
  for (uint32_t count = take(queue); count > 0; count = take(queue)) packets += count;
  EXPECT_EQ(packets, 200U);
  EXPECT(queue.pool()->live_bytes() <= 64 * PacketQueue::kSlabBytes);
  EXPECT_EQ(queue.bytes_out(), size_t{0});
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"grows_until_it_is_taken", grows_until_it_is_taken},
      {"what_is_being_filled_is_not_taken", what_is_being_filled_is_not_taken},
      {"wakes_once_who_has_found_nothing", wakes_once_who_has_found_nothing},
      {"is_bounded_in_packets_and_bytes", is_bounded_in_packets_and_bytes},
      {"a_long_frame_has_a_slab_of_its_size", a_long_frame_has_a_slab_of_its_size},
      {"slabs_that_were_taken_out_are_counted_and_outlive_the_queue",
       slabs_that_were_taken_out_are_counted_and_outlive_the_queue},
      {"a_burst_is_not_kept", a_burst_is_not_kept},
  });
}
