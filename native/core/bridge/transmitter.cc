#include "transmitter.h"

#include <linux/if_packet.h>

#include <cerrno>

#include "../clock.h"
#include "../packet_socket.h"
#include "../vnet_header.h"

namespace netring {

namespace {

// How long frames wait for a port that takes none, before they are dropped one by one: a queue that has no room for so
// long is not a queue but a fault.
constexpr int64_t kMostBlockedNs = 100'000'000;

}  // namespace

Transmitter::Transmitter(Sender* sender, const LinkWatch* out, DirectionCounters* counters)
    : sender_(sender), out_(out), counters_(counters) {}

bool Transmitter::add(const uint8_t* header, uint8_t* frame, uint32_t length) {
  if (!link_takes(FrameLimit{out_->info().mtu}, header, frame, length)) {
    counters_->too_large.add(1);
    return false;
  }
  const bool plain = is_plain(header);
  plain_[count_] = plain;
  parts_[count_] = {iovec{const_cast<uint8_t*>(header), kVnetHeaderLength}, iovec{frame, length}};
  msghdr& message = messages_[count_].msg_hdr;
  message.msg_iov = &parts_[count_][plain ? 1 : 0];
  message.msg_iovlen = plain ? 1 : 2;
  ++count_;
  return true;
}

bool Transmitter::flush() {
  while (next_ < count_) {
    // Without a carrier the kernel accepts every frame and drops it in silence.
    if (out_->gone() || !out_->info().up()) {
      drop_rest(&counters_->errors);
      break;
    }
    const int socket = (plain_[next_] ? sender_->plain : sender_->with_header).get();
    const int taken = ::sendmmsg(socket, &messages_[next_], end_of_run() - next_, MSG_DONTWAIT);
    if (taken > 0) {
      count_forwarded(static_cast<uint32_t>(taken));
      blocked_since_ns_ = 0;
    } else if (!refused(errno)) {
      return false;
    }
  }
  next_ = count_ = 0;
  blocked_since_ns_ = 0;
  return true;
}

void Transmitter::count_forwarded(uint32_t taken) {
  uint64_t bytes = 0;
  for (const uint32_t end = next_ + taken; next_ < end; ++next_) bytes += parts_[next_][1].iov_len;
  counters_->forwarded.add(taken);
  counters_->forwarded_bytes.add(bytes);
}

// Deals with the refusal of the next frame. False when it has to wait.
bool Transmitter::refused(int error) {
  switch (error) {
    case EINTR:
      return true;
    case EMSGSIZE:
      counters_->too_large.add(1);
      break;
    case EAGAIN:
    case ENOBUFS: {
      if (error == ENOBUFS && !plain_[next_] && stop_bypass()) return true;
      const int64_t now = monotonic_ns();
      if (blocked_since_ns_ == 0) blocked_since_ns_ = now;
      if (now - blocked_since_ns_ < kMostBlockedNs) return false;
      counters_->ring_full.add(1);
      break;
    }
    default:
      counters_->errors.add(1);
  }
  ++next_;
  return true;
}

// __dev_direct_xmit drops, with ENOBUFS, every super-frame that the kernel has to cut because the device cannot. Both
// sockets then take the way through the queueing discipline: one alone would reorder frames. True when they did not
// yet.
bool Transmitter::stop_bypass() {
  if (!sender_->qdisc_bypass) return false;
  sender_->qdisc_bypass = false;
  for (const UniqueFd* socket : {&sender_->plain, &sender_->with_header}) {
    if (!set_option(socket->get(), SOL_PACKET, PACKET_QDISC_BYPASS, 0, "PACKET_QDISC_BYPASS").ok()) return false;
  }
  return true;
}

void Transmitter::abandon() {
  drop_rest(&counters_->ring_full);
  next_ = count_ = 0;
  blocked_since_ns_ = 0;
}

// Frames from the next one on that go out by the same socket: their order is kept.
uint32_t Transmitter::end_of_run() const {
  uint32_t end = next_ + 1;
  while (end < count_ && plain_[end] == plain_[next_]) ++end;
  return end;
}

void Transmitter::drop_rest(Counter* counter) {
  counter->add(count_ - next_);
  next_ = count_;
}

}  // namespace netring
