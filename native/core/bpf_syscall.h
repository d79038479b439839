// bpf(2), which glibc does not wrap, as far as XDP and socket programs need it. Its arguments are declared here: those
// in <linux/bpf.h> depend on the age of the kernel headers.
#ifndef NETRING_CORE_BPF_SYSCALL_H_
#define NETRING_CORE_BPF_SYSCALL_H_

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <string>

#include "resources.h"
#include "result.h"

namespace netring {

// All in the calling thread's network namespace. A failed step is named after its command.

Result<UniqueFd> create_xskmap(uint32_t entries);
// An XSKMAP that something else has pinned to a bpf file system; EINVAL for what is none.
Result<UniqueFd> open_pinned_xskmap(const std::string& path);
Status set_in_map(int map_fd, uint32_t key, int socket_fd);
Status remove_from_map(int map_fd, uint32_t key);

// A program that something else has pinned to a bpf file system. What is no program is opened as well: whoever attaches
// it is told EINVAL.
Result<UniqueFd> open_pinned_program(const std::string& path);

// On failure `log` is the last that the verifier said, empty when it was not asked.
Result<UniqueFd> load_xdp_program(std::span<const bpf_insn> program, std::string* log);
Result<uint32_t> program_id(int program_fd);

// `flags` are XDP_FLAGS_*. The program is attached while the link's descriptor is open, whatever becomes of the
// process.
Result<UniqueFd> create_xdp_link(int program_fd, int ifindex, uint32_t flags);
Status update_link(int link_fd, int program_fd);
// 0 once the link was detached, by another tool or because the interface is gone.
Result<uint32_t> link_interface(int link_fd);

}  // namespace netring

#endif  // NETRING_CORE_BPF_SYSCALL_H_
