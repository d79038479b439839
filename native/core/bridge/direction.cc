#include "direction.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "../clock.h"
#include "../vnet_header.h"

namespace netring {

namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// Batches of 250 KiB. A tap's are only copied, inline ones hold what is in flight: at 450,000 small frames a second 64
// last for 145 ms.
constexpr uint32_t kTapBatches = 32;
constexpr uint32_t kInlineBatches = 64;

// 01-80-C2-00-00-00 to -0F: what a bridge that follows IEEE 802.1Q (8.6.3) never forwards.
bool link_local(const uint8_t* frame) {
  constexpr uint8_t kPrefix[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
  return std::memcmp(frame, kPrefix, sizeof kPrefix) == 0 && frame[5] < 0x10;
}

}  // namespace

bool BridgeFilter::holds_back(const ReceivedFrame& frame, const LinkInfo& port) const {
  if (program.empty()) return false;
  FilterContext context;
  context.frame = {frame.frame(), frame.length};
  context.original_length = frame.original_length;
  context.network_offset = frame.network_offset;
  context.interface_index = static_cast<uint32_t>(port.index);
  context.link_type = port.link_type;
  context.protocol = frame.protocol;
  context.packet_type = frame.packet_type;
  context.vlan_present = frame.tagged;
  context.vlan_tci = frame.tci;
  context.vlan_tpid = frame.tpid;
  return (run_filter(program, context) != 0) == drops_matching;
}

Direction::Direction(Receiver* receiver, const LinkWatch* in, Sender* sender, const LinkWatch* out,
                     const DirectionConfig& config)
    : receiver_(receiver),
      in_(in),
      config_(config),
      transmitter_(sender, out, &counters_),
      tap_(BatchQueue::Kind::kCopied, kTapBatches),
      inline_(BatchQueue::Kind::kAnswered, kInlineBatches) {}

Direction::~Direction() { delete pending_.load(); }

Direction::Progress Direction::step(int64_t now_ns, uint32_t* moved) {
  *moved = 0;
  return audience_.is_inline ? step_inline(now_ns, moved) : step_forward(now_ns, moved);
}

// Frames go out of the ring's slots, which return to the kernel when all of the batch are sent.
Direction::Progress Direction::step_forward(int64_t now_ns, uint32_t* moved) {
  if (slots_ == 0) {
    take_new_filter();
    receiver_->relieve();
    uint32_t queued = 0;
    ReceivedFrame frame;
    while (slots_ < Transmitter::kBatch && receiver_->peek(slots_, &frame)) {
      if (frame.queued && queued == kQueuedFrames) break;
      ++slots_;
      count_received(frame);
      const bool was_queued = frame.queued;
      if (!accept(&frame, queued)) continue;
      if (was_queued) ++queued;
      if (transmitter_.add(frame.header, frame.frame(), frame.length) && audience_.tap_every != 0) tap(frame, now_ns);
    }
    taken_ += slots_;
    super_frames_ += queued;
    tap_.publish();
  }
  if (slots_ == 0) return Progress::kIdle;
  if (!transmitter_.flush()) return Progress::kBlocked;
  *moved = slots_;
  receiver_->release(slots_);
  slots_ = 0;
  return Progress::kMoved;
}

// Frames are copied out of the ring at once: however long the flow takes, the kernel has its slots.
Direction::Progress Direction::step_inline(int64_t now_ns, uint32_t* moved) {
  const bool sent = settle(now_ns, moved);
  take_new_filter();
  receiver_->relieve();
  uint32_t slots = 0;
  bool room = true;
  ReceivedFrame frame;
  while (slots < Transmitter::kBatch && receiver_->peek(slots, &frame)) {
    // Before anything is taken out of the socket's queue: that cannot be undone.
    room = inline_.reserve(std::min(frame.original_length + 4, kMostQueuedBytes), now_ns);
    if (!room) break;
    ++slots;
    count_received(frame);
    if (accept(&frame, 0) && !inline_.append(frame.record(), frame.frame(), frame.header)) counters_.errors.add(1);
  }
  taken_ += slots;
  inline_.publish();
  receiver_->release(slots);
  *moved += slots;
  if (!sent || !room) return Progress::kBlocked;
  return *moved == 0 ? Progress::kIdle : Progress::kMoved;
}

void Direction::count_received(const ReceivedFrame& frame) {
  counters_.received.add(1);
  counters_.bytes.add(frame.original_length);
}

// Makes `frame` what is to be sent: whole, and with its tag. False when it is not to be sent; that is counted.
bool Direction::accept(ReceivedFrame* frame, uint32_t memory) {
  if (frame->queued) {
    if (queue_memory_.empty()) queue_memory_.resize(size_t{kQueuedFrames} * kMostQueuedBytes);
    // The first four bytes are kept free for a tag.
    uint8_t* place = queue_memory_.data() + size_t{memory} * kMostQueuedBytes + 4;
    const uint32_t taken = receiver_->take_queued(place, kMostQueuedBytes - 4);
    frame->header = place;
    frame->length = taken > kVnetHeaderLength ? taken - kVnetHeaderLength : 0;
  }
  if (frame->length >= ETH_HLEN &&
      ((config_.drop_link_local && link_local(frame->frame())) || filter_->holds_back(*frame, in_->info()))) {
    counters_.filtered.add(1);
    return false;
  }
  if (frame->truncated) {
    counters_.kernel_drops.add(1);
    return false;
  }
  if (frame->length < ETH_HLEN) {
    counters_.errors.add(1);
    return false;
  }
  if (frame->tagged) {
    frame->header = insert_tag_with_header(frame->header, htons(frame->tpid), htons(frame->tci));
    frame->length += 4;
  }
  return true;
}

void Direction::tap(const ReceivedFrame& frame, int64_t now_ns) {
  if (--until_tapped_ != 0) return;
  until_tapped_ = audience_.tap_every;
  if (!tap_.reserve(frame.length, now_ns) || !tap_.append(frame.record(), frame.frame(), frame.header))
    counters_.tap_shed.add(1);
}

// Sends the batches that are answered or late, oldest first, a transmitter's worth at most. False when the port takes
// nothing at the moment.
bool Direction::settle(int64_t now_ns, uint32_t* moved) {
  for (;;) {
    if (!transmitter_.flush()) return false;
    if (*moved >= Transmitter::kBatch) return true;
    if (settling_ == nullptr) {
      const int64_t begun_ns =
          audience_.timeout_ns == kNever ? std::numeric_limits<int64_t>::min() : now_ns - audience_.timeout_ns;
      settling_ = inline_.settle(begun_ns);
      if (settling_ == nullptr) return true;
      next_frame_ = next_edit_ = 0;
      if (!settling_->answer) counters_.timed_out.add(settling_->frames.count());
    }
    const uint32_t count = settling_->frames.count();
    for (; next_frame_ < count && !transmitter_.full(); ++next_frame_, ++*moved) add_judged(*settling_, next_frame_);
    // The transmitter still points into the batch.
    if (!transmitter_.flush()) return false;
    if (next_frame_ < count) continue;
    inline_.finish();
    settling_ = nullptr;
  }
}

void Direction::add_judged(const BatchQueue::Batch& batch, uint32_t index) {
  Answer* answer = batch.answer.get();
  if (answer == nullptr ? !audience_.timeout_forwards : answer->forwards[index] == 0) {
    counters_.filtered.add(1);
    return;
  }
  if (answer != nullptr) {
    while (next_edit_ < answer->edits.size() && answer->edits[next_edit_].index < index) ++next_edit_;
    if (next_edit_ < answer->edits.size() && answer->edits[next_edit_].index == index) {
      const Answer::Edit& edit = answer->edits[next_edit_];
      transmitter_.add(edit.header.bytes(), answer->bytes.data() + edit.offset, edit.length);
      return;
    }
  }
  transmitter_.add(batch.frames.header(index), batch.frames.frame(index), batch.frames.length(index));
}

bool Direction::wants_waking(int64_t now_ns) {
  if (audience_.is_inline) return inline_.wants_waking(now_ns, 0);
  return audience_.tap_every != 0 && tap_.wants_waking(now_ns, config_.tap_gather_ns);
}

int64_t Direction::due_ns() {
  if (!audience_.is_inline) return audience_.tap_every == 0 ? kNever : tap_.wake_due_ns(config_.tap_gather_ns);
  const int64_t oldest = audience_.timeout_ns == kNever ? kNever : inline_.oldest_ns();
  return oldest == kNever ? kNever : oldest + audience_.timeout_ns;
}

void Direction::finish() {
  if (audience_.is_inline) {
    audience_.timeout_ns = 0;
    uint32_t moved = 0;
    do {
      moved = 0;
    } while (settle(kNever, &moved) && moved > 0);
    give_up_flight();
  }
  transmitter_.abandon();
  receiver_->release(slots_);
  slots_ = 0;
}

// What a blocked port has left with the flow.
void Direction::give_up_flight() {
  for (;;) {
    if (settling_ == nullptr) {
      settling_ = inline_.settle(kNever);
      if (settling_ == nullptr) return;
      next_frame_ = 0;
    }
    counters_.ring_full.add(settling_->frames.count() - next_frame_);
    inline_.finish();
    settling_ = nullptr;
  }
}

void Direction::set_audience(const Audience& audience) {
  counters_.tap_shed.add(tap_.clear());
  inline_.clear();
  // A frame must not be late because one before it is: it would be after an eighth of the time at the earliest.
  inline_.set_growth(audience.timeout_ns == kNever ? kNever : audience.timeout_ns / 8);
  audience_ = audience;
  until_tapped_ = 1;
  fruitless_looks_ = 0;
}

void Direction::stale(uint32_t count) {
  counters_.received.add(count);
  counters_.kernel_drops.add(count);
}

void Direction::read_kernel_counters() {
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  if (::getsockopt(receiver_->fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return;
  counters_.wire.add(statistics.tp_packets);
  counters_.received.add(statistics.tp_drops);
  counters_.kernel_drops.add(statistics.tp_drops);
  ReceivedFrame frame;
  const bool fruitless = statistics.tp_drops > 0 && taken_ == taken_at_look_ && !receiver_->peek(0, &frame);
  fruitless_looks_ = fruitless ? fruitless_looks_ + 1 : 0;
  taken_at_look_ = taken_;
}

void Direction::set_filter(std::unique_ptr<BridgeFilter> filter) {
  delete pending_.exchange(filter.release(), std::memory_order_acq_rel);
}

void Direction::take_new_filter() {
  if (filter_applied()) return;
  filter_.reset(pending_.exchange(nullptr, std::memory_order_acq_rel));
}

}  // namespace netring
