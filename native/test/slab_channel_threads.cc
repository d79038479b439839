// Slabs that one thread fills and another reads and gives back. The thread sanitizer judges.
#include <algorithm>
#include <atomic>
#include <thread>

#include "../core/slab_channel.h"
#include "check.h"

namespace netring::test {
namespace {

constexpr uint32_t kParcels = 20'000;
constexpr size_t kLength = 5000;

void parcels_arrive_in_order_and_slabs_go_round() {
  const auto pool = std::make_shared<SlabPool>();
  Result<SlabInbox> inbox = SlabInbox::open();
  EXPECT(inbox.ok());
  std::thread sender([&pool, fd = inbox->outbox_fd()] {
    Result<SlabOutbox> outbox = SlabOutbox::join(fd);
    for (uint32_t i = 0; i < kParcels; ++i) {
      while (!outbox->has_room()) std::this_thread::yield();
      const SlabPool::Slab slab = pool->take(kLength);
      slab.data[0] = slab.data[kLength - 1] = static_cast<uint8_t>(i);
      if (!outbox->send(std::make_unique<Parcel>(pool, slab, kLength)).ok()) return;
    }
  });
  uint32_t wrong = 0;
  uint32_t most = 0;
  for (uint32_t i = 0; i < kParcels; ++i) {
    std::unique_ptr<Parcel> parcel;
    while ((parcel = inbox->receive()) == nullptr) std::this_thread::yield();
    most = std::max(most, static_cast<uint32_t>(pool->live_bytes() / SlabPool::slab_size(kLength)));
    const SlabPool::Slab slab = parcel->take_slab();
    if (slab.data[0] != static_cast<uint8_t>(i) || slab.data[kLength - 1] != static_cast<uint8_t>(i)) ++wrong;
    pool->give_back(slab);
  }
  sender.join();
  EXPECT_EQ(wrong, 0U);
  // Those on the way, one that is read and one that is filled.
  EXPECT(most <= SlabOutbox::kMostWaiting + 2);
  EXPECT(!inbox->ready());
  EXPECT_EQ(pool->live_bytes(), size_t{0});
}

// The inbox closes in the middle of a stream: what was on the way returns to the pool, what comes later is refused.
void a_closed_inbox_loses_no_slab() {
  for (int round = 0; round < 200; ++round) {
    const auto pool = std::make_shared<SlabPool>();
    Result<SlabInbox> inbox = SlabInbox::open();
    Result<SlabOutbox> outbox = SlabOutbox::join(inbox->outbox_fd());
    inbox->close_outbox();
    int error = 0;
    std::thread sender([&] {
      while (error == 0) {
        if (outbox->has_room()) error = outbox->send(std::make_unique<Parcel>(pool, pool->take(100), 100)).error;
      }
    });
    while (inbox->receive() == nullptr) std::this_thread::yield();
    inbox->close();
    sender.join();
    EXPECT_EQ(error, EPIPE);
    EXPECT_EQ(pool->live_bytes(), size_t{0});
  }
}

void parcels_outlive_their_sender() {
  Result<SlabInbox> inbox = SlabInbox::open();
  std::thread sender([fd = inbox->outbox_fd()] {
    const auto pool = std::make_shared<SlabPool>();
    Result<SlabOutbox> outbox = SlabOutbox::join(fd);
    (void)outbox->send(std::make_unique<Parcel>(pool, pool->take(100), 100));
    (void)outbox->send(std::make_unique<Parcel>(pool, pool->take(100), 100));
    pool->close();
  });
  sender.join();
  inbox->close_outbox();
  EXPECT(inbox->ready());
  const std::unique_ptr<Parcel> parcel = inbox->receive();
  EXPECT(parcel != nullptr && parcel->length() == 100);
  // The other one goes with the inbox, this one with its parcel.
}

// Who receives looks at what the sender counts, while it counts and after its end.
void the_senders_books_are_open_to_the_receiver() {
  for (int round = 0; round < 50; ++round) {
    Result<SlabInbox> inbox = SlabInbox::open();
    std::atomic<bool> introduced = false;
    std::thread sender([&introduced, fd = inbox->outbox_fd()] {
      const auto pool = std::make_shared<SlabPool>();
      const auto books = std::make_shared<CaptureBooks>(-1);
      Result<SlabOutbox> outbox = SlabOutbox::join(fd);
      EXPECT(outbox->introduce({books, pool}).ok());
      (void)outbox->send(std::make_unique<Parcel>(pool, pool->take(100), 100));
      introduced.store(true);
      for (int i = 0; i < 1000; ++i) {
        BatchCount read;
        read.packets = 3;
        read.original_bytes = 200;
        books->count(read);
        pool->stalls.add(1);
      }
      books->close();
      pool->close();
    });
    while (!introduced.load()) std::this_thread::yield();
    EXPECT(inbox->sender().books == nullptr);
    inbox->close_outbox();
    if (EXPECT(inbox->sender().books != nullptr)) {
      uint64_t before = 0;
      for (int i = 0; i < 100; ++i) {
        const CaptureTotals totals = inbox->sender().books->read();
        EXPECT(totals.packets >= before && totals.bytes * 3 == totals.packets * 200);
        before = totals.packets;
        (void)inbox->sender().pool->stalls.get();
      }
      sender.join();
      EXPECT_EQ(inbox->sender().books->read().packets, 3000U);
      EXPECT_EQ(inbox->sender().pool->stalls.get(), 1000U);
      EXPECT(inbox->receive() != nullptr);
      EXPECT(inbox->receive() == nullptr);
    } else {
      sender.join();
    }
  }
}

// Nobody has closed the outbox on this side yet: the introduction is no parcel.
void an_introduction_is_not_received() {
  Result<SlabInbox> inbox = SlabInbox::open();
  const auto pool = std::make_shared<SlabPool>();
  Result<SlabOutbox> outbox = SlabOutbox::join(inbox->outbox_fd());
  EXPECT(outbox->introduce({std::make_shared<CaptureBooks>(-1), pool}).ok());
  EXPECT(inbox->receive() == nullptr);
  EXPECT(inbox->sender().books != nullptr);
  (void)outbox->send(std::make_unique<Parcel>(pool, pool->take(100), 100));
  inbox->close_outbox();
  EXPECT(inbox->receive() != nullptr);
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"parcels_arrive_in_order_and_slabs_go_round", parcels_arrive_in_order_and_slabs_go_round},
      {"a_closed_inbox_loses_no_slab", a_closed_inbox_loses_no_slab},
      {"parcels_outlive_their_sender", parcels_outlive_their_sender},
      {"the_senders_books_are_open_to_the_receiver", the_senders_books_are_open_to_the_receiver},
      {"an_introduction_is_not_received", an_introduction_is_not_received},
  });
}
