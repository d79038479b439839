// One direction of a bridge: frames out of the receiver of one port, judged, and sent on the other. Everything but the
// counters belongs to the engine's thread.
#ifndef NETRING_CORE_BRIDGE_DIRECTION_H_
#define NETRING_CORE_BRIDGE_DIRECTION_H_

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../link.h"
#include "receiver.h"

namespace netring {

// A counter with one writer, readable from any thread.
class Counter {
 public:
  void add(uint64_t count) { value_.store(get() + count, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Every frame that the receiver was given is counted in exactly one of forwarded, filtered, too_large, ring_full,
// errors and kernel_drops.
struct DirectionCounters {
  Counter received;      // handed to us by the kernel
  Counter bytes;         // of those, on the wire
  Counter forwarded;     // taken by the kernel of the other port
  Counter filtered;      // held back by the filter, or as link-local
  Counter too_large;     // longer than the other port's MTU allows
  Counter ring_full;     // the other port took nothing for too long
  Counter errors;        // the other port was down or refused the frame
  Counter kernel_drops;  // no room in the ring, or not for the whole of a super-frame
};

// What is held back: frames that the program accepts, or those that it does not. An empty program holds nothing back.
struct BridgeFilter {
  std::vector<sock_filter> program;
  bool drops_matching = false;

  bool holds_back(const ReceivedFrame& frame, const LinkInfo& port) const;
};

// The two sockets of a port that send. What needs no virtio_net header goes without: the kernel's work on it is a sixth
// of what a small frame costs (2080 against 1740 ns).
struct Sender {
  UniqueFd plain;
  UniqueFd with_header;
};

class Direction {
 public:
  enum class Progress : uint8_t { kIdle, kMoved, kBlocked };

  Direction(Receiver* receiver, const LinkWatch* in, const Sender* sender, const LinkWatch* out, bool drop_link_local);
  ~Direction();
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;

  // Moves up to a batch of frames. kBlocked: the other port takes nothing at the moment, the frames wait in the ring.
  // `moved` is the number of slots that went back to the kernel.
  Progress step(uint32_t* moved);
  // Counts frames of before the start as not forwarded.
  void discard_stale() { stale(receiver_->discard()); }
  // Gives up the batch that a blocked port has held up: nothing is left of it for the next start.
  void abandon();
  // Takes over what the kernel has counted since the last call; its own counters are cleared by reading.
  void read_kernel_counters();
  // Replaces the filter before the next frame is judged; any thread.
  void set_filter(std::unique_ptr<BridgeFilter> filter);
  // Whether the last filter set has taken effect.
  bool filter_applied() const { return pending_.load(std::memory_order_acquire) == nullptr; }

  const DirectionCounters& counters() const { return counters_; }

 private:
  // 32 and more frames a call are equally fast.
  static constexpr uint32_t kBatch = 64;
  // Super-frames of one batch that do not lie in their slots.
  static constexpr uint32_t kQueuedFrames = 8;
  static constexpr uint32_t kMostQueuedBytes = 65536 + 256;

  void stale(uint32_t count);
  void fill();
  bool prepare(const ReceivedFrame& frame);
  bool flush();
  uint32_t end_of_run() const;
  void drop_rest(Counter* counter);
  void take_new_filter();

  Receiver* receiver_;
  const LinkWatch* in_;
  const Sender* sender_;
  const LinkWatch* out_;
  bool drop_link_local_;
  DirectionCounters counters_;
  std::unique_ptr<BridgeFilter> filter_ = std::make_unique<BridgeFilter>();
  std::atomic<BridgeFilter*> pending_{nullptr};

  // The batch under way: `slots_` slots from the receiver's cursor on, of which `count_` frames are to be sent and
  // `next_` have been.
  uint32_t slots_ = 0;
  uint32_t count_ = 0;
  uint32_t next_ = 0;
  uint32_t queued_ = 0;
  int64_t blocked_since_ns_ = 0;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> parts_{};
  std::array<bool, kBatch> plain_{};
  std::vector<uint8_t> queue_memory_;
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_DIRECTION_H_
