// What the driver of an interface tells through ethtool's ioctl. `fd` is a socket of the interface's network namespace.
#ifndef NETRING_CORE_ETHTOOL_H_
#define NETRING_CORE_ETHTOOL_H_

#include <cstdint>
#include <string>

namespace netring {

// Mbit/s, 0 when unknown.
uint32_t read_speed(int fd, const std::string& name);
// Empty when unknown.
std::string read_driver(int fd, const std::string& name);
// Receive queues in use, at least 1. rtnetlink tells how many there may be at most, which is a multiple of it for many
// drivers.
uint32_t queues_in_use(int fd, const std::string& name, uint32_t at_most);
uint32_t send_queues_in_use(int fd, const std::string& name, uint32_t at_most);

// Offloads that change what a receiver sees of the frames.
struct OffloadFlags {
  bool vlan_stripping = false;
  bool large_receive = false;
};
OffloadFlags read_offloads(int fd, const std::string& name);

}  // namespace netring

#endif  // NETRING_CORE_ETHTOOL_H_
