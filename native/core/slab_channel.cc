#include "slab_channel.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace netring {

namespace {

// What a message points to.
struct Letter {
  std::unique_ptr<Parcel> parcel;
  std::shared_ptr<SlabTraffic> traffic;
  // The socket orders the threads in fact; C++ wants to see it.
  std::atomic<bool> sealed = false;
};

}  // namespace

Result<SlabOutbox> SlabOutbox::join(int outbox_fd) {
  UniqueFd socket(::fcntl(outbox_fd, F_DUPFD_CLOEXEC, 0));
  if (!socket) return Status::failed("fcntl");
  return SlabOutbox(std::move(socket));
}

Status SlabOutbox::send(std::unique_ptr<Parcel> parcel) {
  auto letter = std::make_unique<Letter>();
  letter->parcel = std::move(parcel);
  letter->traffic = traffic_;
  letter->sealed.store(true, std::memory_order_release);
  const void* address = letter.get();
  traffic_->waiting.fetch_add(1, std::memory_order_acq_rel);
  if (::send(socket_.get(), &address, sizeof address, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof address) {
    const Status failure = Status::failed("send");
    traffic_->waiting.fetch_sub(1, std::memory_order_acq_rel);
    return failure;
  }
  (void)letter.release();
  return {};
}

Result<SlabInbox> SlabInbox::open() {
  int ends[2];
  // Whole messages, in order.
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return Status::failed("socketpair");
  return SlabInbox(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

bool SlabInbox::ready() const {
  void* address = nullptr;
  return ::recv(socket_.get(), &address, sizeof address, MSG_DONTWAIT | MSG_PEEK) == sizeof address;
}

std::unique_ptr<Parcel> SlabInbox::receive() {
  void* address = nullptr;
  if (::recv(socket_.get(), &address, sizeof address, MSG_DONTWAIT) != sizeof address) return nullptr;
  const std::unique_ptr<Letter> letter(static_cast<Letter*>(address));
  (void)letter->sealed.load(std::memory_order_acquire);
  traffic_ = letter->traffic;
  traffic_->waiting.fetch_sub(1, std::memory_order_acq_rel);
  return std::move(letter->parcel);
}

void SlabInbox::close() {
  if (!socket_) return;
  // From here on senders get EPIPE; what they have sent before can still be received, and must be, or it would leak.
  ::shutdown(socket_.get(), SHUT_RD);
  while (receive() != nullptr) {
  }
  socket_.reset();
  outbox_.reset();
}

}  // namespace netring
