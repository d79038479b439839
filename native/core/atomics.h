// The only place that touches words shared with the kernel.
//
// The kernel writes a block or slot first and its status word last, behind a barrier; we read the status with acquire
// before the content, and give the memory back with a release store after the last access to it
// (Documentation/networking/packet_mmap.rst).
#ifndef NETRING_CORE_ATOMICS_H_
#define NETRING_CORE_ATOMICS_H_

#include <cstdint>

namespace netring {

inline uint32_t load_acquire(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
inline void store_release(uint32_t* word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

}  // namespace netring

#endif  // NETRING_CORE_ATOMICS_H_
