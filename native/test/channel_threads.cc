// The reader on its thread, while another one takes batches, counts, drains and stops. Under ThreadSanitizer.
#include <linux/if_ether.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../core/channel/channel.h"
#include "../core/clock.h"
#include "../core/packet_socket.h"
#include "check.h"

namespace netring::test {

namespace {

constexpr uint32_t kNumberAt = 14;

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) expect_equal(false, true, command.c_str(), __LINE__);
}

void sleep_ms(long ms) {
  const timespec time = {0, ms * 1'000'000};
  ::nanosleep(&time, nullptr);
}

// A cable, va - vb; the channel reads vb.
struct Cable {
  Cable() {
    shell("ip link add va type veth peer name vb");
    for (const char* end : {"va", "vb"}) shell("ip link set " + std::string(end) + " up addrgenmode none");
  }
  ~Cable() {
    if (!gone) shell("ip link del va");
  }
  bool gone = false;
};

ChannelConfig config(uint32_t capacity, double most_bytes = 1 << 24) {
  ChannelConfig config;
  config.capture.interface = "vb";
  config.capture.block_size = 65536;
  config.capture.block_count = 64;
  config.capture.frame_size = 2048;
  config.capture.block_timeout_ms = 5;
  config.capacity = capacity;
  config.most_bytes = most_bytes;
  return config;
}

// What the addon is to the channel: its thread, its listener, and the word for what was consumed.
class Taker {
 public:
  explicit Taker(const ChannelConfig& config) {
    Result<std::unique_ptr<Channel>> opened = Channel::open(config);
    if (!EXPECT(opened.ok())) return;
    channel = std::move(*opened);
    channel->set_consumed(&consumed_);
    EXPECT_EQ(::pthread_create(&thread_, nullptr, &Taker::body, this), 0);
  }
  ~Taker() {
    if (!channel) return;
    channel->stop();
    join();
  }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;

  // Takes what there is, and judges that it is numbered from `next` on.
  uint64_t take_all() {
    uint64_t taken = 0;
    for (;;) {
      PacketQueue& packets = channel->packets();
      PacketQueue::Batch* batch = packets.take();
      if (batch == nullptr) return taken;
      const uint32_t count = batch->packets;
      // Every other slab is read after the batch has gone back, as JavaScript does, and goes back itself later still.
      SlabPool::Slab slab = batch->slab;
      std::vector<uint32_t> offsets;
      for (uint32_t i = 0; i < count; ++i) offsets.push_back(batch->records[i].offset);
      const bool keep = keeps_ = !keeps_;
      if (keep) batch->slab.data = nullptr;
      if (keep) packets.taken(batch);
      for (const uint32_t offset : offsets) {
        uint64_t number = 0;
        std::memcpy(&number, slab.data + offset + kNumberAt, sizeof number);
        if (number < next) ++unordered;
        next = number + 1;
      }
      (void)packets.bytes_out();
      if (keep) {
        packets.pool()->give_back(slab);
      } else {
        packets.taken(batch);
      }
      consume(count);
      taken += count;
    }
  }
  void consume(uint32_t count) { __atomic_store_n(&consumed_, consumed_ + count, __ATOMIC_SEQ_CST); }
  void join() {
    if (!joined_) ::pthread_join(thread_, nullptr);
    joined_ = true;
  }
  bool ended() const { return ended_.load(std::memory_order_acquire); }

  std::unique_ptr<Channel> channel;
  std::atomic<int> notices{0};
  int error = -1;
  uint64_t next = 0;
  uint64_t unordered = 0;

 private:
  static void* body(void* self) {
    auto* taker = static_cast<Taker*>(self);
    const auto notify = [](void* context) { ++static_cast<Taker*>(context)->notices; };
    taker->error = taker->channel->run(notify, taker).error;
    taker->ended_.store(true, std::memory_order_release);
    return nullptr;
  }

  uint32_t consumed_ = 0;
  bool keeps_ = false;
  pthread_t thread_{};
  bool joined_ = false;
  std::atomic<bool> ended_{false};
};

// Sends numbered frames from an ordinary socket.
class Sender {
 public:
  Sender() {
    Result<UniqueFd> socket = open_packet_socket();
    Result<LinkInfo> link = find_link("va");
    if (!EXPECT(socket.ok() && link.ok())) return;
    EXPECT(bind_packet_socket(socket->get(), link->index, 0).ok());
    socket_ = std::move(*socket);
  }
  void send(uint64_t count) {
    std::array<uint8_t, 64> frame = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
    for (uint64_t i = 0; i < count; ++i, ++sent) {
      std::memcpy(frame.data() + kNumberAt, &sent, sizeof sent);
      if (::send(socket_.get(), frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size())) EXPECT(false);
    }
  }
  uint64_t sent = 0;

 private:
  UniqueFd socket_;
};

void hands_over_every_packet_in_order() {
  const Cable cable;
  Taker taker(config(1'000'000));
  if (!taker.channel) return;
  Sender sender;
  uint64_t taken = 0;
  for (int round = 0; round < 40; ++round) {
    sender.send(500);
    taken += taker.take_all();
    (void)taker.channel->read_totals();
    (void)taker.channel->interface_name();
    (void)taker.channel->link_state();
  }
  for (int i = 0; i < 200 && taken < sender.sent; ++i) {
    sleep_ms(5);
    taken += taker.take_all();
  }
  EXPECT_EQ(taken, sender.sent);
  EXPECT_EQ(taker.next, sender.sent);
  EXPECT_EQ(taker.unordered, 0U);
  EXPECT_EQ(taker.channel->dropped(), 0U);
  EXPECT(taker.notices > 0);
}

void what_finds_no_room_is_dropped_and_counted() {
  const Cable cable;
  Taker taker(config(100));
  if (!taker.channel) return;
  Sender sender;
  sender.send(1000);
  for (int i = 0; i < 200 && taker.channel->queued() + taker.channel->dropped() < 1000; ++i) sleep_ms(5);
  EXPECT_EQ(taker.channel->queued(), 100U);
  EXPECT_EQ(taker.channel->dropped(), 900U);
  // Taken is not consumed.
  PacketQueue::Batch* batch = taker.channel->packets().take();
  if (!EXPECT(batch != nullptr)) return;
  EXPECT_EQ(batch->packets, 100U);
  taker.channel->packets().taken(batch);
  sender.send(10);
  for (int i = 0; i < 200 && taker.channel->dropped() < 910; ++i) sleep_ms(5);
  EXPECT_EQ(taker.channel->dropped(), 910U);
  taker.consume(40);
  sender.send(50);
  for (int i = 0; i < 200 && taker.channel->dropped() < 920; ++i) sleep_ms(5);
  EXPECT_EQ(taker.channel->queued(), 140U);
  EXPECT_EQ(taker.channel->dropped(), 920U);
}

void bytes_are_bounded_too() {
  const Cable cable;
  Taker taker(config(1'000'000, 0));
  if (!taker.channel) return;
  Sender sender;
  sender.send(5000);
  for (int i = 0; i < 400 && taker.channel->queued() + taker.channel->dropped() < 5000; ++i) sleep_ms(5);
  // Two batches are the least.
  EXPECT_EQ(taker.channel->queued(), 2U * PacketQueue::kMostPackets);
  EXPECT_EQ(taker.channel->dropped(), 5000U - 2 * PacketQueue::kMostPackets);
  EXPECT_EQ(taker.take_all(), 2U * PacketQueue::kMostPackets);
}

void a_drain_reads_all_there_is_and_lets_nothing_more_in() {
  const Cable cable;
  for (int round = 0; round < 20; ++round) {
    Taker taker(config(1'000'000));
    if (!taker.channel) return;
    Sender sender;
    sender.send(300);
    taker.channel->drain();
    sender.send(100);
    for (int i = 0; i < 400 && !taker.ended(); ++i) sleep_ms(1);
    EXPECT(taker.ended());
    taker.join();
    EXPECT_EQ(taker.error, 0);
    EXPECT_EQ(taker.take_all(), 300U);
    EXPECT_EQ(taker.channel->read_totals().received, 300U);
  }
}

void a_drain_is_cut_short_by_a_stop() {
  const Cable cable;
  for (int round = 0; round < 20; ++round) {
    Taker taker(config(10));
    if (!taker.channel) return;
    Sender sender;
    sender.send(200);
    taker.channel->drain();
    taker.channel->stop();
    const int64_t begin = monotonic_ms();
    taker.join();
    EXPECT(monotonic_ms() - begin < 1000);
    EXPECT_EQ(taker.error, 0);
  }
}

void stops_at_once_under_load() {
  const Cable cable;
  for (int round = 0; round < 30; ++round) {
    Taker taker(config(round % 2 == 0 ? 64 : 100'000));
    if (!taker.channel) return;
    Sender sender;
    sender.send(300);
  }
}

void tells_of_the_link_and_ends_with_the_interface() {
  Cable cable;
  Taker taker(config(1000));
  if (!taker.channel) return;
  EXPECT(taker.channel->link_state() == LinkState::kUp);
  shell("ip link set va down");
  for (int i = 0; i < 200 && taker.channel->link_state() != LinkState::kDown; ++i) sleep_ms(5);
  EXPECT(taker.channel->link_state() == LinkState::kDown);
  EXPECT(taker.notices > 0);
  shell("ip link set va up");
  for (int i = 0; i < 200 && taker.channel->link_state() != LinkState::kUp; ++i) sleep_ms(5);
  EXPECT(taker.channel->link_state() == LinkState::kUp);
  shell("ip link set vb down && ip link set vb name vc && ip link set vc up");
  for (int i = 0; i < 200 && taker.channel->interface_name() != "vc"; ++i) sleep_ms(5);
  EXPECT_EQ(taker.channel->interface_name(), std::string("vc"));
  for (int i = 0; i < 200 && taker.channel->link_state() != LinkState::kUp; ++i) sleep_ms(5);
  Sender sender;
  sender.send(7);
  shell("ip link del va");
  cable.gone = true;
  taker.join();
  EXPECT_EQ(taker.error, ENODEV);
  EXPECT(taker.channel->link_state() == LinkState::kGone);
  EXPECT_EQ(taker.take_all(), 7U);
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"hands_over_every_packet_in_order", hands_over_every_packet_in_order},
      {"what_finds_no_room_is_dropped_and_counted", what_finds_no_room_is_dropped_and_counted},
      {"bytes_are_bounded_too", bytes_are_bounded_too},
      {"a_drain_reads_all_there_is_and_lets_nothing_more_in", a_drain_reads_all_there_is_and_lets_nothing_more_in},
      {"a_drain_is_cut_short_by_a_stop", a_drain_is_cut_short_by_a_stop},
      {"stops_at_once_under_load", stops_at_once_under_load},
      {"tells_of_the_link_and_ends_with_the_interface", tells_of_the_link_and_ends_with_the_interface},
  });
}
