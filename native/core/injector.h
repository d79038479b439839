// Sends frames on one interface: out of a ring that the caller fills slot by slot, and in batches out of the caller's
// memory.
#ifndef NETRING_CORE_INJECTOR_H_
#define NETRING_CORE_INJECTOR_H_

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "frame_limit.h"
#include "frame_source.h"
#include "link.h"
#include "resources.h"
#include "result.h"
#include "tx_ring.h"

namespace netring {

struct InjectorConfig {
  std::string interface;
  uint32_t frame_size = 0;
  uint32_t frame_count = 0;
  bool qdisc_bypass = false;
};

// Totals since open. What was handed over is sent, rejected, or waits in the ring.
struct InjectorTotals {
  uint64_t accepted = 0;
  uint64_t sent = 0;  // taken by the kernel
  uint64_t bytes = 0;
  uint64_t rejected = 0;
  uint64_t waiting = 0;
};

class Injector {
 public:
  // In the calling thread's network namespace.
  static Result<std::unique_ptr<Injector>> open(const InjectorConfig& config);

  // The socket of the batches; writable when it takes frames again.
  int fd() const { return batch_socket_.get(); }
  LinkWatch& link() { return link_; }
  TxRing& ring() { return ring_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  FrameLimit limit() const { return {link_.info().mtu}; }
  // Frames that did not fit the link, or that the kernel refused.
  uint64_t rejected() const { return rejected_; }
  InjectorTotals totals();
  // Memory of the frames that the kernel has taken and still holds, in a queue or in the driver. 0: all have left.
  uint32_t in_flight_bytes() const;

  // Whether a slot may be sent with this length.
  bool fits(uint32_t slot, uint32_t length) const {
    return length <= ring_.frame_capacity() && limit().takes(ring_.data(slot), length);
  }
  // Marks the slot that the ring has allocated for sending. False, and the slot stays allocated, for a length that the
  // link does not take.
  bool commit(uint32_t slot, uint32_t length);

  // Kicks the ring without blocking. `sent`, `rejected` and `bytes` count what the kernel has taken since the last
  // flush.
  SendResult flush();

  // Sends frames `first` up to `end` without blocking, after what the ring still holds, so that order is kept.
  SendResult send(const FrameSource& frames, uint32_t first, uint32_t end);

 private:
  // 16 frames a call are as fast as any number; more save little and cost memory.
  static constexpr uint32_t kChunk = 64;
  static constexpr size_t kScratch = 256 * 1024;

  Injector(LinkWatch link, UniqueFd ring_socket, UniqueFd batch_socket, TxRing ring, std::vector<std::string> warnings);
  int drain_ring();
  void reap();
  uint32_t fill_chunk(const FrameSource& frames, uint32_t first, uint32_t end, uint32_t* next);
  void send_chunk(uint32_t count, uint32_t first, SendResult* result);
  void reject(uint32_t first, uint32_t length, SendResult* result);

  LinkWatch link_;
  UniqueFd ring_socket_;
  UniqueFd batch_socket_;
  TxRing ring_;
  std::vector<std::string> warnings_;
  TxRing::Taken unreported_;
  uint64_t accepted_ = 0;
  uint64_t sent_ = 0;
  uint64_t bytes_ = 0;
  uint64_t rejected_ = 0;
  std::array<mmsghdr, kChunk> messages_{};
  std::array<iovec, kChunk> parts_{};
  // Copies of the frames of one chunk whose checksums are completed; made on first use.
  std::vector<uint8_t> scratch_;
};

}  // namespace netring

#endif  // NETRING_CORE_INJECTOR_H_
