// The sending half of a queue.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "../checksum.h"
#include "queue.h"

namespace netring {

namespace {

// Frames put into the TX ring before a kick. In copy mode a kick takes 32 of them (TX_BATCH_SIZE), and frames that come
// back at once are still in the cache when they are used again.
constexpr uint32_t kChunk = 32;

}  // namespace

int64_t XdpQueue::allocate() {
  if (slot_ < 0 && free_frames() > 0) slot_ = umem_->take_frame(FrameOwner::kSlot);
  return slot_;
}

void XdpQueue::commit(uint32_t length) {
  const auto frame = static_cast<uint32_t>(slot_);
  umem_->mark_sending(frame);
  tx_.put({umem_->address(frame), length, 0});
  slot_ = -1;
  ++unreported_;
  unreported_bytes_ += length;
  ++sent_;
  sent_bytes_ += length;
}

uint32_t XdpQueue::free_frames() {
  umem_->reap();
  return umem_->free_frames();
}

int XdpQueue::kick() {
  if (tx_.size() == 0) return 0;
  tx_.submit();
  uint32_t waiting = tx_.waiting();
  // Kernels before 6.17 tell how far they have come only once nothing is left: so often they may seem to stand still.
  uint32_t unseen = waiting / kChunk + 1;
  while (waiting > 0) {
    if (need_wakeup_ && !tx_.needs_wakeup()) return 0;
    const bool failed = ::sendto(socket_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) < 0;
    const int error = failed ? errno : 0;
    // The driver has been woken and takes the frames in its own time.
    if (zero_copy_ && error == 0) return 0;
    const uint32_t before = std::exchange(waiting, tx_.waiting());
    // One frame has met a full queue of the device (NET_XMIT_DROP); the others are still there.
    if (error == EBUSY) ++send_errors_;
    if (waiting < before || error == EINTR || error == EBUSY) continue;
    // The completion ring has no room before it is read.
    umem_->reap();
    if (error == EAGAIN && unseen-- > 0) continue;
    // ENXIO: a driver whose queue has lost its program. An interface that is gone is the link's to tell.
    if (error == ENXIO) return EIO;
    return error == 0 ? EAGAIN : error;
  }
  return 0;
}

SendResult XdpQueue::flush() {
  SendResult result;
  result.error = kick();
  // What is submitted the driver takes by itself in zero-copy mode.
  const uint32_t left = tx_.size() == 0 || zero_copy_ ? 0 : std::min(tx_.waiting(), unreported_);
  result.sent = unreported_ - left;
  result.consumed = result.sent;
  uint64_t bytes_left = 0;
  for (uint32_t i = 0; i < left; ++i) bytes_left += tx_.last(i).len;
  result.bytes = unreported_bytes_ - bytes_left;
  unreported_ = left;
  unreported_bytes_ = bytes_left;
  return result;
}

SendResult XdpQueue::send(const FrameSource& frames, uint32_t first, uint32_t end, const FrameLimit& limit) {
  SendResult result;
  result.error = kick();
  for (uint32_t next = first; next < end && result.error == 0;) {
    const uint32_t room = std::min({free_frames(), kChunk, end - next});
    if (room == 0) {
      result.error = EAGAIN;
      break;
    }
    next = put(frames, next, next + room, limit, &result);
    result.error = kick();
  }
  return result;
}

// Copies frames into the TX ring and skips those that the link does not take. Returns the place behind the last one.
uint32_t XdpQueue::put(const FrameSource& frames, uint32_t first, uint32_t end, const FrameLimit& limit,
                       SendResult* result) {
  const uint32_t frame_size = umem_->geometry().frame_size;
  for (uint32_t place = first; place < end; ++place) {
    const Frame frame = frames.at(place);
    ++result->consumed;
    if (frame.length > frame_size || !limit.takes(frame.data, frame.length)) {
      if (result->rejected++ == 0) {
        result->first_rejected = place;
        result->first_rejected_length = frame.length;
      }
      continue;
    }
    const uint32_t number = umem_->take_frame(FrameOwner::kSending);
    uint8_t* data = umem_->frame(number);
    std::memcpy(data, frame.data, frame.length);
    if (frame.complete) complete_checksum({data, frame.length});
    tx_.put({umem_->address(number), frame.length, 0});
    ++result->sent;
    result->bytes += frame.length;
    ++sent_;
    sent_bytes_ += frame.length;
  }
  return end;
}

}  // namespace netring
