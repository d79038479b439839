#include "link.h"

#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "ethtool.h"
#include "netlink.h"

namespace netring {

namespace {

constexpr char kLookup[] = "if_nametoindex";
// Sequence numbers of our requests; the kernel's own notifications carry 0.
constexpr uint32_t kByName = 1;
constexpr uint32_t kByIndex = 2;
// One call of `update` reads at most this much, so that a storm of link events elsewhere on the machine cannot hold its
// caller.
constexpr int kMaxDatagrams = 256;

struct LinkRequest {
  ifinfomsg body{};
  rtattr mask_header = {RTA_LENGTH(sizeof(uint32_t)), IFLA_EXT_MASK};
  uint32_t mask = RTEXT_FILTER_SKIP_STATS;
  rtattr name_header = {RTA_LENGTH(IFNAMSIZ), IFLA_IFNAME};
  char name[IFNAMSIZ] = {};
};

Status request_link(int fd, int index, const std::string& name) {
  LinkRequest request;
  request.body.ifi_family = AF_UNSPEC;
  request.body.ifi_index = index;
  std::memcpy(request.name, name.data(), name.size());
  const size_t size = name.empty() ? offsetof(LinkRequest, name_header) : sizeof request;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&request);
  return send_request(fd, RTM_GETLINK, 0, name.empty() ? kByIndex : kByName, {bytes, size});
}

// A name the kernel would take (dev_valid_name), so that nothing else reaches it.
bool valid_name(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..") return false;
  return name.find_first_of(std::string_view("/: \t\n\v\f\r\0", 9)) == std::string::npos;
}

// The body of an RTM_NEWLINK or RTM_DELLINK about the link itself. The same messages with family AF_BRIDGE tell of
// ports: a port that leaves its bridge is "deleted" in that sense only.
bool read_body(const nlmsghdr& message, ifinfomsg* body) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return false;
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof *body)) return false;
  std::memcpy(body, NLMSG_DATA(&message), sizeof *body);
  return body->ifi_family == AF_UNSPEC;
}

void apply(const nlmsghdr& message, const ifinfomsg& body, LinkInfo* info) {
  const MessageView view(message, sizeof body);
  info->index = body.ifi_index;
  info->flags = body.ifi_flags;
  info->link_type = body.ifi_type;
  info->mtu = view.u32(IFLA_MTU, info->mtu);
  info->queues = view.u32(IFLA_NUM_RX_QUEUES, info->queues);
  info->send_queues = view.u32(IFLA_NUM_TX_QUEUES, info->send_queues);
  if (const auto address = view.find(IFLA_ADDRESS); address.size() == info->address.size())
    std::copy(address.begin(), address.end(), info->address.begin());
  if (std::string name = view.text(IFLA_IFNAME); !name.empty()) info->name = std::move(name);
}

int error_of(const nlmsghdr& message) {
  nlmsgerr error{};
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof error)) return EPROTO;
  std::memcpy(&error, NLMSG_DATA(&message), sizeof error);
  return -error.error;
}

Result<LinkInfo> query_by_name(int fd, const std::string& name) {
  if (!valid_name(name)) return Status{ENODEV, kLookup};
  if (const Status status = request_link(fd, 0, name); !status.ok()) return status;
  LinkInfo info;
  int error = 0;
  const Status status = read_messages(fd, [&](const nlmsghdr& message) {
    if (message.nlmsg_seq != kByName) return true;
    ifinfomsg body{};
    if (message.nlmsg_type == NLMSG_ERROR) {
      error = error_of(message);
    } else if (read_body(message, &body)) {
      apply(message, body, &info);
    }
    return false;
  });
  if (!status.ok()) return status;
  if (error == ENODEV || (error == 0 && info.index == 0)) return Status{ENODEV, kLookup};
  if (error != 0) return Status{error, "netlink"};
  return info;
}

}  // namespace

bool LinkInfo::up() const { return (flags & IFF_UP) != 0 && (flags & IFF_LOWER_UP) != 0; }

Result<LinkInfo> find_link(const std::string& name) {
  Result<UniqueFd> socket = open_route_socket(0);
  if (!socket.ok()) return socket.status();
  return query_by_name(socket->get(), name);
}

LinkWatch::LinkWatch(UniqueFd socket, LinkInfo info) : socket_(std::move(socket)), info_(std::move(info)) {}

Result<LinkWatch> LinkWatch::open(const std::string& name) {
  // Subscribed before it asks: no change can fall between the two.
  Result<UniqueFd> socket = open_route_socket(RTMGRP_LINK);
  if (!socket.ok()) return socket.status();
  Result<LinkInfo> info = query_by_name(socket->get(), name);
  // A storm of events may have overrun the socket between the two calls.
  for (int retry = 0; retry < 3 && info.status().error == ENOBUFS; ++retry) info = query_by_name(socket->get(), name);
  if (!info.ok()) return info.status();
  return LinkWatch(std::move(*socket), std::move(*info));
}

LinkState LinkWatch::state() const {
  if (gone_) return LinkState::kGone;
  return info_.up() ? LinkState::kUp : LinkState::kDown;
}

bool LinkWatch::passes() const {
  if (!info_.up()) return false;
  ifreq request = named_request();
  // Fails for an interface that was renamed or deleted just now, which rtnetlink tells.
  if (::ioctl(socket_.get(), SIOCGIFFLAGS, &request) != 0) return true;
  const auto now = static_cast<uint32_t>(static_cast<uint16_t>(request.ifr_flags));
  // These 16 bits have no place for the carrier. IFF_RUNNING follows it, but is off by itself on a link that waits for
  // authentication.
  const uint32_t lost = info_.flags & ~now;
  return (lost & (IFF_UP | IFF_RUNNING)) == 0;
}

int LinkWatch::send_error() const {
  if (gone_) return ENXIO;
  return passes() ? 0 : ENETDOWN;
}

uint32_t LinkWatch::current_mtu() const {
  ifreq request = named_request();
  return ::ioctl(socket_.get(), SIOCGIFMTU, &request) == 0 ? static_cast<uint32_t>(request.ifr_mtu) : info_.mtu;
}

uint32_t LinkWatch::queues() const { return queues_in_use(socket_.get(), info_.name, info_.queues); }

uint32_t LinkWatch::send_queues() const { return send_queues_in_use(socket_.get(), info_.name, info_.send_queues); }

ifreq LinkWatch::named_request() const {
  ifreq request{};
  std::memcpy(request.ifr_name, info_.name.data(), std::min<size_t>(info_.name.size(), IFNAMSIZ - 1));
  return request;
}

LinkWatch::Change LinkWatch::update() {
  if (gone_) return Change::kNone;
  const bool was_up = info_.up();
  Status status = read();
  if (status.error == ENOBUFS) {
    // What was dropped is unknown. First the queue has to be emptied, else the answer would not fit into it.
    stale_ = true;
    status = read();
  }
  if (stale_ && status.error == EAGAIN && request_link(socket_.get(), info_.index, "").ok()) {
    stale_ = false;
    if (read().error == ENOBUFS) stale_ = true;
  }
  if (gone_) return Change::kGone;
  if (info_.up() == was_up) return Change::kNone;
  return info_.up() ? Change::kUp : Change::kDown;
}

Status LinkWatch::read() {
  return read_messages(
      socket_.get(),
      [this](const nlmsghdr& message) {
        ifinfomsg body{};
        if (message.nlmsg_type == NLMSG_ERROR && message.nlmsg_seq == kByIndex) {
          gone_ = error_of(message) == ENODEV;
        } else if (read_body(message, &body) && body.ifi_index == info_.index) {
          // Also sent, in the old namespace, for an interface that moves to another one.
          if (message.nlmsg_type == RTM_DELLINK) gone_ = true;
          if (message.nlmsg_type == RTM_NEWLINK) apply(message, body, &info_);
        }
        if (gone_) info_.flags = 0;
        return !gone_;
      },
      kMaxDatagrams);
}

}  // namespace netring
