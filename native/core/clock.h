// Time for deadlines: it never jumps.
#ifndef NETRING_CORE_CLOCK_H_
#define NETRING_CORE_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace netring {

inline int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline int64_t monotonic_ms() { return monotonic_ns() / 1'000'000; }

}  // namespace netring

#endif  // NETRING_CORE_CLOCK_H_
