#include "channel.h"

#include <linux/filter.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <limits>

#include "../atomics.h"
#include "../clock.h"
#include "../packet_socket.h"

namespace netring {

namespace {

// Packets after which the taker is told of what has been read of a block, and an order to end is looked for: some
// 50 us.
constexpr uint32_t kLookEvery = 1024;

// How much longer than a block's timeout a drain waits for the block that was being filled.
constexpr int64_t kDrainSlackMs = 20;

uint32_t batches_in(double bytes) {
  constexpr double kLeast = 2;
  constexpr double kMost = 65536;
  return static_cast<uint32_t>(std::clamp(bytes / FrameBatch::kMostPacked, kLeast, kMost));
}

}  // namespace

Channel::Channel(std::unique_ptr<Capture> capture, const ChannelConfig& config, UniqueFd event)
    : capacity_(config.capacity),
      capture_(std::move(capture)),
      batches_(BatchQueue::Kind::kCopied, batches_in(config.most_bytes)),
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
  batches_.publish();
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
    const Status status = capture_->doze(rest, event_.get());
    if (update_link()) notify(context);
    if (!status.ok()) return status;
  }
}

void Channel::read_batch(const WaitingBatch& waiting, void (*notify)(void*), void* context) {
  LentBatch lent;
  const uint32_t count = capture_->lend(waiting, &header_, records_.data(), &lent);
  if (count == 0) return;
  const uint8_t* frames = lent.memory->data() + lent.offset;
  const auto publish = [&] {
    batches_.publish();
    if (batches_.wants_waking(0, 0)) notify(context);
  };
  uint32_t left = room();
  for (uint32_t i = 0; i < count; ++i) {
    if (i % kLookEvery == kLookEvery - 1) {
      publish();
      if (ending_.load(std::memory_order_acquire) == Ending::kNow) break;
    }
    if (left == 0) left = room();
    const PacketRecord& record = records_[i];
    if (left == 0 || !batches_.reserve(record.length, 0) || !batches_.append(record, frames + record.offset)) {
      dropped_.add(1);
      continue;
    }
    --left;
    queued_.add(1);
  }
  publish();
  capture_->release();
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
