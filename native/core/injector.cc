#include "injector.h"

#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>

#include "checksum.h"
#include "packet_socket.h"

namespace netring {

namespace {

// Two sockets, because sendmmsg from the caller's memory is faster than the ring (659 against 591 thousand frames a
// second on a veth pair), and a socket that has a ring sends from nothing else.
Result<UniqueFd> open_sender(const InjectorConfig& config) {
  Result<UniqueFd> socket = open_packet_socket();
  if (!socket.ok()) return socket;
  if (config.qdisc_bypass) {
    const Status status = set_option(socket->get(), SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS");
    if (!status.ok()) return status;
  }
  return socket;
}

}  // namespace

Result<std::unique_ptr<Injector>> Injector::open(const InjectorConfig& config) {
  Result<LinkWatch> link = LinkWatch::open(config.interface);
  if (!link.ok()) return link.status();
  const int index = link->info().index;
  Result<UniqueFd> ring_socket = open_sender(config);
  if (!ring_socket.ok()) return ring_socket.status();
  Result<UniqueFd> batch_socket = open_sender(config);
  if (!batch_socket.ok()) return batch_socket.status();
  std::vector<std::string> warnings;
  Result<TxRing> ring = TxRing::set_up(ring_socket->get(), config.frame_size, config.frame_count, &warnings);
  if (!ring.ok()) return ring.status();
  // Protocol 0: with any other one both sockets would receive a copy of all traffic.
  if (const Status status = bind_packet_socket(ring_socket->get(), index, 0); !status.ok()) return status;
  if (const Status status = bind_packet_socket(batch_socket->get(), index, 0); !status.ok()) return status;
  return std::unique_ptr<Injector>(new Injector(std::move(*link), std::move(*ring_socket), std::move(*batch_socket),
                                                std::move(*ring), std::move(warnings)));
}

Injector::Injector(LinkWatch link, UniqueFd ring_socket, UniqueFd batch_socket, TxRing ring,
                   std::vector<std::string> warnings)
    : link_(std::move(link)),
      ring_socket_(std::move(ring_socket)),
      batch_socket_(std::move(batch_socket)),
      ring_(std::move(ring)),
      warnings_(std::move(warnings)) {}

uint32_t Injector::in_flight_bytes() const {
  uint32_t sum = 0;
  for (const int fd : {ring_socket_.get(), batch_socket_.get()}) {
    int bytes = 0;
    if (::ioctl(fd, SIOCOUTQ, &bytes) == 0) sum += static_cast<uint32_t>(bytes);
  }
  return sum;
}

bool Injector::commit(uint32_t slot, uint32_t length) {
  ++accepted_;
  if (!fits(slot, length)) {
    ++rejected_;
    return false;
  }
  ring_.commit(length);
  return true;
}

void Injector::reap() {
  // A slot that the kernel skipped is known by its length alone, so the limit must be the one it was judged by.
  const TxRing::Taken taken = ring_.reap(FrameLimit{link_.current_mtu()});
  unreported_.sent += taken.sent;
  unreported_.bytes += taken.bytes;
  unreported_.refused += taken.refused;
  sent_ += taken.sent;
  bytes_ += taken.bytes;
  rejected_ += taken.refused;
}

InjectorTotals Injector::totals() {
  reap();
  return {accepted_, sent_, bytes_, rejected_, ring_.unsent()};
}

// Returns the errno for which frames are left, 0 when none is.
int Injector::drain_ring() {
  reap();
  while (ring_.unsent() > 0) {
    if (const int error = link_.send_error(); error != 0) return error;
    const uint32_t before = ring_.unsent();
    const ssize_t kicked = ::sendto(ring_socket_.get(), nullptr, 0, MSG_DONTWAIT, nullptr, 0);
    const int error = kicked < 0 ? errno : 0;
    reap();
    // An error may come after some frames have gone; as long as there is progress the next call tells the same again.
    if (ring_.unsent() < before || error == EINTR) continue;
    return error == 0 ? EAGAIN : error;
  }
  return 0;
}

SendResult Injector::flush() {
  SendResult result;
  result.error = drain_ring();
  result.sent = unreported_.sent;
  result.rejected = unreported_.refused;
  result.consumed = unreported_.sent + unreported_.refused;
  result.bytes = unreported_.bytes;
  unreported_ = {};
  return result;
}

SendResult Injector::send(const FrameSource& frames, uint32_t first, uint32_t end) {
  SendResult result;
  // Nothing to send cannot fail.
  if (first == end) return result;
  result.error = link_.send_error();
  if (result.error == 0) result.error = drain_ring();
  uint32_t next = first;
  while (next < end && result.error == 0) {
    const uint32_t begin = next;
    const uint32_t count = fill_chunk(frames, begin, end, &next);
    if (count > 0) {
      send_chunk(count, first, &result);
    } else {
      reject(first, frames.at(begin).length, &result);
      ++next;
    }
  }
  accepted_ += result.consumed;
  sent_ += result.sent;
  bytes_ += result.bytes;
  return result;
}

// Prepares the frames from `first` on up to one that the link does not take, or as many as a chunk holds.
uint32_t Injector::fill_chunk(const FrameSource& frames, uint32_t first, uint32_t end, uint32_t* next) {
  const FrameLimit fits = limit();
  size_t used = 0;
  uint32_t count = 0;
  for (uint32_t place = first; place < end && count < kChunk; ++place, ++count) {
    const Frame frame = frames.at(place);
    if (!fits.takes(frame.data, frame.length)) break;
    const uint8_t* data = frame.data;
    if (frame.complete) {
      // A loopback MTU knows hardly a bound, so the copy of one frame may be longer than what is usual for a chunk.
      if (used == 0 && scratch_.size() < frame.length) scratch_.resize(std::max<size_t>(kScratch, frame.length));
      if (scratch_.size() - used < frame.length) break;
      uint8_t* copy = scratch_.data() + used;
      std::memcpy(copy, frame.data, frame.length);
      complete_checksum({copy, frame.length});
      used += frame.length;
      data = copy;
    }
    parts_[count] = {const_cast<uint8_t*>(data), frame.length};
    messages_[count].msg_hdr.msg_iov = &parts_[count];
    messages_[count].msg_hdr.msg_iovlen = 1;
  }
  *next = first + count;
  return count;
}

void Injector::send_chunk(uint32_t count, uint32_t first, SendResult* result) {
  uint32_t done = 0;
  while (done < count) {
    const int taken = ::sendmmsg(batch_socket_.get(), &messages_[done], count - done, MSG_DONTWAIT);
    if (taken > 0) {
      for (int i = 0; i < taken; ++i) result->bytes += parts_[done + static_cast<uint32_t>(i)].iov_len;
      result->sent += static_cast<uint32_t>(taken);
      result->consumed += static_cast<uint32_t>(taken);
      done += static_cast<uint32_t>(taken);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EMSGSIZE && errno != EINVAL) {
      result->error = errno;
      return;
    }
    // Fit for the link as we know it, but the MTU has just become smaller.
    reject(first, static_cast<uint32_t>(parts_[done].iov_len), result);
    ++done;
  }
}

void Injector::reject(uint32_t first, uint32_t length, SendResult* result) {
  if (result->rejected == 0) {
    result->first_rejected = int64_t{first} + result->consumed;
    result->first_rejected_length = length;
  }
  ++result->rejected;
  ++result->consumed;
  ++rejected_;
}

}  // namespace netring
