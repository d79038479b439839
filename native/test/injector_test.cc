// The sending core on a veth pair of a private network namespace; a plain packet socket at the other end counts.
#include "../core/injector.h"

#include <linux/if_ether.h>
#include <poll.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "../core/packet_socket.h"
#include "check.h"

namespace netring::test {

namespace {

struct Cable {
  Cable() {
    expect_equal(std::system("ip link add va type veth peer name vb && ip link set va up && ip link set vb up"), 0,
                 "veth", 0);
  }
  ~Cable() { (void)!std::system("ip link del va"); }
};

// Frames of ethertype 0x88b6 with memory of exactly their length, so that a read past one is noticed.
class Frames : public FrameSource {
 public:
  void add(uint32_t length, bool complete = false) {
    std::vector<uint8_t> bytes(length, 0x5a);
    if (length >= ETH_HLEN) {
      bytes[12] = 0x88;
      bytes[13] = 0xb6;
    }
    bytes.shrink_to_fit();
    frames_.push_back(std::move(bytes));
    complete_.push_back(complete);
  }
  Frame at(uint32_t place) const override {
    return {frames_[place].data(), static_cast<uint32_t>(frames_[place].size()), complete_[place]};
  }
  uint32_t size() const { return static_cast<uint32_t>(frames_.size()); }

 private:
  std::vector<std::vector<uint8_t>> frames_;
  std::vector<bool> complete_;
};

// Counts with the kernel's statistics of an ordinary socket, which include what its buffer had no room for.
class Receiver {
 public:
  Receiver() : socket_(std::move(*open_packet_socket())) {
    (void)bind_packet_socket(socket_.get(), find_link("vb")->index, 0x88b6);
  }
  // Frames since the last call, after at most a second until there are as many as expected.
  uint32_t count(uint32_t expected) const {
    uint32_t frames = 0;
    for (int i = 0; i < 100 && frames < expected; ++i) {
      tpacket_stats statistics{};
      socklen_t size = sizeof statistics;
      EXPECT_EQ(::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size), 0);
      frames += statistics.tp_packets;
      if (frames < expected) ::poll(nullptr, 0, 10);
    }
    return frames;
  }

 private:
  UniqueFd socket_;
};

std::unique_ptr<Injector> open() {
  Result<std::unique_ptr<Injector>> injector = Injector::open({"va", 2048, 8, false});
  EXPECT(injector.ok());
  for (int i = 0; i < 50 && !(*injector)->link().info().up(); ++i) {
    pollfd readable = {(*injector)->link().fd(), POLLIN, 0};
    ::poll(&readable, 1, 100);
    (*injector)->link().update();
  }
  return std::move(*injector);
}

void sends_all_but_what_does_not_fit() {
  const Cable cable;
  const std::unique_ptr<Injector> injector = open();
  const Receiver receiver;
  Frames frames;
  for (const uint32_t length : {60U, 0U, 13U, 14U, 1514U, 1515U, 60U}) frames.add(length);
  const SendResult result = injector->send(frames, 0, frames.size());
  EXPECT_EQ(result.sent, 4U);
  EXPECT_EQ(result.rejected, 3U);
  EXPECT_EQ(result.consumed, 7U);
  EXPECT_EQ(result.error, 0);
  EXPECT_EQ(result.first_rejected, 1);
  EXPECT_EQ(result.first_rejected_length, 0);
  EXPECT_EQ(result.bytes, uint64_t{60 + 14 + 1514 + 60});
  EXPECT_EQ(receiver.count(4U), 4U);
  EXPECT_EQ(injector->rejected(), uint64_t{3});
}

void a_range_keeps_the_places_of_the_whole() {
  const Cable cable;
  const std::unique_ptr<Injector> injector = open();
  Frames frames;
  for (const uint32_t length : {5U, 60U, 60U, 7U, 60U}) frames.add(length);
  const SendResult result = injector->send(frames, 1, 5);
  EXPECT_EQ(result.sent, 3U);
  EXPECT_EQ(result.consumed, 4U);
  EXPECT_EQ(result.first_rejected, 3);
  EXPECT_EQ(result.first_rejected_length, 7);
  EXPECT_EQ(injector->send(frames, 5, 5).consumed, 0U);
}

void chunks_of_any_mixture_add_up() {
  const Cable cable;
  const std::unique_ptr<Injector> injector = open();
  const Receiver receiver;
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    Frames frames;
    uint32_t good = 0;
    for (uint32_t i = random() % 200; i > 0; --i) {
      const uint32_t length = random() % 4 == 0 ? random() % 14 : 14 + random() % 1501;
      frames.add(length, random() % 2 == 0);
      if (length >= 14) ++good;
    }
    const SendResult result = injector->send(frames, 0, frames.size());
    EXPECT_EQ(result.sent, good);
    EXPECT_EQ(result.rejected, frames.size() - good);
    EXPECT_EQ(receiver.count(good), good);
  }
}

// More copies than the scratch memory holds at a time.
void long_frames_to_complete_are_sent_in_parts() {
  const Cable cable;
  expect_equal(std::system("ip link set vb mtu 9000 && ip link set va mtu 9000"), 0, "mtu", 0);
  const std::unique_ptr<Injector> injector = open();
  const Receiver receiver;
  Frames frames;
  for (int i = 0; i < 100; ++i) frames.add(9014, true);
  EXPECT_EQ(injector->send(frames, 0, frames.size()).sent, 100U);
  EXPECT_EQ(receiver.count(100U), 100U);
}

void the_ring_goes_before_the_batch() {
  const Cable cable;
  const std::unique_ptr<Injector> injector = open();
  const Receiver receiver;
  TxRing& ring = injector->ring();
  for (int i = 0; i < 3; ++i) {
    const auto slot = static_cast<uint32_t>(ring.allocate());
    std::memset(ring.data(slot), 0x5a, 60);
    ring.data(slot)[12] = 0x88;
    ring.data(slot)[13] = 0xb6;
    EXPECT(injector->commit(slot, 60));
    EXPECT(!injector->commit(static_cast<uint32_t>(ring.allocate()), 13));
  }
  Frames frames;
  frames.add(60);
  EXPECT_EQ(injector->send(frames, 0, 1).sent, 1U);
  EXPECT_EQ(receiver.count(4U), 4U);
  const SendResult flushed = injector->flush();
  EXPECT_EQ(flushed.sent, 3U);
  EXPECT_EQ(flushed.bytes, uint64_t{180});
  EXPECT_EQ(injector->flush().sent, 0U);
}

void refuses_at_once_without_a_link() {
  const Cable cable;
  const std::unique_ptr<Injector> injector = open();
  expect_equal(std::system("ip link set va down"), 0, "down", 0);
  Frames frames;
  frames.add(60);
  // Before rtnetlink was read as well.
  EXPECT_EQ(injector->send(frames, 0, 1).error, ENETDOWN);
  injector->link().update();
  const SendResult result = injector->send(frames, 0, 1);
  EXPECT_EQ(result.error, ENETDOWN);
  EXPECT_EQ(result.consumed, 0U);
  expect_equal(std::system("ip link del va && ip link add va type veth peer name vb"), 0, "delete", 0);
  injector->link().update();
  EXPECT_EQ(injector->send(frames, 0, 1).error, ENXIO);
}

void opening_tells_what_is_missing() {
  const Result<std::unique_ptr<Injector>> injector = Injector::open({"nosuch", 2048, 8, false});
  EXPECT_EQ(injector.status().error, ENODEV);
  const Cable cable;
  EXPECT_EQ(Injector::open({"va", 2048, UINT32_MAX, false}).status().error, EINVAL);
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"sends_all_but_what_does_not_fit", sends_all_but_what_does_not_fit},
      {"a_range_keeps_the_places_of_the_whole", a_range_keeps_the_places_of_the_whole},
      {"chunks_of_any_mixture_add_up", chunks_of_any_mixture_add_up},
      {"long_frames_to_complete_are_sent_in_parts", long_frames_to_complete_are_sent_in_parts},
      {"the_ring_goes_before_the_batch", the_ring_goes_before_the_batch},
      {"refuses_at_once_without_a_link", refuses_at_once_without_a_link},
      {"opening_tells_what_is_missing", opening_tells_what_is_missing},
  });
}
