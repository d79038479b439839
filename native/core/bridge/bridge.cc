#include "bridge.h"

#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>

#include "../clock.h"
#include "../packet_socket.h"

namespace netring {

namespace {

// A round of both directions that moved so many frames calls for another one soon. Instead of being woken for every
// frame, which costs the sender's CPU an interrupt to ours, the engine then looks by itself.
constexpr uint32_t kBusyFrames = 16;
constexpr int64_t kBusyPauseNs = 30'000;
// After a super-frame the answer, or the next one, is near: looking on, but behind whoever else wants the CPU, gave one
// TCP stream 14.6 instead of 11.5 Gbit/s (the kernel's bridge: 14.7); 10 and 50 us as much or less. Small frames are
// not worth it: one CPU would be busy at 20,000 of them a second.
constexpr int64_t kAfterSuperFrameNs = 20'000;
// A full queue of the other port is looked at again after this.
constexpr int64_t kBlockedPauseNs = 100'000;
// Both directions found a full batch, or one did and the other something: no pause.
constexpr uint32_t kFullRound = 64;
// While frames flow: how often the kernel's drop counters are read and the links looked at.
constexpr int64_t kHousekeepingNs = 20'000'000;
constexpr int kNice = -10;
constexpr int64_t kNsPerMs = 1'000'000;
// The same while none do.
constexpr int64_t kIdleLookNs = 1'000'000'000;

Result<UniqueFd> open_sender(int ifindex, uint32_t send_buffer, bool qdisc_bypass, bool with_header) {
  Result<UniqueFd> socket = open_packet_socket();
  if (!socket.ok()) return socket;
  if (with_header) {
    const Status s = set_option(socket->get(), SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
    if (!s.ok()) return s;
  }
  if (qdisc_bypass) {
    const Status s = set_option(socket->get(), SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS");
    if (!s.ok()) return s;
  }
  const auto bytes = static_cast<int>(send_buffer);
  if (bytes != 0 && !set_option(socket->get(), SOL_SOCKET, SO_SNDBUFFORCE, bytes, "SO_SNDBUFFORCE").ok()) {
    // Without CAP_NET_ADMIN the kernel caps it at wmem_max.
    if (const Status s = set_option(socket->get(), SOL_SOCKET, SO_SNDBUF, bytes, "SO_SNDBUF"); !s.ok()) return s;
  }
  if (const Status s = bind_packet_socket(socket->get(), ifindex, 0); !s.ok()) return s;
  return socket;
}

}  // namespace

std::array<Bridge::Part, 6> Bridge::take_apart() {
  for (auto& direction : directions_) direction.reset();
  std::array<Part, 6> parts;
  for (uint32_t which = 0; which < 2; ++which) {
    parts[which].receiver = std::move(receivers_[which]);
    parts[2 + which].socket = std::move(senders_[which].plain);
    parts[4 + which].socket = std::move(senders_[which].with_header);
  }
  return parts;
}

Result<std::unique_ptr<Bridge>> Bridge::open(const BridgeConfig& config, uint32_t* port) {
  std::unique_ptr<Bridge> bridge(new Bridge());
  // Both interfaces first: a wrong name must not cost the other one's ring.
  for (*port = 0; *port < 2; ++*port) {
    Result<LinkWatch> link = LinkWatch::open(config.ports[*port].interface);
    if (!link.ok()) return link.status();
    bridge->opened_[*port] = link->info();
    bridge->states_[*port] = link->state();
    bridge->links_.push_back(std::move(*link));
  }
  for (*port = 0; *port < 2; ++*port) {
    if (const Status status = bridge->open_port(*port, config); !status.ok()) return status;
  }
  *port = 0;
  bridge->event_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bridge->event_) return Status::failed("eventfd");
  for (uint32_t which = 0; which < 2; ++which) {
    const uint32_t other = 1 - which;
    bridge->directions_[which] = std::make_unique<Direction>(
        bridge->receivers_[which].get(), &bridge->links_[which], &bridge->senders_[other], &bridge->links_[other],
        DirectionConfig{config.drop_link_local, config.ports[which].block_timeout_ms * kNsPerMs});
  }
  const uint32_t mtu[2] = {bridge->opened_[0].mtu, bridge->opened_[1].mtu};
  if (mtu[0] != mtu[1])
    bridge->warnings_.push_back("the MTUs differ (" + config.ports[0].interface + " " + std::to_string(mtu[0]) + ", " +
                                config.ports[1].interface + " " + std::to_string(mtu[1]) +
                                "): longer frames are dropped and counted as tooLarge");
  return bridge;
}

Status Bridge::open_port(uint32_t which, const BridgeConfig& config) {
  const int index = opened_[which].index;
  senders_[which].qdisc_bypass = config.qdisc_bypass;
  for (const bool with_header : {false, true}) {
    Result<UniqueFd> sender = open_sender(index, config.ports[which].send_buffer, config.qdisc_bypass, with_header);
    if (!sender.ok()) return sender.status();
    (with_header ? senders_[which].with_header : senders_[which].plain) = std::move(*sender);
  }
  Result<Receiver> receiver = Receiver::open(index, config.ports[which].receiver, &warnings_);
  if (!receiver.ok()) return receiver.status();
  receivers_[which] = std::make_unique<Receiver>(std::move(*receiver));
  return {};
}

void Bridge::set_audience(const Audience& audience) {
  for (const auto& direction : directions_) direction->set_audience(audience);
}

void Bridge::prepare_run() {
  stopping_.store(false, std::memory_order_release);
  for (const auto& direction : directions_) direction->discard_stale();
}

Status Bridge::run(void (*notify)(void*), void* context) {
  // A pause of 30 us must not become one of 80: the default slack is 50.
  ::prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
  // A wire goes before the programs of this machine, if we may say so (CAP_SYS_NICE): with two CPUs and three busy
  // processes the round trip under one TCP stream fell from 570 to 260 us, and the stream gained a tenth. Inline the
  // flow is a part of the wire.
  if (!directions_[0]->is_inline()) ::setpriority(PRIO_PROCESS, 0, kNice);
  update_links();
  // What an earlier run's last call has told may never have arrived.
  notify(context);
  counted_at_ns_ = monotonic_ns();
  counted_ = true;
  int64_t now = counted_at_ns_;
  uint64_t super_frames = 0;
  int64_t super_frame_at_ns = 0;
  Status ended;
  while (ended.ok() && !stopping_.load(std::memory_order_acquire)) {
    uint32_t moved = 0;
    bool blocked = false;
    // One batch of each in turn: neither direction starves the other.
    for (const auto& direction : directions_) {
      uint32_t count = 0;
      blocked |= direction->step(now, &count) == Direction::Progress::kBlocked;
      moved += count;
    }
    if (moved > 0 || blocked) counted_ = false;
    now = monotonic_ns();
    if (const uint64_t all = directions_[0]->super_frames() + directions_[1]->super_frames(); all != super_frames) {
      super_frames = all;
      super_frame_at_ns = now;
    }
    const int64_t house_due = counted_at_ns_ + (counted_ ? kIdleLookNs : kHousekeepingNs);
    if (now >= house_due) {
      ended = keep_house(notify, context);
      if (!ended.ok()) break;
    }
    int64_t due = now + (counted_ ? kIdleLookNs : kHousekeepingNs);
    for (const auto& direction : directions_) {
      if (direction->wants_waking(now)) notify(context);
      due = std::min(due, direction->due_ns());
    }
    if (blocked) {
      ended = wait(Watch::kStop, kBlockedPauseNs);
    } else if (moved == 0 && now - super_frame_at_ns < kAfterSuperFrameNs) {
      ::sched_yield();
    } else if (moved == 0) {
      ended = wait(Watch::kAll, std::max<int64_t>(due - now, 0));
      if (update_links()) notify(context);
    } else if (moved >= kBusyFrames && moved < kFullRound) {
      ended = wait(Watch::kStop, kBusyPauseNs);
    } else {
      continue;
    }
    now = monotonic_ns();
  }
  for (const auto& direction : directions_) direction->finish();
  read_kernel_counters();
  return ended;
}

Status Bridge::keep_house(void (*notify)(void*), void* context) {
  counted_at_ns_ = monotonic_ns();
  counted_ = true;
  read_kernel_counters();
  if (update_links()) notify(context);
  for (const auto& direction : directions_)
    if (direction->stuck()) return Status{EIO, "PACKET_RX_RING"};
  return {};
}

void Bridge::read_kernel_counters() {
  for (const auto& direction : directions_) direction->read_kernel_counters();
}

// Sleeps until something happens, or for the time. The ring of a blocked direction would be readable without
// end, hence kStop.
Status Bridge::wait(Watch watch, int64_t timeout_ns) {
  std::array<pollfd, 5> polled{};
  nfds_t count = 0;
  polled[count++] = {event_.get(), POLLIN, 0};
  const nfds_t frames = watch == Watch::kAll ? 3 : 1;
  if (watch == Watch::kAll) {
    // A negative descriptor is passed over.
    for (const LinkWatch& link : links_) polled[count++] = {link.gone() ? -1 : link.fd(), POLLIN, 0};
    for (uint32_t which = 0; which < 2; ++which)
      polled[count++] = {links_[which].gone() ? -1 : receivers_[which]->fd(), POLLIN, 0};
  }
  const timespec timeout = {static_cast<time_t>(timeout_ns / 1'000'000'000),
                            static_cast<long>(timeout_ns % 1'000'000'000)};
  const int ready = ::ppoll(polled.data(), count, &timeout, nullptr);
  if (ready < 0 && errno != EINTR) return Status::failed("ppoll");
  if (ready <= 0) return {};
  for (nfds_t i = frames; i < count; ++i) {
    // Until SO_ERROR is read, poll() reports POLLERR at once and for ever. ENETDOWN is the link's business.
    if ((polled[i].revents & POLLERR) != 0) take_socket_error(polled[i].fd);
  }
  if ((polled[0].revents & POLLIN) != 0) {
    uint64_t events = 0;
    if (::read(event_.get(), &events, sizeof events) < 0 && errno != EAGAIN) return Status::failed("eventfd");
  }
  return {};
}

// Whether the state of a port has changed.
bool Bridge::update_links() {
  bool changed = false;
  for (uint32_t which = 0; which < 2; ++which) {
    links_[which].update();
    const LinkState state = links_[which].state();
    if (states_[which].exchange(state, std::memory_order_acq_rel) != state) changed = true;
  }
  return changed;
}

void Bridge::wake() {
  const uint64_t one = 1;
  // Fails only when the counter is at its end, and then the engine is awake.
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

void Bridge::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void Bridge::set_filter(uint32_t which, std::unique_ptr<BridgeFilter> filter) {
  directions_[which]->set_filter(std::move(filter));
  wake();
}

}  // namespace netring
