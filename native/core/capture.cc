#include "capture.h"

#include <linux/if_ether.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "block_ring.h"
#include "bpf.h"
#include "clock.h"
#include "packet_socket.h"
#include "slot_ring.h"

namespace netring {

namespace {

// PACKET_FANOUT_FLAG_IGNORE_OUTGOING, which older headers lack. Kernels that do not know it ignore it.
constexpr int kFanoutIgnoreOutgoing = 0x4000;

// How much later than its timeout a block may come to be retired.
constexpr int64_t kRetireSlackMs = 20;

}  // namespace

Capture::Capture(LinkWatch link, UniqueFd socket)
    : link_(std::move(link)), socket_(std::move(socket)), books_(std::make_shared<CaptureBooks>(socket_.get())) {}

Result<std::unique_ptr<Capture>> Capture::open(const CaptureConfig& config) {
  // The interface first: a wrong name must not cost a ring's memory.
  Result<LinkWatch> link = LinkWatch::open(config.interface);
  if (!link.ok()) return link.status();
  Result<UniqueFd> socket = open_packet_socket();
  if (!socket.ok()) return socket.status();
  std::unique_ptr<Capture> capture(new Capture(std::move(*link), std::move(*socket)));
  if (const Status status = capture->configure(config); !status.ok()) return status;
  return capture;
}

// socket(0) -> options -> filter -> ring -> mmap -> bind -> promiscuous -> fanout. The socket has no protocol until
// bind, so the ring is empty and filtered before the first frame; fanout wants a bound socket.
Status Capture::configure(const CaptureConfig& config) {
  const int fd = socket_.get();
  snap_len_ = config.snap_len;
  const auto packet_option = [fd](int option, int value, const char* name) {
    return set_option(fd, SOL_PACKET, option, value, name);
  };
  if (const Status s = packet_option(PACKET_RESERVE, kVlanTagLength, "PACKET_RESERVE"); !s.ok()) return s;
  if (config.timestamp_flags != 0) {
    const Status s = packet_option(PACKET_TIMESTAMP, static_cast<int>(config.timestamp_flags), "PACKET_TIMESTAMP");
    if (!s.ok()) return s;
  }
  if (ignores_outgoing(config)) {
    if (const Status s = packet_option(PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING"); !s.ok()) return s;
  }
  if (config.busy_poll_us != 0) {
    const Status s = set_option(fd, SOL_SOCKET, SO_BUSY_POLL, static_cast<int>(config.busy_poll_us), "SO_BUSY_POLL");
    if (!s.ok()) return s;
  }
  // Newer kernels refuse SO_REUSEPORT on AF_PACKET (EOPNOTSUPP on 6.18); it never changed what a packet socket
  // receives.
  if (config.reuseport && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT").ok())
    warnings_.emplace_back("reuseport: this kernel does not know SO_REUSEPORT on packet sockets; opened without it");
  if (config.rcvbuf != 0) {
    const int option = config.rcvbuf_force ? SO_RCVBUFFORCE : SO_RCVBUF;
    const char* name = config.rcvbuf_force ? "SO_RCVBUFFORCE" : "SO_RCVBUF";
    if (const Status s = set_option(fd, SOL_SOCKET, option, static_cast<int>(config.rcvbuf), name); !s.ok()) return s;
  }
  if (!config.filter.empty()) {
    if (const Status s = attach_filter(fd, config.filter); !s.ok()) return s;
  }
  Result<std::unique_ptr<ReceiveRing>> ring = open_ring(config);
  if (!ring.ok()) return ring.status();
  ring_ = std::move(*ring);
  if (const Status s = bind_packet_socket(fd, link_.info().index, ETH_P_ALL); !s.ok()) return s;
  // Binding to an interface that is down works and leaves ENETDOWN behind; frames come once it is up.
  take_socket_error(fd);
  if (config.promiscuous) {
    if (const Status s = set_promiscuous(fd, link_.info().index, true); !s.ok()) return s;
    promiscuous_ = true;
  }
  return config.fanout < 0 ? Status{} : join_fanout(config);
}

// Loopback shows every frame twice, going out and coming in (libpcap's linux_check_direction drops the former as well).
bool Capture::ignores_outgoing(const CaptureConfig& config) const {
  return config.ignore_outgoing || (link_.info().flags & IFF_LOOPBACK) != 0;
}

Result<std::unique_ptr<ReceiveRing>> Capture::open_ring(const CaptureConfig& config) {
  if (!config.immediate)
    return BlockRing::open(
        socket_.get(),
        {config.block_size, config.block_count, config.frame_size, config.block_timeout_ms, config.fill_rxhash},
        &warnings_);
  const std::vector<sock_filter> judge = judge_of(config.filter);
  return SlotRing::open(
      socket_.get(),
      {config.block_size, config.block_count, config.frame_size, config.snap_len, config.rcvbuf != 0, judge},
      &warnings_);
}

Status Capture::join_fanout(const CaptureConfig& config) {
  // A group receives through a hook of its own, which does not ask its members' PACKET_IGNORE_OUTGOING.
  const int ignore = ignores_outgoing(config) ? kFanoutIgnoreOutgoing : 0;
  const int argument = (config.fanout | ignore) << 16 | config.fanout_group;
  if (const Status s = set_option(socket_.get(), SOL_PACKET, PACKET_FANOUT, argument, "PACKET_FANOUT"); !s.ok())
    return s;
  // With PACKET_FANOUT_FLAG_UNIQUEID the kernel has chosen the id.
  int joined = 0;
  socklen_t size = sizeof joined;
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_FANOUT, &joined, &size) != 0)
    return Status::failed("PACKET_FANOUT");
  fanout_group_ = joined & 0xffff;
  return {};
}

Capture::~Capture() {
  // A view of a block that was carried away keeps the mapping and with it the socket: silence it first.
  const sock_filter refuse_all[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  if (ring_ && ring_->outlives_socket()) (void)attach_filter(socket_.get(), refuse_all);
  if (promiscuous_) (void)set_promiscuous(socket_.get(), link_.info().index, false);
  books_->close();
}

RingReader Capture::reader() const {
  RingReader reader;
  reader.snap_len = snap_len_;
  reader.interface_index = static_cast<uint32_t>(link_.info().index);
  reader.link_type = link_.info().link_type;
  return reader;
}

uint32_t Capture::count(const BatchCount& read) {
  books_->count(read);
  return read.packets;
}

uint32_t Capture::copy(const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records, uint8_t* bytes,
                       uint32_t capacity) {
  return count(ring_->copy(reader(), waiting, header, records, bytes, capacity));
}

uint32_t Capture::lend(const WaitingBatch& waiting, BatchHeader* header, PacketRecord* records, LentBatch* out) {
  return count(ring_->lend(reader(), waiting, header, records, out));
}

Result<bool> Capture::wait(int timeout_ms) {
  // The deadline is kept across interruptions: restarting the full timeout would let a regular signal stretch it for
  // ever.
  const int64_t deadline = monotonic_ms() + timeout_ms;
  while (waiting().packets == 0) {
    const int64_t rest = timeout_ms < 0 ? -1 : std::max<int64_t>(deadline - monotonic_ms(), 0);
    if (const Status s = doze(rest); !s.ok()) return s;
    if (timeout_ms >= 0 && monotonic_ms() >= deadline) return waiting().packets != 0;
  }
  return true;
}

Status Capture::doze(int64_t timeout_ms, int interrupt) {
  int64_t rest = timeout_ms < 0 ? -1 : std::min<int64_t>(timeout_ms, std::numeric_limits<int>::max());
  if (link_.gone()) {
    const int64_t now = monotonic_ms();
    // The block that was being filled when the interface was deleted is retired by its timeout as ever.
    if (gone_until_ms_ == 0) gone_until_ms_ = now + ring_->timeout_ms() + kRetireSlackMs;
    if (now >= gone_until_ms_) return Status{ENODEV, "poll"};
    rest = rest < 0 ? gone_until_ms_ - now : std::min(rest, gone_until_ms_ - now);
  }
  // A negative descriptor is passed over.
  pollfd polled[3] = {{socket_.get(), POLLIN, 0}, {link_.gone() ? -1 : link_.fd(), POLLIN, 0}, {interrupt, POLLIN, 0}};
  const int ready = ::poll(polled, 3, static_cast<int>(rest));
  if (ready < 0 && errno != EINTR) return Status::failed("poll");
  if (ready <= 0) return {};
  if ((polled[0].revents & POLLERR) != 0) take_socket_error(socket_.get());
  if (polled[1].revents != 0) link_.update();
  return {};
}

Status Capture::set_filter(std::vector<sock_filter> program) {
  if (const Status s = attach_filter(socket_.get(), program); !s.ok()) return s;
  ring_->refilter(judge_of(program));
  return {};
}

Status Capture::attach_ebpf_filter(int program_fd) {
  if (const Status s = netring::attach_ebpf_filter(socket_.get(), program_fd); !s.ok()) return s;
  // A classic program set before would go on to refuse what this one lets into the memory that is being filled.
  ring_->forget_filter();
  return {};
}

Status Capture::attach_fanout_ebpf(int program_fd) {
  return set_option(socket_.get(), SOL_PACKET, PACKET_FANOUT_DATA, program_fd, "PACKET_FANOUT_DATA");
}

}  // namespace netring
