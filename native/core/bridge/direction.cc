#include "direction.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cstring>

#include "../clock.h"
#include "vnet_header.h"

namespace netring {

namespace {

// How long frames wait in the ring for a port that takes none, before they are dropped one by one: a queue that has no
// room for so long is not a queue but a fault.
constexpr int64_t kMostBlockedNs = 100'000'000;

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

Direction::Direction(Receiver* receiver, const LinkWatch* in, const Sender* sender, const LinkWatch* out,
                     bool drop_link_local)
    : receiver_(receiver), in_(in), sender_(sender), out_(out), drop_link_local_(drop_link_local) {
  for (uint32_t i = 0; i < kBatch; ++i) {
    messages_[i].msg_hdr.msg_iov = &parts_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
}

Direction::~Direction() { delete pending_.load(); }

Direction::Progress Direction::step(uint32_t* moved) {
  *moved = 0;
  if (slots_ == 0) fill();
  if (slots_ == 0) return Progress::kIdle;
  if (!flush()) return Progress::kBlocked;
  *moved = slots_;
  receiver_->release(slots_);
  slots_ = 0;
  return Progress::kMoved;
}

void Direction::fill() {
  take_new_filter();
  count_ = next_ = queued_ = 0;
  uint64_t bytes = 0;
  ReceivedFrame frame;
  while (slots_ < kBatch && receiver_->peek(slots_, &frame)) {
    if (frame.queued && queued_ == kQueuedFrames) break;
    ++slots_;
    bytes += frame.original_length;
    if (prepare(frame)) ++count_;
  }
  counters_.received.add(slots_);
  counters_.bytes.add(bytes);
}

// Puts the frame into the batch, or counts why it is not.
bool Direction::prepare(const ReceivedFrame& frame) {
  uint8_t* header = frame.header;
  uint32_t length = frame.length;
  const bool held_back = length >= ETH_HLEN &&
                         ((drop_link_local_ && link_local(frame.frame())) || filter_->holds_back(frame, in_->info()));
  if (frame.queued) {
    if (queue_memory_.empty()) queue_memory_.resize(size_t{kQueuedFrames} * kMostQueuedBytes);
    uint8_t* memory = queue_memory_.data() + size_t{queued_} * kMostQueuedBytes;
    // The first four bytes are kept free for a tag.
    const uint32_t taken = receiver_->take_queued(memory + 4, kMostQueuedBytes - 4);
    header = memory + 4;
    length = taken > kVnetHeaderLength ? taken - kVnetHeaderLength : 0;
  }
  if (held_back) {
    counters_.filtered.add(1);
    return false;
  }
  if (frame.truncated) {
    counters_.kernel_drops.add(1);
    return false;
  }
  if (length < ETH_HLEN) {
    counters_.errors.add(1);
    return false;
  }
  if (frame.queued) ++queued_;
  if (frame.tagged) {
    header = insert_tag_with_header(header, htons(frame.tpid), htons(frame.tci));
    length += 4;
  }
  if (!link_takes(FrameLimit{out_->info().mtu}, header, header + kVnetHeaderLength, length)) {
    counters_.too_large.add(1);
    return false;
  }
  const bool plain = is_plain(header);
  plain_[count_] = plain;
  parts_[count_] = plain ? iovec{header + kVnetHeaderLength, length} : iovec{header, kVnetHeaderLength + length};
  return true;
}

// False when the other port takes nothing at the moment.
bool Direction::flush() {
  while (next_ < count_) {
    // Without a carrier the kernel accepts every frame and drops it in silence.
    if (out_->gone() || !out_->info().up()) {
      drop_rest(&counters_.errors);
      break;
    }
    const int socket = (plain_[next_] ? sender_->plain : sender_->with_header).get();
    const int taken = ::sendmmsg(socket, &messages_[next_], end_of_run() - next_, MSG_DONTWAIT);
    if (taken > 0) {
      counters_.forwarded.add(static_cast<uint64_t>(taken));
      next_ += static_cast<uint32_t>(taken);
      blocked_since_ns_ = 0;
      continue;
    }
    switch (errno) {
      case EINTR:
        break;
      case EMSGSIZE:
        counters_.too_large.add(1);
        ++next_;
        break;
      case EAGAIN:
      case ENOBUFS: {
        const int64_t now = monotonic_ns();
        if (blocked_since_ns_ == 0) blocked_since_ns_ = now;
        if (now - blocked_since_ns_ < kMostBlockedNs) return false;
        counters_.ring_full.add(1);
        ++next_;
        break;
      }
      default:
        counters_.errors.add(1);
        ++next_;
    }
  }
  blocked_since_ns_ = 0;
  return true;
}

void Direction::abandon() {
  drop_rest(&counters_.ring_full);
  receiver_->release(slots_);
  slots_ = 0;
  blocked_since_ns_ = 0;
}

// Frames from the next one on that go out by the same socket: their order is kept.
uint32_t Direction::end_of_run() const {
  uint32_t end = next_ + 1;
  while (end < count_ && plain_[end] == plain_[next_]) ++end;
  return end;
}

void Direction::drop_rest(Counter* counter) {
  counter->add(count_ - next_);
  next_ = count_;
}

void Direction::stale(uint32_t count) {
  counters_.received.add(count);
  counters_.kernel_drops.add(count);
}

void Direction::read_kernel_counters() {
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  if (::getsockopt(receiver_->fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return;
  counters_.received.add(statistics.tp_drops);
  counters_.kernel_drops.add(statistics.tp_drops);
}

void Direction::set_filter(std::unique_ptr<BridgeFilter> filter) {
  delete pending_.exchange(filter.release(), std::memory_order_acq_rel);
}

void Direction::take_new_filter() {
  if (filter_applied()) return;
  filter_.reset(pending_.exchange(nullptr, std::memory_order_acq_rel));
}

}  // namespace netring
