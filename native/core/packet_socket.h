// AF_PACKET sockets and their options, each as one call that names itself in its failure.
#ifndef NETRING_CORE_PACKET_SOCKET_H_
#define NETRING_CORE_PACKET_SOCKET_H_

#include <linux/filter.h>

#include <cstdint>
#include <span>

#include "resources.h"
#include "result.h"

namespace netring {

// A raw AF_PACKET socket with protocol 0: it receives nothing until `bind_packet_socket` gives it a protocol, so that
// no frame of another interface, and none that the filter refuses, can slip in while it is being set up.
Result<UniqueFd> open_packet_socket();

// `protocol` in host byte order; 0 for a socket that only sends.
Status bind_packet_socket(int fd, int ifindex, uint16_t protocol);

Status set_option(int fd, int level, int option, int value, const char* name);

// Attaches a classic BPF program in place of the one before, atomically; an empty program detaches.
Status attach_filter(int fd, std::span<const sock_filter> program);

// Attaches an eBPF program of type socket filter, which then belongs to the socket too, in place of the program before,
// classic or not. EINVAL: the descriptor is no such program.
Status attach_ebpf_filter(int fd, int program_fd);

// Has the kernel check a program, by attaching it for a moment to a socket that receives nothing.
Status check_program(int fd, std::span<const sock_filter> program);

// PACKET_MR_PROMISC: counted by the kernel and gone with the socket, unlike IFF_PROMISC.
Status set_promiscuous(int fd, int ifindex, bool on);

// Reads and thereby clears SO_ERROR. While it stands poll() reports POLLERR without end.
int take_socket_error(int fd);

}  // namespace netring

#endif  // NETRING_CORE_PACKET_SOCKET_H_
