// The XDP program that hands frames to AF_XDP sockets.
#ifndef NETRING_CORE_XDP_REDIRECT_PROGRAM_H_
#define NETRING_CORE_XDP_REDIRECT_PROGRAM_H_

#include <linux/bpf.h>
#include <linux/filter.h>

#include <span>
#include <vector>

#include "../result.h"

namespace netring {

// Redirects a frame that the filter accepts to the socket of its queue in the XSKMAP. The others, and those of queues
// without a socket, go on to the kernel. An empty filter accepts everything; see filter_translator.h for the rest.
Result<std::vector<bpf_insn>> redirect_program(std::span<const sock_filter> filter, int xskmap_fd);

}  // namespace netring

#endif  // NETRING_CORE_XDP_REDIRECT_PROGRAM_H_
