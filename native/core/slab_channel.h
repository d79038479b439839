// Slabs that one thread fills and another reads. An ArrayBuffer over a slab cannot be handed from one JavaScript
// environment to another (Node.js 20 copies it without a word, later ones refuse), so the slab goes instead, as a
// message in a pair of sockets of this process: a queue that needs no global state and whose ends may go in any order.
#ifndef NETRING_CORE_SLAB_CHANNEL_H_
#define NETRING_CORE_SLAB_CHANNEL_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "capture_books.h"
#include "resources.h"
#include "result.h"
#include "slab_pool.h"

namespace netring {

struct Letter;

// A filled slab. Returns it to its pool unless somebody has taken it out.
class Parcel {
 public:
  Parcel(std::shared_ptr<SlabPool> pool, SlabPool::Slab slab, size_t length)
      : pool_(std::move(pool)), slab_(slab), length_(length) {}
  ~Parcel() {
    if (slab_.data != nullptr) pool_->give_back(slab_);
  }
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;

  const std::shared_ptr<SlabPool>& pool() const { return pool_; }
  size_t length() const { return length_; }
  // Whoever takes it out gives it back.
  SlabPool::Slab take_slab() { return std::exchange(slab_, {}); }

 private:
  std::shared_ptr<SlabPool> pool_;
  SlabPool::Slab slab_;
  size_t length_;
};

// What both ends know of the way between them.
struct SlabTraffic {
  std::atomic<uint32_t> waiting{0};
  // The sender has a batch and no memory for it.
  std::atomic<bool> stalled{false};
};

// Of whoever sends, what the receiver may look at, for as long as it likes.
struct SlabSender {
  std::shared_ptr<CaptureBooks> books;
  std::shared_ptr<SlabPool> pool;
};

// The sending end, in the thread that fills.
class SlabOutbox {
 public:
  // Batches on the way at which no more are sent: what is read ahead of a slow reader; its ring is left to fill then.
  static constexpr uint32_t kMostWaiting = 16;

  // A descriptor of its own for `SlabInbox::outbox_fd()`.
  static Result<SlabOutbox> join(int outbox_fd);

  bool has_room() const { return traffic_->waiting.load(std::memory_order_acquire) < kMostWaiting; }
  void set_stalled(bool stalled) { traffic_->stalled.store(stalled, std::memory_order_seq_cst); }
  // Comes before the first parcel.
  Status introduce(SlabSender sender);
  // EPIPE once the inbox is closed.
  Status send(std::unique_ptr<Parcel> parcel);

 private:
  explicit SlabOutbox(UniqueFd socket) : socket_(std::move(socket)) {}
  Status post(std::unique_ptr<Letter> letter);

  UniqueFd socket_;
  // Shared with the messages, whose number is counted down as they arrive.
  std::shared_ptr<SlabTraffic> traffic_ = std::make_shared<SlabTraffic>();
};

// The receiving end. Frees what has not been received.
class SlabInbox {
 public:
  static Result<SlabInbox> open();
  SlabInbox(SlabInbox&&) = default;
  SlabInbox& operator=(SlabInbox&&) = delete;
  ~SlabInbox() { close(); }

  // For `SlabOutbox::join`; to be closed once the other thread has joined, or will not any more.
  int outbox_fd() const { return outbox_.get(); }
  void close_outbox();

  bool ready() const;
  // Whether the sender had no memory when it last looked. Memory is under what it has sent before: without that it has.
  // In one order with other sequentially consistent words: who says that it sleeps and then looks here misses nothing.
  bool sender_stalled() const { return traffic_ && traffic_->stalled.load(std::memory_order_seq_cst); }
  // The oldest parcel, null when there is none.
  std::unique_ptr<Parcel> receive();
  void close();
  // From `close_outbox` on, if the other thread has introduced itself before; else of nothing.
  const SlabSender& sender() const { return sender_; }

 private:
  SlabInbox(UniqueFd socket, UniqueFd outbox) : socket_(std::move(socket)), outbox_(std::move(outbox)) {}

  std::unique_ptr<Letter> next_letter();

  UniqueFd socket_;
  UniqueFd outbox_;
  // The sender's, known from its introduction or its first parcel on.
  std::shared_ptr<SlabTraffic> traffic_;
  SlabSender sender_;
};

}  // namespace netring

#endif  // NETRING_CORE_SLAB_CHANNEL_H_
