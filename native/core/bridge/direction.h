// One direction of a bridge: frames out of the receiver of one port, judged, and sent on the other. Inline they make a
// detour through JavaScript in between. Everything but counters, filter and the queues' other ends belongs to the
// engine's thread.
#ifndef NETRING_CORE_BRIDGE_DIRECTION_H_
#define NETRING_CORE_BRIDGE_DIRECTION_H_

#include <linux/filter.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "../batches/batch_queue.h"
#include "../link.h"
#include "counters.h"
#include "receiver.h"
#include "transmitter.h"

namespace netring {

// What is held back: frames that the program accepts, or those that it does not. An empty program holds nothing back.
struct BridgeFilter {
  std::vector<sock_filter> program;
  bool drops_matching = false;

  bool holds_back(const ReceivedFrame& frame, const LinkInfo& port) const;
};

// What JavaScript sees of the frames during a run.
struct Audience {
  // Every so many-th forwarded frame is copied to the tap; 0 for none.
  uint32_t tap_every = 0;
  // Frames wait for JavaScript's verdict.
  bool is_inline = false;
  // After this the frames get `timeout_forwards`; INT64_MAX for never.
  int64_t timeout_ns = 0;
  bool timeout_forwards = true;
};

struct DirectionConfig {
  bool drop_link_local = false;
  // How long a tap's batch gathers frames.
  int64_t tap_gather_ns = 0;
};

class Direction {
 public:
  enum class Progress : uint8_t { kIdle, kMoved, kBlocked };

  Direction(Receiver* receiver, const LinkWatch* in, Sender* sender, const LinkWatch* out,
            const DirectionConfig& config);
  ~Direction();
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;

  // For the thread that starts the engine, before it runs. What nobody has taken of an earlier run is gone.
  void set_audience(const Audience& audience);
  bool is_inline() const { return audience_.is_inline; }

  // For the engine's thread.

  // Throws away what came before the start, and counts it.
  void discard_stale() { stale(receiver_->discard()); }
  // Moves up to a batch of frames. kBlocked: the other port, or the flow, takes nothing at the moment, and the frames
  // wait in the ring. `moved` is the number of frames that went on.
  Progress step(int64_t now_ns, uint32_t* moved);
  // Frames so far that were too long for a slot and went on without a detour through JavaScript.
  uint64_t super_frames() const { return super_frames_; }
  // Whether JavaScript is to be told that there are batches.
  bool wants_waking(int64_t now_ns);
  // When `step` or `wants_waking` has something to do without another frame; INT64_MAX for never.
  int64_t due_ns();
  // At the end of a run: frames that are with the flow get what those get that are late, as far as the port takes them.
  void finish();
  // Takes over what the kernel has counted since the last call; its own counters are cleared by reading.
  void read_kernel_counters();
  // Whether the ring has stopped for good: the kernel drops all that comes, and the ring is empty. A V2 ring does that
  // after a frame whose segmentation no virtio_net header can express, SCTP's for one: tpacket_rcv() marks the slot as
  // taken, refuses the frame, and never comes past that slot again.
  bool stuck() const { return fruitless_looks_ >= 2; }

  // For any thread.

  // Replaces the filter before the next frame is judged.
  void set_filter(std::unique_ptr<BridgeFilter> filter);
  // Whether the last filter set has taken effect.
  bool filter_applied() const { return pending_.load(std::memory_order_acquire) == nullptr; }
  const DirectionCounters& counters() const { return counters_; }
  // The batches for JavaScript: inline, or the tap's.
  BatchQueue& batches() { return audience_.is_inline ? inline_ : tap_; }

 private:
  // Super-frames of one batch that do not lie in their slots.
  static constexpr uint32_t kQueuedFrames = 8;
  static constexpr uint32_t kMostQueuedBytes = 65536 + 256;

  void stale(uint32_t count);
  Progress step_forward(int64_t now_ns, uint32_t* moved);
  Progress step_inline(int64_t now_ns, uint32_t* moved);
  void count_received(const ReceivedFrame& frame);
  bool accept(ReceivedFrame* frame, uint32_t memory);
  void tap(const ReceivedFrame& frame, int64_t now_ns);
  bool settle(int64_t now_ns, uint32_t* moved);
  void add_judged(const BatchQueue::Batch& batch, uint32_t index);
  void give_up_flight();
  void take_new_filter();

  Receiver* receiver_;
  const LinkWatch* in_;
  DirectionConfig config_;
  Audience audience_;
  DirectionCounters counters_;
  Transmitter transmitter_;
  BatchQueue tap_;
  BatchQueue inline_;
  std::unique_ptr<BridgeFilter> filter_ = std::make_unique<BridgeFilter>();
  std::atomic<BridgeFilter*> pending_{nullptr};

  // Slots from the receiver's cursor on that hold the frames of the transmitter.
  uint32_t slots_ = 0;
  uint32_t until_tapped_ = 1;
  // Looks at the kernel's counters, one after the other, that found drops and an empty ring that nothing had come out
  // of.
  uint32_t fruitless_looks_ = 0;
  uint64_t taken_ = 0;
  uint64_t super_frames_ = 0;
  uint64_t taken_at_look_ = 0;
  // The batch that is being sent, and how far it and its edits have come.
  BatchQueue::Batch* settling_ = nullptr;
  uint32_t next_frame_ = 0;
  uint32_t next_edit_ = 0;
  std::vector<uint8_t> queue_memory_;
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_DIRECTION_H_
