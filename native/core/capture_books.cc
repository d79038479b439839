#include "capture_books.h"

#include <linux/if_packet.h>
#include <sys/socket.h>

namespace netring {

namespace {

// The kernel counts in 32 bits, which wrap after an hour at a million frames a second.
constexpr uint64_t kPacketsBetweenLooks = 1 << 22;

}  // namespace

void CaptureBooks::count(const BatchCount& read) {
  const std::scoped_lock lock(mutex_);
  totals_.packets += read.packets;
  totals_.bytes += read.original_bytes;
  totals_.refiltered += read.refiltered;
  totals_.drops += read.dropped;
  if (totals_.packets - packets_at_look_ > kPacketsBetweenLooks) look_at_kernel();
}

CaptureTotals CaptureBooks::read() {
  const std::scoped_lock lock(mutex_);
  look_at_kernel();
  return totals_;
}

void CaptureBooks::close() {
  const std::scoped_lock lock(mutex_);
  look_at_kernel();
  fd_ = -1;
}

void CaptureBooks::look_at_kernel() {
  if (fd_ < 0) return;
  packets_at_look_ = totals_.packets;
  // A TPACKET_V2 socket fills in no more than the first two.
  tpacket_stats_v3 statistics{};
  socklen_t size = sizeof statistics;
  if (::getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) {
    totals_.received += statistics.tp_packets;
    totals_.drops += statistics.tp_drops;
    totals_.freezes += statistics.tp_freeze_q_cnt;
  }
}

}  // namespace netring
