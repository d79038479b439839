#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

namespace netring {

Result<UniqueFd> open_packet_socket() {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Status::failed("socket");
  return fd;
}

Status bind_packet_socket(int fd, int ifindex, uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = ifindex;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Status::failed("bind");
  return {};
}

Status set_option(int fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) return Status::failed(name);
  return {};
}

Status attach_filter(int fd, std::span<const sock_filter> program) {
  if (program.empty()) {
    const int unused = 0;
    // ENOENT: nothing was attached.
    if (::setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) != 0 && errno != ENOENT)
      return Status::failed("SO_DETACH_FILTER");
    return {};
  }
  const sock_fprog argument = {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &argument, sizeof argument) != 0)
    return Status::failed("SO_ATTACH_FILTER");
  return {};
}

Status attach_ebpf_filter(int fd, int program_fd) {
  return set_option(fd, SOL_SOCKET, SO_ATTACH_BPF, program_fd, "SO_ATTACH_BPF");
}

Status check_program(int fd, std::span<const sock_filter> program) {
  if (program.empty()) return {};
  if (const Status status = attach_filter(fd, program); !status.ok()) return status;
  return attach_filter(fd, {});
}

Status set_promiscuous(int fd, int ifindex, bool on) {
  packet_mreq membership{};
  membership.mr_ifindex = ifindex;
  membership.mr_type = PACKET_MR_PROMISC;
  const int option = on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
  if (::setsockopt(fd, SOL_PACKET, option, &membership, sizeof membership) != 0)
    return Status::failed(on ? "PACKET_ADD_MEMBERSHIP" : "PACKET_DROP_MEMBERSHIP");
  return {};
}

int take_socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

}  // namespace netring
