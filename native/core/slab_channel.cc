#include "slab_channel.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace netring {

// What a message points to: an introduction, or a parcel.
struct Letter {
  SlabSender sender;
  std::unique_ptr<Parcel> parcel;
  std::shared_ptr<SlabTraffic> traffic;
  // The socket orders the threads in fact; C++ wants to see it.
  std::atomic<bool> sealed = false;
};

Result<SlabOutbox> SlabOutbox::join(int outbox_fd) {
  UniqueFd socket(::fcntl(outbox_fd, F_DUPFD_CLOEXEC, 0));
  if (!socket) return Status::failed("fcntl");
  return SlabOutbox(std::move(socket));
}

Status SlabOutbox::introduce(SlabSender sender) {
  auto letter = std::make_unique<Letter>();
  letter->sender = std::move(sender);
  return post(std::move(letter));
}

Status SlabOutbox::send(std::unique_ptr<Parcel> parcel) {
  auto letter = std::make_unique<Letter>();
  letter->parcel = std::move(parcel);
  traffic_->waiting.fetch_add(1, std::memory_order_acq_rel);
  const Status status = post(std::move(letter));
  if (!status.ok()) traffic_->waiting.fetch_sub(1, std::memory_order_acq_rel);
  return status;
}

Status SlabOutbox::post(std::unique_ptr<Letter> letter) {
  letter->traffic = traffic_;
  letter->sealed.store(true, std::memory_order_release);
  const void* address = letter.get();
  if (::send(socket_.get(), &address, sizeof address, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof address)
    return Status::failed("send");
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

std::unique_ptr<Letter> SlabInbox::next_letter() {
  void* address = nullptr;
  if (::recv(socket_.get(), &address, sizeof address, MSG_DONTWAIT) != sizeof address) return nullptr;
  std::unique_ptr<Letter> letter(static_cast<Letter*>(address));
  (void)letter->sealed.load(std::memory_order_acquire);
  traffic_ = letter->traffic;
  return letter;
}

std::unique_ptr<Parcel> SlabInbox::receive() {
  for (;;) {
    const std::unique_ptr<Letter> letter = next_letter();
    if (letter == nullptr) return nullptr;
    if (letter->parcel == nullptr) {
      sender_ = letter->sender;
      continue;
    }
    letter->traffic->waiting.fetch_sub(1, std::memory_order_acq_rel);
    return std::move(letter->parcel);
  }
}

void SlabInbox::close_outbox() {
  outbox_.reset();
  // The introduction is the first letter, and there may be none.
  void* address = nullptr;
  if (::recv(socket_.get(), &address, sizeof address, MSG_DONTWAIT | MSG_PEEK) != sizeof address) return;
  const auto* first = static_cast<const Letter*>(address);
  if (first->sealed.load(std::memory_order_acquire) && first->parcel == nullptr) sender_ = next_letter()->sender;
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
