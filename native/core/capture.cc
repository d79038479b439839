#include "capture.h"

#include <linux/if_ether.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "atomics.h"
#include "clock.h"
#include "packet_socket.h"

namespace netring {

namespace {

// PACKET_FANOUT_FLAG_IGNORE_OUTGOING, which older headers lack. Kernels that do not know it ignore it.
constexpr int kFanoutIgnoreOutgoing = 0x4000;

// How much later than its timeout a block may come to be retired.
constexpr int64_t kRetireSlackMs = 20;

}  // namespace

Capture::Capture(LinkWatch link, UniqueFd socket) : link_(std::move(link)), socket_(std::move(socket)) {}

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
  if (const Status s = packet_option(PACKET_VERSION, TPACKET_V3, "PACKET_VERSION"); !s.ok()) return s;
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
  if (const Status s = set_up_ring(config); !s.ok()) return s;
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

Status Capture::set_up_ring(const CaptureConfig& config) {
  request_.tp_block_size = config.block_size;
  request_.tp_frame_size = config.frame_size;
  request_.tp_retire_blk_tov = config.block_timeout_ms;
  request_.tp_feature_req_word = config.fill_rxhash ? TP_FT_REQ_FILL_RXHASH : 0;
  const uint32_t least = std::max(config.block_count / 4, 1U);
  for (uint32_t count = config.block_count;; count = std::max(count * 3 / 4, least)) {
    request_.tp_block_nr = count;
    request_.tp_frame_nr = config.block_size / config.frame_size * count;
    if (::setsockopt(socket_.get(), SOL_PACKET, PACKET_RX_RING, &request_, sizeof request_) == 0) break;
    // Blocks are physically contiguous; a smaller ring is better than none.
    if (errno != ENOMEM || count == least) return Status::failed("PACKET_RX_RING");
  }
  if (request_.tp_block_nr != config.block_count)
    warnings_.push_back("ring of " + std::to_string(request_.tp_block_nr) + " instead of " +
                        std::to_string(config.block_count) + " blocks: not enough memory");
  // No MAP_LOCKED: ring pages are the kernel's and never swapped, and the flag would only demand CAP_IPC_LOCK.
  const size_t size = static_cast<size_t>(request_.tp_block_size) * request_.tp_block_nr;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, socket_.get(), 0);
  if (memory == MAP_FAILED) return Status::failed("mmap");
  ring_ = std::make_shared<Mapping>(static_cast<uint8_t*>(memory), size);
  return {};
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
  if (ring_ && ring_.use_count() > 1) (void)attach_filter(socket_.get(), refuse_all);
  if (promiscuous_) (void)set_promiscuous(socket_.get(), link_.info().index, false);
}

tpacket_block_desc* Capture::block_at(uint32_t index) const {
  return reinterpret_cast<tpacket_block_desc*>(ring_->data() + static_cast<size_t>(index) * request_.tp_block_size);
}

bool Capture::retired(uint32_t index) const {
  return (load_acquire(&block_at(index)->hdr.bh1.block_status) & TP_STATUS_USER) != 0;
}

uint8_t* Capture::current_block() {
  // Bounded: a kernel that retires empty blocks (before 3.19) could otherwise lead us round the ring for ever.
  for (uint32_t i = 0; i < request_.tp_block_nr; ++i) {
    if (!retired(current_)) return nullptr;
    tpacket_block_desc* block = block_at(current_);
    if (block->hdr.bh1.num_pkts != 0) return reinterpret_cast<uint8_t*>(block);
    release_block();
  }
  return nullptr;
}

BlockReader Capture::reader() const {
  BlockReader reader;
  reader.snap_len = snap_len_;
  reader.interface_index = static_cast<uint32_t>(link_.info().index);
  reader.link_type = link_.info().link_type;
  if (refilter_blocks_ != 0) reader.refilter = refilter_;
  return reader;
}

uint32_t Capture::count(const BlockCount& read) {
  totals_.packets += read.packets;
  totals_.bytes += read.original_bytes;
  totals_.refiltered += read.refiltered;
  return read.packets;
}

uint32_t Capture::index_current(BatchHeader* header, PacketRecord* records) {
  return count(
      index_block(reinterpret_cast<uint8_t*>(block_at(current_)), request_.tp_block_size, reader(), header, records));
}

uint32_t Capture::copy_current(BatchHeader* header, PacketRecord* records, uint8_t* bytes, uint32_t capacity) {
  return count(copy_block(reinterpret_cast<uint8_t*>(block_at(current_)), request_.tp_block_size, reader(), header,
                          records, bytes, capacity));
}

void Capture::release_block() {
  store_release(&block_at(current_)->hdr.bh1.block_status, TP_STATUS_KERNEL);
  current_ = current_ + 1 == request_.tp_block_nr ? 0 : current_ + 1;
  // The kernel counts in 32 bits, which wrap after an hour at a million frames a second. Once round the ring is soon
  // enough.
  if (current_ == 0) read_totals();
  if (refilter_blocks_ != 0) --refilter_blocks_;
}

Result<bool> Capture::wait(int timeout_ms) {
  // The deadline is kept across interruptions: restarting the full timeout would let a regular signal stretch it for
  // ever.
  const int64_t deadline = monotonic_ms() + timeout_ms;
  while (current_block() == nullptr) {
    const int64_t now = monotonic_ms();
    int64_t rest = timeout_ms < 0 ? -1 : std::max<int64_t>(deadline - now, 0);
    if (link_.gone()) {
      // The block that was being filled when the interface was deleted is retired by its timeout as ever.
      if (gone_until_ms_ == 0) gone_until_ms_ = now + request_.tp_retire_blk_tov + kRetireSlackMs;
      if (now >= gone_until_ms_) return Status{ENODEV, "poll"};
      rest = rest < 0 ? gone_until_ms_ - now : std::min(rest, gone_until_ms_ - now);
    }
    pollfd polled[2] = {{socket_.get(), POLLIN, 0}, {link_.fd(), POLLIN, 0}};
    const int ready = ::poll(polled, link_.gone() ? 1 : 2, static_cast<int>(rest));
    if (ready < 0 && errno != EINTR) return Status::failed("poll");
    if (ready == 0 && !link_.gone()) return current_block() != nullptr;
    if (ready == 0 && timeout_ms >= 0 && monotonic_ms() >= deadline) return current_block() != nullptr;
    if (ready <= 0) continue;
    if ((polled[0].revents & POLLERR) != 0) take_socket_error(socket_.get());
    if (polled[1].revents != 0) link_.update();
  }
  return true;
}

Status Capture::set_filter(std::vector<sock_filter> program) {
  if (const Status s = attach_filter(socket_.get(), program); !s.ok()) return s;
  // Blocks that are retired now, the one being filled, and one more for a frame that another CPU was just putting into
  // the ring when the filter was swapped: any of them may hold what the old filter let in. Judging a frame twice by the
  // new one changes nothing.
  uint32_t blocks = 2;
  for (uint32_t i = current_; blocks < request_.tp_block_nr && retired(i); i = (i + 1) % request_.tp_block_nr) ++blocks;
  refilter_ = std::move(program);
  refilter_blocks_ = blocks;
  return {};
}

Status Capture::attach_ebpf_filter(int program_fd) {
  if (const Status s = netring::attach_ebpf_filter(socket_.get(), program_fd); !s.ok()) return s;
  // A classic program set before would go on to refuse what this one lets into the block that is being filled.
  refilter_.clear();
  refilter_blocks_ = 0;
  return {};
}

Status Capture::attach_fanout_ebpf(int program_fd) {
  return set_option(socket_.get(), SOL_PACKET, PACKET_FANOUT_DATA, program_fd, "PACKET_FANOUT_DATA");
}

const CaptureTotals& Capture::read_totals() {
  tpacket_stats_v3 statistics{};
  socklen_t size = sizeof statistics;
  if (::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) {
    totals_.received += statistics.tp_packets;
    totals_.drops += statistics.tp_drops;
    totals_.freezes += statistics.tp_freeze_q_cnt;
  }
  return totals_;
}

}  // namespace netring
