// The receiving side of a bridge port on a private cable: what a ring that is short of room hands to its backlog.
#include "../core/bridge/receiver.h"

#include <linux/if_ether.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../core/link.h"
#include "../core/packet_socket.h"
#include "../core/vnet_header.h"
#include "check.h"

namespace netring::test {

namespace {

constexpr uint32_t kSlots = 128;
constexpr uint32_t kSlotSize = 2048;
constexpr uint32_t kNumberAt = ETH_HLEN;

void shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) expect_equal(false, true, command.c_str(), __LINE__);
}

struct Cable {
  Cable() {
    shell("ip link add va type veth peer name vb");
    // Numbered frames are the only ones.
    for (const char* end : {"va", "vb"}) shell(std::string("ip link set ") + end + " mtu 9000 up addrgenmode none");
    Result<UniqueFd> socket = open_packet_socket();
    EXPECT(socket.ok());
    out = std::move(*socket);
    EXPECT(bind_packet_socket(out.get(), find_link("va")->index, 0).ok());
    Result<Receiver> opened =
        Receiver::open(find_link("vb")->index, {kSlots * kSlotSize / 4, 4, kSlotSize, false}, &warnings);
    EXPECT(opened.ok());
    if (opened.ok()) receiver.push_back(std::move(*opened));
  }
  ~Cable() {
    receiver.clear();
    shell("ip link del va");
  }

  // A frame whose bytes tell its number; awaits that the receiving end has dealt with it.
  void send(uint32_t number, uint32_t length) {
    std::vector<uint8_t> frame(length, static_cast<uint8_t>(number));
    constexpr uint8_t kHeader[ETH_HLEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    std::memcpy(frame.data(), kHeader, sizeof kHeader);
    std::memcpy(frame.data() + kNumberAt, &number, sizeof number);
    if (::send(out.get(), frame.data(), length, 0) != static_cast<ssize_t>(length)) EXPECT(false);
  }

  // Takes the oldest frame. False when there is none; anything but frame `number` of `length` bytes is a failure.
  bool take(uint32_t number, uint32_t length) {
    ReceivedFrame frame;
    if (!receiver[0].peek(0, &frame)) return false;
    std::vector<uint8_t> queued(kVnetHeaderLength + length + 1);
    if (frame.queued) {
      EXPECT_EQ(receiver[0].take_queued(queued.data(), length + kVnetHeaderLength), length + kVnetHeaderLength);
      frame.header = queued.data();
      frame.length = length;
    }
    EXPECT_EQ(frame.length, length);
    EXPECT_EQ(frame.original_length, length);
    EXPECT_EQ(frame.protocol, 0x88b5);
    if (frame.header == nullptr || frame.length != length) return false;
    uint32_t found = 0;
    std::memcpy(&found, frame.frame() + kNumberAt, sizeof found);
    EXPECT_EQ(found, number);
    const uint8_t* rest = frame.frame() + kNumberAt + sizeof found;
    EXPECT(std::all_of(rest, rest + length - kNumberAt - sizeof found,
                       [&](uint8_t byte) { return byte == (number & 0xff); }));
    receiver[0].release(1);
    return true;
  }

  // Kernel drops since the last call.
  uint32_t drops() {
    tpacket_stats statistics{};
    socklen_t size = sizeof statistics;
    EXPECT_EQ(::getsockopt(receiver[0].fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size), 0);
    return statistics.tp_drops;
  }

  std::vector<std::string> warnings;
  UniqueFd out;
  // One; it cannot be assigned.
  std::vector<Receiver> receiver;
};

constexpr uint32_t length_of(uint32_t number) { return 60 + number * 37 % 900; }

// Sends as many frames as the ring has slots left after `relieve`, again and again.
void holds_more_than_its_slots_in_order() {
  Cable cable;
  constexpr uint32_t kFrames = 230;
  for (uint32_t number = 0; number < kFrames; ++number) {
    cable.send(number, length_of(number));
    cable.receiver[0].relieve();
  }
  EXPECT_EQ(cable.drops(), 0U);
  uint32_t taken = 0;
  while (taken < kFrames && (cable.take(taken, length_of(taken)) || cable.take(taken, length_of(taken)))) ++taken;
  EXPECT_EQ(taken, kFrames);
  ReceivedFrame none;
  EXPECT(!cable.receiver[0].peek(0, &none));
}

// What comes while the backlog is worked off goes behind it.
void keeps_the_order_while_it_drains() {
  Cable cable;
  uint32_t sent = 0;
  uint32_t taken = 0;
  for (uint32_t round = 0; round < 40; ++round) {
    for (uint32_t i = 0; i < 90; ++i, ++sent) cable.send(sent, 60);
    cable.receiver[0].relieve();
    for (uint32_t i = 0; i < 80; ++i, ++taken)
      if (!cable.take(taken, 60)) EXPECT(false);
  }
  EXPECT_EQ(cable.drops(), 0U);
  cable.receiver[0].relieve();
  while (cable.take(taken, 60)) ++taken;
  EXPECT_EQ(taken, sent);
}

void frames_too_long_for_a_slot_stay_in_the_queue() {
  Cable cable;
  constexpr uint32_t kFrames = 200;
  const auto length = [](uint32_t number) { return number % 5 == 0 ? 4000 + number : 60 + number; };
  for (uint32_t number = 0; number < kFrames; ++number) {
    cable.send(number, length(number));
    cable.receiver[0].relieve();
  }
  EXPECT_EQ(cable.drops(), 0U);
  uint32_t taken = 0;
  while (taken < kFrames && (cable.take(taken, length(taken)))) {
    ++taken;
    cable.receiver[0].relieve();
  }
  EXPECT_EQ(taken, kFrames);
}

// A full backlog leaves the rest to the ring, and a full ring to the kernel's counter: nothing vanishes unseen.
void loses_only_what_the_kernel_counts() {
  Cable cable;
  constexpr uint32_t kFrames = 2000;
  for (uint32_t number = 0; number < kFrames; ++number) {
    cable.send(number, 60);
    cable.receiver[0].relieve();
  }
  uint32_t taken = 0;
  for (;; ++taken) {
    if (cable.take(taken, 60)) continue;
    cable.receiver[0].relieve();
    if (!cable.take(taken, 60)) break;
  }
  EXPECT(taken > 6 * kSlots);
  EXPECT_EQ(taken + cable.drops(), kFrames);
}

void throws_away_what_it_holds() {
  Cable cable;
  for (uint32_t number = 0; number < 300; ++number) {
    cable.send(number, 60);
    cable.receiver[0].relieve();
  }
  EXPECT_EQ(cable.receiver[0].discard(), 300U);
  cable.send(7, 60);
  EXPECT(cable.take(7, 60));
}

constexpr Test kTests[] = {
    {"holds_more_than_its_slots_in_order", holds_more_than_its_slots_in_order},
    {"keeps_the_order_while_it_drains", keeps_the_order_while_it_drains},
    {"frames_too_long_for_a_slot_stay_in_the_queue", frames_too_long_for_a_slot_stay_in_the_queue},
    {"loses_only_what_the_kernel_counts", loses_only_what_the_kernel_counts},
    {"throws_away_what_it_holds", throws_away_what_it_holds},
};

}  // namespace

}  // namespace netring::test

int main() { return netring::test::run_all(netring::test::kTests); }
