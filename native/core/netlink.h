// The little of rtnetlink that the link watch and the interface list need: a request, its answer, attributes.
#ifndef NETRING_CORE_NETLINK_H_
#define NETRING_CORE_NETLINK_H_

#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "resources.h"
#include "result.h"

namespace netring {

// A non-blocking NETLINK_ROUTE socket of the calling thread's network namespace. `groups` are RTMGRP_* bits.
//
// rtnetlink works in the context of the sender: the answer to a request is queued before send() returns, and the next
// part of a dump when the one before is read. So a non-blocking read that finds nothing means a lost answer, never one
// still to come, and no call here can hang.
Result<UniqueFd> open_route_socket(uint32_t groups);

// Sends `body` (an ifinfomsg, an rtmsg with attributes) as one request.
Status send_request(int fd, uint16_t type, uint16_t flags, uint32_t sequence, std::span<const uint8_t> body);

// Reads messages and hands them to `handle` until it returns false, which is success. Fails with EAGAIN when nothing is
// left to read, ENOBUFS after an overrun, EMSGSIZE for a datagram longer than the buffer. At most `max_datagrams` are
// read, then EAGAIN as well.
Status read_messages(int fd, const std::function<bool(const nlmsghdr&)>& handle, int max_datagrams = 1 << 20);

// A complete dump: `handle` gets every message of it. Fails with EINTR when a change interrupted it, so that the whole
// is inconsistent.
Status dump(int fd, uint16_t type, std::span<const uint8_t> body, const std::function<void(const nlmsghdr&)>& handle);

// The body of a message and the attributes behind it, every length checked.
class MessageView {
 public:
  MessageView(const nlmsghdr& message, size_t body_size);
  // Nested: the attributes behind some other structure.
  MessageView(const uint8_t* attributes, size_t size) : attributes_(attributes), size_(size) {}

  bool valid() const { return attributes_ != nullptr; }
  // Payload of the first attribute of this type; empty when there is none.
  std::span<const uint8_t> find(uint16_t type) const;
  uint32_t u32(uint16_t type, uint32_t otherwise) const;
  // A string without its terminator.
  std::string text(uint16_t type) const;
  // The strings of all attributes of this type.
  std::vector<std::string> texts(uint16_t type) const;

 private:
  // Payload of the first attribute of this type at `*at` or behind it, which is then where the next one begins.
  std::span<const uint8_t> next(uint16_t type, size_t* at) const;

  const uint8_t* attributes_ = nullptr;
  size_t size_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_NETLINK_H_
