// Runs XDP programs in the kernel over frames that never were on a wire.
#ifndef NETRING_TEST_XDP_RUN_H_
#define NETRING_TEST_XDP_RUN_H_

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "../core/bpf_syscall.h"
#include "check.h"

namespace netring::test {

inline int call_bpf(int command, bpf_attr* attr) {
  return static_cast<int>(::syscall(__NR_bpf, command, attr, sizeof *attr));
}

inline bpf_attr no_arguments() {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  return attr;
}

// False, and the test counts as skipped, where this user may not use bpf(2).
inline bool may_use_bpf() {
  const Result<UniqueFd> map = create_xskmap(1);
  if (map.status().error == EPERM) obstacle() = "bpf(2) is not permitted: run as root";
  EXPECT(map.ok() || !obstacle().empty());
  return map.ok();
}

// What the program returns for a frame of 14 bytes or more; -1 when it could not run.
inline int run_xdp(int program_fd, std::span<const uint8_t> frame) {
  bpf_attr attr = no_arguments();
  attr.test.prog_fd = static_cast<uint32_t>(program_fd);
  attr.test.data_in = reinterpret_cast<uintptr_t>(frame.data());
  attr.test.data_size_in = static_cast<uint32_t>(frame.size());
  attr.test.repeat = 1;
  return call_bpf(BPF_PROG_TEST_RUN, &attr) == 0 ? static_cast<int>(attr.test.retval) : -1;
}

}  // namespace netring::test

#endif  // NETRING_TEST_XDP_RUN_H_
