// A capture that a thread of its own reads into a bounded queue, out of which another thread takes packets in batches.
// The reader never waits for the taker: what the queue has no room for is dropped and counted.
#ifndef NETRING_CORE_CHANNEL_CHANNEL_H_
#define NETRING_CORE_CHANNEL_CHANNEL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "../capture.h"
#include "../counter.h"
#include "packet_queue.h"

namespace netring {

struct ChannelConfig {
  CaptureConfig capture;
  // Packets that may wait to be consumed.
  uint32_t capacity = 0;
  // Bytes of batches that may wait to be taken; at least those of two batches.
  double most_bytes = 0;
};

class Channel {
 public:
  static Result<std::unique_ptr<Channel>> open(const ChannelConfig& config);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // For the taker.

  // As `Capture::set_filter`, before `run`.
  Status set_filter(std::vector<sock_filter> program) { return capture_->set_filter(std::move(program)); }
  // Where the taker stores how many packets it has consumed so far (modulo 2^32), which is what makes room: a batch
  // that was taken and not looked at still counts. Before `run`; it outlives this.
  void set_consumed(const uint32_t* consumed) { consumed_ = consumed; }
  PacketQueue& packets() { return packets_; }
  // Ends `run` at once.
  void stop();
  // Lets nothing more in, and ends `run` once all that the kernel has put into the ring is read.
  void drain();

  // For the reader's thread. `notify` is called when there is something to take after the taker found nothing, and when
  // the link's state has changed. Returns ENODEV when the interface was deleted and the ring is empty.
  Status run(void (*notify)(void*), void* context);

  // For any thread.

  int fd() const { return capture_->fd(); }
  LinkState link_state() const { return link_state_.load(std::memory_order_acquire); }
  // A rename is followed.
  std::string interface_name();
  // Packets that have come into the queue, and those that found no room.
  uint64_t queued() const { return queued_.get(); }
  uint64_t dropped() const { return dropped_.get(); }
  CaptureTotals read_totals() { return capture_->read_totals(); }
  // What does not change after `open`.
  const Capture& capture() const { return *capture_; }

 private:
  enum class Ending : uint8_t { kNot, kDrain, kNow };

  Channel(std::unique_ptr<Capture> capture, const ChannelConfig& config, UniqueFd event);
  void end(Ending how);
  Status read_ring(void (*notify)(void*), void* context);
  void read_batch(const WaitingBatch& waiting, void (*notify)(void*), void* context);
  int64_t gathering_ms();
  uint32_t room() const;
  bool all_read();
  bool update_link();

  const uint32_t capacity_;
  std::unique_ptr<Capture> capture_;
  PacketQueue packets_;
  // Of the batch that is being read.
  BatchHeader header_{};
  std::vector<PacketRecord> records_;
  // Since the ring was last found empty.
  int64_t looked_ns_ = 0;
  uint32_t batches_read_ = 0;
  uint32_t packets_read_ = 0;
  const uint32_t* consumed_ = nullptr;
  Counter queued_;
  Counter dropped_;
  UniqueFd event_;
  std::atomic<Ending> ending_{Ending::kNot};
  std::atomic<LinkState> link_state_{LinkState::kUp};
  std::mutex name_mutex_;
  std::string name_;
};

}  // namespace netring

#endif  // NETRING_CORE_CHANNEL_CHANNEL_H_
