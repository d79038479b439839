// What a capture has counted: for any thread, and readable after its end.
#ifndef NETRING_CORE_CAPTURE_BOOKS_H_
#define NETRING_CORE_CAPTURE_BOOKS_H_

#include <cstdint>
#include <mutex>

#include "ring_packet.h"

namespace netring {

// Totals since open.
struct CaptureTotals {
  uint64_t received = 0;  // passed the filter: delivered into the ring plus dropped
  uint64_t drops = 0;
  uint64_t freezes = 0;
  uint64_t packets = 0;  // handed out in batches
  uint64_t bytes = 0;    // their lengths on the wire
  uint64_t refiltered = 0;
};

class CaptureBooks {
 public:
  // Of the packet socket `fd`, which outlives this or is told of by `close`.
  explicit CaptureBooks(int fd) : fd_(fd) {}
  CaptureBooks(const CaptureBooks&) = delete;
  CaptureBooks& operator=(const CaptureBooks&) = delete;

  // Enters a batch that was read.
  void count(const BatchCount& read);
  // The kernel clears its counters on every read, so nobody else may read them.
  CaptureTotals read();
  // Looks at the kernel's counters for the last time.
  void close();

 private:
  void look_at_kernel();

  std::mutex mutex_;
  int fd_;
  CaptureTotals totals_;
  uint64_t packets_at_look_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_CAPTURE_BOOKS_H_
