#include "wire.h"

#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "../core/netlink.h"

namespace netring {

namespace {

using Bytes = std::vector<uint8_t>;

void append(Bytes* bytes, const void* data, size_t size) {
  const auto* first = static_cast<const uint8_t*>(data);
  bytes->insert(bytes->end(), first, first + size);
  bytes->resize(RTA_ALIGN(bytes->size()));
}

Bytes attribute(uint16_t type, std::span<const uint8_t> payload) {
  Bytes bytes;
  const rtattr header = {static_cast<uint16_t>(RTA_LENGTH(payload.size())), type};
  append(&bytes, &header, sizeof header);
  append(&bytes, payload.data(), payload.size());
  return bytes;
}

Bytes text(uint16_t type, std::string_view value) {
  return attribute(type, {reinterpret_cast<const uint8_t*>(value.data()), value.size()});
}

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes bytes;
  for (const Bytes& part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

Bytes link_body(unsigned index, unsigned flags) {
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = static_cast<int>(index);
  body.ifi_flags = flags;
  body.ifi_change = flags;
  Bytes bytes;
  append(&bytes, &body, sizeof body);
  return bytes;
}

// Sends a request that changes something and reads the kernel's verdict.
Status change(uint16_t flags, const Bytes& body, const char* step) {
  Result<UniqueFd> socket = open_route_socket(0);
  if (!socket.ok()) return socket.status();
  constexpr uint32_t kSequence = 1;
  if (Status sent = send_request(socket->get(), RTM_NEWLINK, flags | NLM_F_ACK, kSequence, body); !sent.ok())
    return sent;
  int error = 0;
  const Status read = read_messages(socket->get(), [&error](const nlmsghdr& message) {
    if (message.nlmsg_type != NLMSG_ERROR || message.nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return true;
    nlmsgerr verdict{};
    std::memcpy(&verdict, NLMSG_DATA(&message), sizeof verdict);
    error = -verdict.error;
    return false;
  });
  return read.ok() ? Status{error, step} : read;
}

// Without a link-local address the kernel solicits no routers and reports no groups.
Status silence(unsigned index) {
  const uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  const Bytes inet6 = attribute(AF_INET6, attribute(IFLA_INET6_ADDR_GEN_MODE, {&mode, 1}));
  const Status status = change(0, join({link_body(index, 0), attribute(IFLA_AF_SPEC, inet6)}), "addrgenmode");
  // A kernel without IPv6 is silent anyway.
  return status.error == EAFNOSUPPORT || status.error == EOPNOTSUPP ? Status{} : status;
}

}  // namespace

Status bring_up(const char* name) {
  const unsigned index = ::if_nametoindex(name);
  if (index == 0) return Status::failed(name);
  return change(0, link_body(index, IFF_UP), name);
}

Status make_wire(const char* a, const char* b) {
  const Bytes peer = attribute(VETH_INFO_PEER, join({link_body(0, 0), text(IFLA_IFNAME, b)}));
  const Bytes info = join({text(IFLA_INFO_KIND, "veth"), attribute(IFLA_INFO_DATA, peer)});
  const Bytes body = join({link_body(0, 0), text(IFLA_IFNAME, a), attribute(IFLA_LINKINFO, info)});
  if (Status made = change(NLM_F_CREATE | NLM_F_EXCL, body, "veth"); !made.ok()) return made;
  for (const char* name : {a, b}) {
    if (Status silent = silence(::if_nametoindex(name)); !silent.ok()) return silent;
    if (Status up = bring_up(name); !up.ok()) return up;
  }
  return {};
}

}  // namespace netring
