// All interfaces of the calling thread's network namespace, from rtnetlink and ethtool: sysfs shows the namespace it
// was mounted in, which need not be this one.
#ifndef NETRING_CORE_INTERFACE_LIST_H_
#define NETRING_CORE_INTERFACE_LIST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ethtool.h"
#include "result.h"

namespace netring {

struct Interface {
  std::string name;
  std::vector<std::string> alt_names;  // its other names
  int index = 0;
  uint32_t mtu = 0;
  uint32_t flags = 0;      // IFF_*
  uint16_t link_type = 0;  // ARPHRD_*
  std::string address;     // lower-case hexadecimal with colons, empty without one
  bool carrier = false;
  uint8_t oper_state = 0;              // IF_OPER_* of linux/if.h (RFC 2863)
  uint32_t queues = 1;                 // receive queues
  uint32_t send_queues = 1;            // send queues
  uint32_t combined_queues = 0;        // those that are both, counted in both
  uint32_t speed = 0;                  // Mbit/s, 0 unknown
  std::string driver;                  // empty unknown
  OffloadFlags offloads;               // what changes the frames that a capture sees
  std::vector<std::string> addresses;  // IPv4 and IPv6 with prefix length, as `192.0.2.1/24`
  bool default_route = false;          // an IPv4 or IPv6 default route leaves through it
};

Result<std::vector<Interface>> list_interfaces();

}  // namespace netring

#endif  // NETRING_CORE_INTERFACE_LIST_H_
