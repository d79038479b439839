#include "channel.h"

#include <linux/filter.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

#include "../atomics.h"
#include "../clock.h"
#include "../packet_socket.h"

namespace netring {

namespace {

// Packets after which the taker is told of what has been read of a block, and an order to end is looked for: some
// 50 us.
constexpr uint32_t kLookEvery = 1024;

// Longest time that a busy ring is left alone, so that one look finds several blocks: a wake-up for each costs both
// threads as much as dozens of packets.
constexpr int64_t kMostGatheringMs = 2;

// With a ring that has no blocks to be filled: packets a millisecond from which on they are left to gather for one.
constexpr int64_t kGathersFrom = 32;
constexpr int64_t kNsPerMs = 1'000'000;

// How much longer than a block's timeout a drain waits for the block that was being filled.
constexpr int64_t kDrainSlackMs = 20;

}  // namespace

Channel::Channel(std::unique_ptr<Capture> capture, const ChannelConfig& config, UniqueFd event)
    : capacity_(config.capacity),
      capture_(std::move(capture)),
      packets_(config.most_bytes),
      records_(capture_->ring().most_packets()),
      event_(std::move(event)) {
  update_link();
}

Result<std::unique_ptr<Channel>> Channel::open(const ChannelConfig& config) {
  Result<std::unique_ptr<Capture>> capture = Capture::open(config.capture);
  if (!capture.ok()) return capture.status();
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return Status::failed("eventfd");
  return std::unique_ptr<Channel>(new Channel(std::move(*capture), config, std::move(event)));
}

void Channel::stop() { end(Ending::kNow); }

void Channel::drain() {
  const sock_filter refuse_all[] = {{BPF_RET | BPF_K, 0, 0, 0}};
  (void)attach_filter(capture_->fd(), refuse_all);
  end(Ending::kDrain);
}

void Channel::end(Ending how) {
  ending_.store(how, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

std::string Channel::interface_name() {
  const std::scoped_lock lock(name_mutex_);
  return name_;
}

Status Channel::run(void (*notify)(void*), void* context) {
  const Status ended = read_ring(notify, context);
  // The end is told of in any case.
  (void)packets_.publish();
  return ended;
}

Status Channel::read_ring(void (*notify)(void*), void* context) {
  int64_t drained_at_ms = 0;
  for (;;) {
    const Ending ending = ending_.load(std::memory_order_acquire);
    if (ending == Ending::kNow) return {};
    if (const WaitingBatch waiting = capture_->waiting(); waiting.packets > 0) {
      read_batch(waiting, notify, context);
      continue;
    }
    int64_t rest = -1;
    if (ending == Ending::kDrain) {
      const int64_t now = monotonic_ms();
      if (drained_at_ms == 0) {
        drained_at_ms = now + capture_->ring().timeout_ms() + kDrainSlackMs;
        // It has told of the drain. What it may have told since is looked at next.
        uint64_t events = 0;
        if (::read(event_.get(), &events, sizeof events) < 0 && errno != EAGAIN) return Status::failed("eventfd");
        continue;
      }
      if (all_read() || now >= drained_at_ms) return {};
      rest = drained_at_ms - now;
    }
    if (const int64_t gathering = gathering_ms(); gathering > 0 && ending == Ending::kNot) {
      pollfd order = {event_.get(), POLLIN, 0};
      if (::poll(&order, 1, static_cast<int>(gathering)) < 0 && errno != EINTR) return Status::failed("poll");
      continue;
    }
    const Status status = capture_->doze(rest, event_.get());
    if (update_link()) notify(context);
    if (!status.ok()) return status;
  }
}

void Channel::read_batch(const WaitingBatch& waiting, void (*notify)(void*), void* context) {
  LentBatch lent;
  const uint32_t count = capture_->lend(waiting, &header_, records_.data(), &lent);
  ++batches_read_;
  packets_read_ += count;
  if (count == 0) return;
  const uint8_t* frames = lent.memory->data() + lent.offset;
  const auto publish = [&] {
    if (packets_.publish()) notify(context);
  };
  uint32_t left = room();
  for (uint32_t i = 0; i < count; ++i) {
    if (i % kLookEvery == kLookEvery - 1) {
      publish();
      if (ending_.load(std::memory_order_acquire) == Ending::kNow) break;
    }
    if (left == 0) left = room();
    const PacketRecord& record = records_[i];
    if (left == 0 || !packets_.append(record, frames + record.offset)) {
      dropped_.add(1);
      continue;
    }
    --left;
    queued_.add(1);
  }
  publish();
  capture_->release();
}

// For how long a ring that has just been emptied may be left alone: no longer than a packet may wait after its block
// was filled, for the timeout is the highest latency the ring adds, and at most an eighth of the time in which it fills
// up.
int64_t Channel::gathering_ms() {
  const int64_t now = monotonic_ns();
  const int64_t elapsed = now - std::exchange(looked_ns_, now);
  const uint32_t batches = std::exchange(batches_read_, 0);
  const uint32_t packets = std::exchange(packets_read_, 0);
  const ReceiveRing& ring = capture_->ring();
  if (ring.timeout_ms() == 0) return packets * kNsPerMs > kGathersFrom * elapsed ? 1 : 0;
  if (batches == 0 || (header_.flags & BatchHeader::kTimedOut) != 0) return 0;
  const int64_t block = elapsed / batches;
  const int64_t most = std::min<int64_t>(ring.timeout_ms() * kNsPerMs - block, block * ring.block_count() / 8);
  return std::min(kMostGatheringMs, most / kNsPerMs);
}

uint32_t Channel::room() const {
  const uint32_t waiting = static_cast<uint32_t>(queued_.get()) - load_acquire(consumed_);
  return waiting < capacity_ ? capacity_ - waiting : 0;
}

// Whether nothing is left in the ring, the block that is being filled included.
bool Channel::all_read() {
  const CaptureTotals totals = capture_->read_totals();
  return totals.packets + totals.refiltered + totals.drops >= totals.received;
}

// Whether the link's state has changed.
bool Channel::update_link() {
  const LinkState state = capture_->link().state();
  {
    const std::scoped_lock lock(name_mutex_);
    name_ = capture_->link().info().name;
  }
  return link_state_.exchange(state, std::memory_order_acq_rel) != state;
}

}  // namespace netring
