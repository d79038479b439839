#include "interface_list.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "ethtool.h"
#include "netlink.h"

namespace netring {

namespace {

constexpr int kDumpAttempts = 5;
// A bonded or an InfiniBand port's address is at most 32 bytes (MAX_ADDR_LEN).
constexpr size_t kMaxAddress = 32;
// IFLA_PROP_LIST and IFLA_ALT_IFNAME of Linux 5.5, which older headers do not have.
constexpr uint16_t kPropertyList = 52;
constexpr uint16_t kAlternativeName = 53;

std::string format_address(std::span<const uint8_t> address) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t octet : address.first(std::min(address.size(), kMaxAddress))) {
    if (!text.empty()) text += ':';
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  return text;
}

Status dump_links(int fd, std::vector<Interface>* interfaces) {
  struct {
    ifinfomsg body{};
    rtattr mask_header = {RTA_LENGTH(sizeof(uint32_t)), IFLA_EXT_MASK};
    uint32_t mask = RTEXT_FILTER_SKIP_STATS;
  } request;
  interfaces->clear();
  return dump(fd, RTM_GETLINK, {reinterpret_cast<const uint8_t*>(&request), sizeof request},
              [interfaces](const nlmsghdr& message) {
                ifinfomsg body{};
                const MessageView view(message, sizeof body);
                if (message.nlmsg_type != RTM_NEWLINK || !view.valid()) return;
                std::memcpy(&body, NLMSG_DATA(&message), sizeof body);
                Interface entry;
                entry.name = view.text(IFLA_IFNAME);
                if (const auto list = view.find(kPropertyList); !list.empty())
                  entry.alt_names = MessageView(list.data(), list.size()).texts(kAlternativeName);
                entry.index = body.ifi_index;
                entry.mtu = view.u32(IFLA_MTU, 0);
                entry.flags = body.ifi_flags;
                entry.link_type = body.ifi_type;
                entry.address = format_address(view.find(IFLA_ADDRESS));
                entry.carrier = (body.ifi_flags & IFF_LOWER_UP) != 0;
                if (const auto state = view.find(IFLA_OPERSTATE); !state.empty()) entry.oper_state = state[0];
                entry.queues = view.u32(IFLA_NUM_RX_QUEUES, 1);
                entry.send_queues = view.u32(IFLA_NUM_TX_QUEUES, 1);
                interfaces->push_back(std::move(entry));
              });
}

// The interface's own address: IFA_ADDRESS is the other end of a point-to-point link when there is an IFA_LOCAL.
std::string own_address(const MessageView& view, const ifaddrmsg& body) {
  const size_t size = body.ifa_family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  std::span<const uint8_t> address = view.find(IFA_LOCAL);
  if (address.size() != size) address = view.find(IFA_ADDRESS);
  char text[INET6_ADDRSTRLEN];
  if (address.size() != size || ::inet_ntop(body.ifa_family, address.data(), text, sizeof text) == nullptr) return "";
  return std::string(text) + "/" + std::to_string(body.ifa_prefixlen);
}

Status dump_addresses(int fd, uint8_t family, std::multimap<int, std::string>* addresses) {
  ifaddrmsg request{};
  request.ifa_family = family;
  addresses->clear();
  return dump(fd, RTM_GETADDR, {reinterpret_cast<const uint8_t*>(&request), sizeof request},
              [family, addresses](const nlmsghdr& message) {
                ifaddrmsg body{};
                const MessageView view(message, sizeof body);
                if (message.nlmsg_type != RTM_NEWADDR || !view.valid()) return;
                std::memcpy(&body, NLMSG_DATA(&message), sizeof body);
                if (body.ifa_family != family) return;
                if (std::string text = own_address(view, body); !text.empty())
                  addresses->emplace(static_cast<int>(body.ifa_index), std::move(text));
              });
}

void collect_next_hops(const MessageView& route, std::set<int>* indices) {
  if (const uint32_t index = route.u32(RTA_OIF, 0); index != 0) indices->insert(static_cast<int>(index));
  std::span<const uint8_t> hops = route.find(RTA_MULTIPATH);
  while (hops.size() >= sizeof(rtnexthop)) {
    rtnexthop hop{};
    std::memcpy(&hop, hops.data(), sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > hops.size()) return;
    indices->insert(hop.rtnh_ifindex);
    hops = hops.subspan(std::min<size_t>(RTNH_ALIGN(hop.rtnh_len), hops.size()));
  }
}

// Interfaces that a default route of the main table leaves through. A default route that refuses ("unreachable", as
// systems without IPv6 have it on lo) is none.
Status dump_default_routes(int fd, uint8_t family, std::set<int>* indices) {
  rtmsg request{};
  request.rtm_family = family;
  return dump(fd, RTM_GETROUTE, {reinterpret_cast<const uint8_t*>(&request), sizeof request},
              [family, indices](const nlmsghdr& message) {
                rtmsg body{};
                const MessageView view(message, sizeof body);
                if (message.nlmsg_type != RTM_NEWROUTE || !view.valid()) return;
                std::memcpy(&body, NLMSG_DATA(&message), sizeof body);
                if (body.rtm_family != family || body.rtm_dst_len != 0 || body.rtm_type != RTN_UNICAST) return;
                if (view.u32(RTA_TABLE, body.rtm_table) == RT_TABLE_MAIN) collect_next_hops(view, indices);
              });
}

// A change of the table while it is read asks for another try.
template <typename Attempt>
Status retry_interrupted(const Attempt& attempt) {
  Status status;
  for (int i = 0; i < kDumpAttempts; ++i) {
    status = attempt();
    if (status.error != EINTR) return status;
  }
  // Routes and links that never rest: the last, possibly inconsistent, answer is the best there is.
  return {};
}

}  // namespace

Result<std::vector<Interface>> list_interfaces() {
  Result<UniqueFd> socket = open_route_socket(0);
  if (!socket.ok()) return socket.status();
  const int fd = socket->get();
  std::vector<Interface> interfaces;
  if (const Status status = retry_interrupted([&] { return dump_links(fd, &interfaces); }); !status.ok()) return status;
  std::set<int> default_routes;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    std::multimap<int, std::string> addresses;
    Status status = retry_interrupted([&] { return dump_addresses(fd, family, &addresses); });
    for (Interface& entry : interfaces)
      for (auto [at, end] = addresses.equal_range(entry.index); at != end; ++at) entry.addresses.push_back(at->second);
    if (status.ok()) status = retry_interrupted([&] { return dump_default_routes(fd, family, &default_routes); });
    // Without IPv4 or IPv6 in the kernel nobody answers. Any other failure is one: that an interface is wrongly taken
    // for one without a default route would let a flow cut off its own editor.
    if (!status.ok() && status.error != EOPNOTSUPP && status.error != EAFNOSUPPORT) return status;
  }
  for (Interface& entry : interfaces) {
    entry.speed = read_speed(fd, entry.name);
    entry.driver = read_driver(fd, entry.name);
    entry.queues = queues_in_use(fd, entry.name, entry.queues);
    entry.send_queues = send_queues_in_use(fd, entry.name, entry.send_queues);
    entry.combined_queues = combined_queues_in_use(fd, entry.name);
    entry.offloads = read_offloads(fd, entry.name);
    entry.default_route = default_routes.contains(entry.index);
  }
  return interfaces;
}

}  // namespace netring
