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
// Those that are one receive and one send queue with one interrupt; both counts above include them.
uint32_t combined_queues_in_use(int fd, const std::string& name);

// Offloads that change what a receiver sees of the frames: tags and checksums that are missing, frames longer than the
// MTU.
struct OffloadFlags {
  bool vlan_stripping = false;
  bool large_receive = false;
  bool generic_receive = false;
  bool generic_segmentation = false;
  bool tcp_segmentation = false;
  bool receive_checksum = false;
  bool send_checksum = false;
};
OffloadFlags read_offloads(int fd, const std::string& name);

}  // namespace netring

#endif  // NETRING_CORE_ETHTOOL_H_
