#include "netlink.h"

#include <sys/socket.h>

#include <algorithm>

namespace netring {

namespace {

constexpr char kStep[] = "netlink";
// The kernel builds dump messages of up to 32 KiB when it is given the room (netlink_recvmsg, max_recvmsg_len).
constexpr size_t kBufferSize = 32 * 1024;
// A dump is read to its end before the next one starts, so one number tells its messages from notifications (0).
constexpr uint32_t kDumpSequence = 1;

std::string text_of(std::span<const uint8_t> payload) {
  const auto* characters = reinterpret_cast<const char*>(payload.data());
  return payload.empty() ? std::string() : std::string(characters, ::strnlen(characters, payload.size()));
}

}  // namespace

Result<UniqueFd> open_route_socket(uint32_t groups) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  // Not "socket": a refusal here has nothing to do with CAP_NET_RAW, which that step stands for.
  if (!fd) return Status::failed(kStep);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Status::failed(kStep);
  return fd;
}

Status send_request(int fd, uint16_t type, uint16_t flags, uint32_t sequence, std::span<const uint8_t> body) {
  std::vector<uint8_t> request(NLMSG_SPACE(body.size()));
  const nlmsghdr header = {static_cast<uint32_t>(NLMSG_LENGTH(body.size())), type,
                           static_cast<uint16_t>(flags | NLM_F_REQUEST), sequence, 0};
  std::memcpy(request.data(), &header, sizeof header);
  std::memcpy(request.data() + NLMSG_HDRLEN, body.data(), body.size());
  ssize_t sent = 0;
  do {
    sent = ::send(fd, request.data(), request.size(), 0);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? Status::failed(kStep) : Status{};
}

Status read_messages(int fd, const std::function<bool(const nlmsghdr&)>& handle, int max_datagrams) {
  alignas(nlmsghdr) uint8_t buffer[kBufferSize];
  for (int i = 0; i < max_datagrams; ++i) {
    const ssize_t received = ::recv(fd, buffer, sizeof buffer, MSG_TRUNC | MSG_DONTWAIT);
    if (received < 0) {
      if (errno == EINTR) continue;
      return Status::failed(kStep);
    }
    if (static_cast<size_t>(received) > sizeof buffer) return {EMSGSIZE, kStep};
    auto left = static_cast<uint32_t>(received);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (!handle(*message)) return {};
    }
  }
  return {EAGAIN, kStep};
}

Status dump(int fd, uint16_t type, std::span<const uint8_t> body, const std::function<void(const nlmsghdr&)>& handle) {
  if (const Status status = send_request(fd, type, NLM_F_DUMP, kDumpSequence, body); !status.ok()) return status;
  Status outcome;
  bool interrupted = false;
  const Status status = read_messages(fd, [&](const nlmsghdr& message) {
    if (message.nlmsg_seq != kDumpSequence) return true;
    if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
    if (message.nlmsg_type == NLMSG_DONE) return false;
    if (message.nlmsg_type == NLMSG_ERROR) {
      nlmsgerr error{};
      if (message.nlmsg_len >= NLMSG_LENGTH(sizeof error)) std::memcpy(&error, NLMSG_DATA(&message), sizeof error);
      outcome = {error.error == 0 ? EPROTO : -error.error, kStep};
      return false;
    }
    handle(message);
    return true;
  });
  if (!status.ok()) return status;
  if (!outcome.ok()) return outcome;
  return interrupted ? Status{EINTR, kStep} : Status{};
}

MessageView::MessageView(const nlmsghdr& message, size_t body_size) {
  const size_t before = NLMSG_HDRLEN + NLMSG_ALIGN(body_size);
  if (message.nlmsg_len < before) return;
  attributes_ = reinterpret_cast<const uint8_t*>(&message) + before;
  size_ = message.nlmsg_len - before;
}

std::span<const uint8_t> MessageView::next(uint16_t type, size_t* at) const {
  while (size_ - *at >= sizeof(rtattr)) {
    rtattr attribute{};
    const uint8_t* begin = attributes_ + *at;
    std::memcpy(&attribute, begin, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > size_ - *at) break;
    *at += std::min<size_t>(RTA_ALIGN(attribute.rta_len), size_ - *at);
    if ((attribute.rta_type & NLA_TYPE_MASK) == type) return {begin + RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0)};
  }
  *at = size_;
  return {};
}

std::span<const uint8_t> MessageView::find(uint16_t type) const {
  size_t at = 0;
  return next(type, &at);
}

uint32_t MessageView::u32(uint16_t type, uint32_t otherwise) const {
  const std::span<const uint8_t> payload = find(type);
  uint32_t value = otherwise;
  if (payload.size() >= sizeof value) std::memcpy(&value, payload.data(), sizeof value);
  return value;
}

std::string MessageView::text(uint16_t type) const { return text_of(find(type)); }

std::vector<std::string> MessageView::texts(uint16_t type) const {
  std::vector<std::string> all;
  for (size_t at = 0; at < size_;) {
    const std::span<const uint8_t> payload = next(type, &at);
    if (!payload.empty()) all.push_back(text_of(payload));
  }
  return all;
}

}  // namespace netring
