// Batches on their way between the engine and JavaScript, played through on one thread.
#include "../core/batches/batch_queue.h"

#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include "../core/bridge/inline_edit.h"
#include "check.h"

namespace netring::test {

namespace {

using Kind = BatchQueue::Kind;
constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

// A frame of `length` bytes behind its virtio_net header.
struct Frame {
  explicit Frame(uint32_t length, uint8_t fill = 0) : bytes(kVnetHeaderLength + length, fill) {
    record.length = record.original_length = length;
    record.seconds = 7;
    record.nanoseconds = 8;
  }
  const uint8_t* header() const { return bytes.data(); }
  const uint8_t* frame() const { return bytes.data() + kVnetHeaderLength; }
  std::vector<uint8_t> bytes;
  PacketRecord record{};
};

bool put(BatchQueue& queue, const Frame& frame, int64_t now = 0) {
  return queue.reserve(frame.record.length, now) && queue.append(frame.record, frame.frame(), frame.header());
}

uint64_t take(BatchQueue& queue) {
  BatchQueue::Batch* batch = queue.take();
  if (batch == nullptr) return UINT64_MAX;
  const uint64_t sequence = batch->sequence;
  queue.taken(batch);
  return sequence;
}

std::unique_ptr<Answer> drop(uint32_t frames) {
  auto answer = std::make_unique<Answer>();
  answer->forwards.assign(frames, 0);
  return answer;
}

void grows_until_it_is_taken() {
  BatchQueue queue(Kind::kCopied, 4);
  for (int i = 0; i < 10; ++i) {
    EXPECT(put(queue, Frame(100)));
    queue.publish();
  }
  BatchQueue::Batch* batch = queue.take();
  if (!EXPECT(batch != nullptr)) return;
  EXPECT_EQ(batch->frames.count(), 10U);
  // What comes while it is copied goes to the next one.
  EXPECT(put(queue, Frame(100)));
  queue.publish();
  EXPECT_EQ(batch->frames.count(), 10U);
  queue.taken(batch);
  EXPECT_EQ(take(queue), 1U);
  EXPECT(queue.take() == nullptr);
}

void ends_when_all_batches_are_out() {
  BatchQueue queue(Kind::kCopied, 2);
  const Frame large(65'000);
  int frames = 0;
  while (put(queue, large)) ++frames;
  queue.publish();
  EXPECT_EQ(frames, 6);
  EXPECT_EQ(take(queue), 0U);
  EXPECT(put(queue, large));
  queue.publish();
  EXPECT_EQ(queue.clear(), 4U);
}

void refuses_a_frame_longer_than_was_reserved() {
  BatchQueue queue(Kind::kCopied, 1);
  EXPECT(queue.reserve(100, 0));
  const Frame huge(FrameBatch::kMostBytes + 1);
  EXPECT(!queue.append(huge.record, huge.frame(), huge.header()));
  EXPECT(!put(queue, huge));
}

void holds_no_more_than_its_frames() {
  BatchQueue queue(Kind::kCopied, 2);
  for (uint32_t i = 0; i < FrameBatch::kMostFrames + 1; ++i) EXPECT(put(queue, Frame(14)));
  queue.publish();
  BatchQueue::Batch* batch = queue.take();
  EXPECT_EQ(batch->frames.count(), FrameBatch::kMostFrames);
  queue.taken(batch);
}

void packs_what_packet_index_says() {
  FrameBatch batch;
  EXPECT(batch.reset());
  const Frame first(60, 1);
  const Frame second(61, 2);
  batch.append(first.record, first.frame(), first.header());
  batch.append(second.record, second.frame(), second.header());
  std::vector<uint8_t> slab(batch.packed_size());
  batch.pack(slab.data(), 0x1'0000'0005);
  BatchHeader header{};
  std::memcpy(&header, slab.data(), sizeof header);
  EXPECT_EQ(header.count, 2U);
  EXPECT_EQ(header.byte_length, 121U);
  EXPECT_EQ(header.sequence_low, 5U);
  EXPECT_EQ(header.sequence_high, 1U);
  EXPECT_EQ(header.last_nanoseconds, 8U);
  PacketRecord record{};
  std::memcpy(&record, slab.data() + sizeof header + sizeof record, sizeof record);
  EXPECT_EQ(record.offset, 60U);
  EXPECT_EQ(record.length, 61U);
  EXPECT_EQ(slab.size(), header.bytes_offset + 121U);
  EXPECT_EQ(slab.back(), 2U);
}

void forgets_room_that_nothing_was_put_into() {
  BatchQueue queue(Kind::kAnswered, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT(queue.reserve(60, 0));
    queue.publish();
    EXPECT(!queue.wants_waking(100, 0));
    EXPECT(queue.take() == nullptr);
    EXPECT(queue.settle(kAll) == nullptr);
  }
}

void grows_only_for_so_long() {
  BatchQueue queue(Kind::kAnswered, 2);
  queue.set_growth(10);
  EXPECT(put(queue, Frame(60), 100));
  queue.publish();
  EXPECT(put(queue, Frame(60), 110));
  queue.publish();
  EXPECT(put(queue, Frame(60), 111));
  queue.publish();
  BatchQueue::Batch* batch = queue.take();
  EXPECT_EQ(batch->frames.count(), 2U);
  queue.put_back(batch);
  EXPECT_EQ(take(queue), 0U);
  EXPECT_EQ(take(queue), 1U);
}

void wakes_once_until_nothing_is_left() {
  BatchQueue queue(Kind::kCopied, 4);
  EXPECT(!queue.wants_waking(100, 10));
  EXPECT(put(queue, Frame(60), 100));
  EXPECT(!queue.wants_waking(100, 0));
  queue.publish();
  EXPECT(!queue.wants_waking(105, 10));
  EXPECT_EQ(queue.wake_due_ns(10), 110);
  EXPECT(queue.wants_waking(110, 10));
  EXPECT(!queue.wants_waking(120, 10));
  EXPECT_EQ(queue.wake_due_ns(10), kAll);
  EXPECT_EQ(take(queue), 0U);
  EXPECT(put(queue, Frame(60), 130));
  queue.publish();
  // The other side has not found it empty yet: it looks again by itself.
  EXPECT(!queue.wants_waking(200, 10));
  EXPECT_EQ(take(queue), 1U);
  EXPECT(queue.take() == nullptr);
  EXPECT(put(queue, Frame(60), 300));
  queue.publish();
  EXPECT(queue.wants_waking(310, 10));
}

void settles_in_order_however_the_answers_come() {
  BatchQueue queue(Kind::kAnswered, 4);
  for (int i = 0; i < 2; ++i) {
    EXPECT(put(queue, Frame(60)));
    queue.publish();
    EXPECT_EQ(take(queue), static_cast<uint64_t>(i));
  }
  EXPECT(queue.answer(queue.hold(1), drop(1)));
  EXPECT(queue.settle(-1) == nullptr);
  EXPECT(queue.answer(queue.hold(0), drop(1)));
  EXPECT(queue.hold(0) == nullptr);
  for (uint64_t i = 0; i < 2; ++i) {
    BatchQueue::Batch* batch = queue.settle(-1);
    if (!EXPECT(batch != nullptr)) return;
    EXPECT_EQ(batch->sequence, i);
    EXPECT(batch->answer != nullptr);
    queue.finish();
  }
  EXPECT(queue.settle(kAll) == nullptr);
}

void an_answer_that_is_being_read_when_the_time_is_up_is_late() {
  BatchQueue queue(Kind::kAnswered, 1);
  EXPECT(put(queue, Frame(60), 50));
  queue.publish();
  EXPECT_EQ(take(queue), 0U);
  EXPECT_EQ(queue.oldest_ns(), 50);
  EXPECT(queue.settle(49) == nullptr);
  BatchQueue::Batch* held = queue.hold(0);
  EXPECT(queue.settle(50) == held);
  queue.finish();
  // Still read by the other side: not to be used again yet.
  EXPECT(!put(queue, Frame(60)));
  EXPECT(!queue.answer(held, drop(1)));
  EXPECT(put(queue, Frame(60)));
  queue.publish();
  EXPECT_EQ(take(queue), 1U);
}

void a_batch_that_nobody_took_is_settled_too() {
  BatchQueue queue(Kind::kAnswered, 1);
  EXPECT(put(queue, Frame(60), 50));
  queue.publish();
  EXPECT(queue.settle(50) != nullptr);
  EXPECT(queue.take() == nullptr);
  EXPECT(queue.hold(0) == nullptr);
  queue.finish();
  EXPECT(put(queue, Frame(60)));
}

void edits_of_super_frames_stay_super_frames() {
  // TCP over IPv4, 20 bytes of payload.
  std::array<uint8_t, 74> frame{};
  frame[12] = 0x08;
  frame[14] = 0x45;
  frame[17] = 60;
  frame[23] = 6;
  frame[46] = 0x50;
  VnetHeader header;
  header.flags = VnetHeader::kNeedsChecksum;
  header.gso_type = VnetHeader::kTcpV4;
  header.gso_size = 1448;
  EXPECT(finish_edit(&header, frame));
  EXPECT_EQ(header.gso_type, VnetHeader::kTcpV4);
  EXPECT_EQ(header.csum_start, 34U);
  EXPECT_EQ(header.csum_offset, 16U);
  EXPECT(!is_plain(header.bytes()));
  // No TCP any more: nobody could cut it.
  frame[23] = 1;
  EXPECT(!finish_edit(&header, frame));
  // Nor when it has become one of another kind.
  frame[23] = 17;
  EXPECT(!finish_edit(&header, frame));
  // The checksum of a message in a tunnel stays the egress's.
  frame[23] = 47;
  VnetHeader inner;
  inner.flags = VnetHeader::kNeedsChecksum;
  inner.csum_start = 60;
  inner.csum_offset = 6;
  EXPECT(finish_edit(&inner, frame));
  EXPECT_EQ(inner.flags, VnetHeader::kNeedsChecksum);
  // And one without segments is finished here.
  frame[23] = 6;
  header = {};
  header.flags = VnetHeader::kNeedsChecksum;
  EXPECT(finish_edit(&header, frame));
  EXPECT(is_plain(header.bytes()));
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"grows_until_it_is_taken", grows_until_it_is_taken},
      {"ends_when_all_batches_are_out", ends_when_all_batches_are_out},
      {"refuses_a_frame_longer_than_was_reserved", refuses_a_frame_longer_than_was_reserved},
      {"holds_no_more_than_its_frames", holds_no_more_than_its_frames},
      {"packs_what_packet_index_says", packs_what_packet_index_says},
      {"forgets_room_that_nothing_was_put_into", forgets_room_that_nothing_was_put_into},
      {"grows_only_for_so_long", grows_only_for_so_long},
      {"wakes_once_until_nothing_is_left", wakes_once_until_nothing_is_left},
      {"settles_in_order_however_the_answers_come", settles_in_order_however_the_answers_come},
      {"an_answer_that_is_being_read_when_the_time_is_up_is_late",
       an_answer_that_is_being_read_when_the_time_is_up_is_late},
      {"a_batch_that_nobody_took_is_settled_too", a_batch_that_nobody_took_is_settled_too},
      {"edits_of_super_frames_stay_super_frames", edits_of_super_frames_stay_super_frames},
  });
}
