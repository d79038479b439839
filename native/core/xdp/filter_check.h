// What the kernel checks when a classic BPF program is attached to a socket, for those that are never attached to one.
#ifndef NETRING_CORE_XDP_FILTER_CHECK_H_
#define NETRING_CORE_XDP_FILTER_CHECK_H_

#include <linux/filter.h>

#include <span>

namespace netring {

// Whether every instruction is one of classic BPF, no jump leads out of the program, nothing is divided by a constant
// 0, and so on (bpf_check_classic). Other than there, scratch memory that was never written may be read: it is 0.
bool is_valid_filter(std::span<const sock_filter> filter);

}  // namespace netring

#endif  // NETRING_CORE_XDP_FILTER_CHECK_H_
