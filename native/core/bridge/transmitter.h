// The sending side of a bridge's direction: up to a batch of frames, handed to the kernel in as few calls as possible,
// by sendmmsg straight out of the receive slots. A TX ring is slower, without the copy into its slots that a bridge
// would have to make besides (`npm run bench -- tx`, both in C, Linux 6.18: 64 bytes 1639 ns a frame, sendmmsg 1469,
// send 1988; 1500 bytes 1768, 1659 and 2198).
#ifndef NETRING_CORE_BRIDGE_TRANSMITTER_H_
#define NETRING_CORE_BRIDGE_TRANSMITTER_H_

#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "../link.h"
#include "../resources.h"
#include "counters.h"

namespace netring {

// The two sockets of a port that send. What needs no virtio_net header goes without: the kernel's work on it is a sixth
// of what a small frame costs (2080 against 1740 ns).
struct Sender {
  UniqueFd plain;
  UniqueFd with_header;
  bool qdisc_bypass = false;
};

class Transmitter {
 public:
  // 32 and more frames a call are equally fast.
  static constexpr uint32_t kBatch = 64;

  Transmitter(Sender* sender, const LinkWatch* out, DirectionCounters* counters);
  Transmitter(const Transmitter&) = delete;
  Transmitter& operator=(const Transmitter&) = delete;

  bool full() const { return count_ == kBatch; }
  // Adds a frame of at least 14 bytes; false when the link takes none of its length, which is counted. Header and frame
  // stay where they are until `flush` has returned true.
  bool add(const uint8_t* header, uint8_t* frame, uint32_t length);
  // False when the port takes nothing at the moment. After true nothing is left.
  bool flush();
  // Gives up, and counts, what a blocked port has held up.
  void abandon();

 private:
  void count_forwarded(uint32_t taken);
  bool refused(int error);
  uint32_t end_of_run() const;
  void drop_rest(Counter* counter);
  bool stop_bypass();

  Sender* sender_;
  const LinkWatch* out_;
  DirectionCounters* counters_;
  uint32_t count_ = 0;
  uint32_t next_ = 0;
  int64_t blocked_since_ns_ = 0;
  std::array<mmsghdr, kBatch> messages_{};
  // Header and frame of each; a plain frame has no header.
  std::array<std::array<iovec, 2>, kBatch> parts_{};
  std::array<bool, kBatch> plain_{};
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_TRANSMITTER_H_
