#include "queue.h"

#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <vector>

#include "../packet_socket.h"

namespace netring {

namespace {

// Since Linux 5.11; older headers lack them.
constexpr int kPreferBusyPoll = 69;
constexpr int kBusyPollBudget = 70;

// Memory the kernel reckons for the copy of a frame that it sends in copy mode.
constexpr uint32_t kCopyOverhead = 1024;

// A queue whose socket was closed is free some milliseconds later (here 15), when the kernel's clean-up has run
// (xdp_umem_release_deferred).
constexpr int kBindTries = 10;
constexpr timespec kBindPause = {0, 5'000'000};

}  // namespace

Result<std::unique_ptr<XdpQueue>> XdpQueue::open(const XdpQueueConfig& config, const XdpQueue* primary) {
  UniqueFd socket(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!socket) return Status::failed("socket");
  std::unique_ptr<XdpQueue> queue(new XdpQueue(std::move(socket), config.queue));
  if (const Status s = queue->set_up(config, primary); !s.ok()) return s;
  return queue;
}

// UMEM -> fill and completion ring -> RX and TX ring -> options -> frames into the fill ring -> bind. From bind on the
// kernel may use all of it.
Status XdpQueue::set_up(const XdpQueueConfig& config, const XdpQueue* primary) {
  const int fd = socket_.get();
  need_wakeup_ = config.need_wakeup;
  if (primary == nullptr) {
    Result<std::shared_ptr<Umem>> umem = Umem::create(fd, config.frames);
    if (!umem.ok()) return umem.status();
    umem_ = std::move(*umem);
  } else {
    umem_ = primary->umem_;
    need_wakeup_ = primary->need_wakeup_;
  }
  const UmemGeometry& frames = umem_->geometry();
  RingMemory<xdp_desc> ring;
  if (config.frames.receiving != 0) {
    Result<Mapping> memory =
        map_ring(fd, XDP_RX_RING, "XDP_RX_RING", XDP_PGOFF_RX_RING, &xdp_mmap_offsets::rx, frames.receiving, &ring);
    if (!memory.ok()) return memory.status();
    rx_memory_ = std::move(*memory);
    rx_ = ConsumerRing<xdp_desc>(ring);
  }
  if (config.frames.sending != 0) {
    Result<Mapping> memory =
        map_ring(fd, XDP_TX_RING, "XDP_TX_RING", XDP_PGOFF_TX_RING, &xdp_mmap_offsets::tx, frames.sending, &ring);
    if (!memory.ok()) return memory.status();
    tx_memory_ = std::move(*memory);
    tx_ = ProducerRing<xdp_desc>(ring);
    // In copy mode a frame is sent from a copy, which counts against the send buffer until it has left: with the usual
    // one some 160 frames were under way at most. Without CAP_NET_ADMIN the kernel caps it at wmem_max.
    const auto room = static_cast<int>(
        std::min<uint64_t>(uint64_t{frames.sending} * (frames.frame_size + kCopyOverhead), INT32_MAX / 2));
    if (!set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, room, "SO_SNDBUFFORCE").ok()) {
      if (const Status s = set_option(fd, SOL_SOCKET, SO_SNDBUF, room, "SO_SNDBUF"); !s.ok()) return s;
    }
  }
  if (const Status s = set_busy_poll(config.busy_poll); !s.ok()) return s;
  busy_polls_ = config.busy_poll.microseconds != 0;
  if (primary == nullptr) umem_->fill_all();
  if (const Status s = bind(config, primary); !s.ok()) return s;
  xdp_options options{};
  socklen_t size = sizeof options;
  zero_copy_ =
      ::getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &size) == 0 && (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
  return {};
}

Status XdpQueue::set_busy_poll(const BusyPoll& busy_poll) const {
  const int fd = socket_.get();
  if (busy_poll.microseconds == 0) return {};
  if (const Status s =
          set_option(fd, SOL_SOCKET, SO_BUSY_POLL, static_cast<int>(busy_poll.microseconds), "SO_BUSY_POLL");
      !s.ok())
    return s;
  if (busy_poll.preferred) {
    if (const Status s = set_option(fd, SOL_SOCKET, kPreferBusyPoll, 1, "SO_PREFER_BUSY_POLL"); !s.ok()) return s;
  }
  if (busy_poll.budget == 0) return {};
  return set_option(fd, SOL_SOCKET, kBusyPollBudget, static_cast<int>(busy_poll.budget), "SO_BUSY_POLL_BUDGET");
}

Status XdpQueue::bind(const XdpQueueConfig& config, const XdpQueue* primary) const {
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_ifindex = static_cast<uint32_t>(config.ifindex);
  address.sxdp_queue_id = config.queue;
  if (primary != nullptr) {
    // The mode is the primary's: the kernel takes no other flag beside this one.
    address.sxdp_flags = XDP_SHARED_UMEM;
    address.sxdp_shared_umem_fd = static_cast<uint32_t>(primary->fd());
  } else {
    constexpr uint16_t kModes[] = {0, XDP_COPY, XDP_ZEROCOPY};
    address.sxdp_flags = kModes[static_cast<size_t>(config.bind_mode)];
    if (config.need_wakeup) address.sxdp_flags |= XDP_USE_NEED_WAKEUP;
  }
  for (int tries = 0;; ++tries) {
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
    if (errno != EBUSY || tries == kBindTries) return Status::failed("bind");
    ::nanosleep(&kBindPause, nullptr);
  }
}

XdpQueue::~XdpQueue() {
  if (!umem_) return;
  // Frames in hand belong to a UMEM that another socket may go on using, and so do those in the TX ring, which nobody
  // sends once the socket is closed.
  if (slot_ >= 0) umem_->give_back(static_cast<uint32_t>(slot_), FrameOwner::kSlot);
  if (umem_.use_count() == 1) return;
  std::vector<uint64_t> unsent(tx_.size() == 0 ? 0 : tx_.waiting());
  for (uint32_t i = 0; i < unsent.size(); ++i) unsent[i] = tx_.last(i).addr;
  rx_memory_.reset();
  tx_memory_.reset();
  socket_.reset();
  for (const uint64_t address : unsent) umem_->end_sending(static_cast<uint32_t>(umem_->frame_of(address)));
}

void XdpQueue::add_statistics(xdp_statistics* sum) const {
  xdp_statistics own{};
  socklen_t size = sizeof own;
  if (::getsockopt(socket_.get(), SOL_XDP, XDP_STATISTICS, &own, &size) != 0) return;
  sum->rx_dropped += own.rx_dropped;
  sum->rx_invalid_descs += own.rx_invalid_descs;
  sum->tx_invalid_descs += own.tx_invalid_descs;
  sum->rx_ring_full += own.rx_ring_full;
  sum->rx_fill_ring_empty_descs += own.rx_fill_ring_empty_descs;
  sum->tx_ring_empty_descs += own.tx_ring_empty_descs;
}

}  // namespace netring
