// Frames whose checksums tshark calls good, taken apart and completed again; and frames that lie about their lengths.
#include "../core/checksum.h"

#include <random>
#include <vector>

#include "check.h"

namespace netring::test {

namespace {

using Bytes = std::vector<uint8_t>;

Bytes from_hex(std::string_view digits) {
  const auto value = [](char digit) { return static_cast<uint8_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10); };
  Bytes bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<uint8_t>(value(digits[i]) << 4 | value(digits[i + 1])));
  return bytes;
}

struct Vector {
  const char* name;
  const char* frame;
  size_t checksum_at;
};

const Vector kVectors[] = {
    {"udp_ipv4",
     "0200000000020200000000010800450000231234400040113c5fc0000201c633640212345678000ff7a56e657472696e"
     "67",
     40},
    {"tcp_ipv4_odd_length",
     "0200000000020200000000010800450000331234400040063c5ac0000201c63364021234005000000001000000025018"
     "02006b4900006f6464206c656e67746821",
     50},
    {"udp_ipv4_padded_frame",
     "0200000000020200000000010800450000231234400040113c5fc0000201c633640212345678000ff7a56e657472696e"
     "67eeeeeeeeeeeeeeeeeeeeee",
     40},
    {"tcp_ipv4_with_options",
     "020000000002020000000001080046000031123440004006395bc0000201c63364020101010012340050000000010000"
     "000260180200250800000101010078",
     54},
    {"icmp",
     "0200000000020200000000010800450000291234400040013c69c0000201c63364020800e092123400016e657472696e"
     "672070696e6773",
     36},
    {"udp_802_1q",
     "020000000002020000000001810060640800450000231234400040113c5fc0000201c633640212345678000ff7a56e65"
     "7472696e67",
     44},
    {"udp_qinq",
     "02000000000202000000000188a8000a810060640800450000231234400040113c5fc0000201c633640212345678000f"
     "f7a56e657472696e67",
     48},
    {"udp_ipv6",
     "02000000000202000000000186dd60000000000f114020010db800000000000000000000000120010db8000000000000"
     "00000000000212345678000f88686e657472696e67",
     60},
    {"tcp_ipv6",
     "02000000000202000000000186dd60000000001f064020010db800000000000000000000000120010db8000000000000"
     "00000000000212340050000000010000000250180200fc0b00006f6464206c656e67746821",
     70},
    {"icmpv6",
     "02000000000202000000000186dd60000000000c3a4020010db800000000000000000000000120010db8000000000000"
     "000000000002800045700001000270696e67",
     56},
    {"udp_ipv6_extension_headers",
     "02000000000202000000000186dd60000000001f004020010db800000000000000000000000120010db8000000000000"
     "0000000000023c00050200000100110001040000000012345678000f88686e657472696e67",
     76},
    {"udp_zero_is_sent_as_ones",
     "02000000000202000000000108004500001e1234400040113c64c0000201c633640212345678000affffaaf6", 40},
};

const Vector& vector_of(std::string_view name) {
  for (const Vector& entry : kVectors)
    if (name == entry.name) return entry;
  return kVectors[0];
}

void completes_known_frames() {
  for (const Vector& entry : kVectors) {
    const Bytes good = from_hex(entry.frame);
    for (const uint8_t before : {0x00, 0x5a, 0xff}) {
      Bytes frame = good;
      frame[entry.checksum_at] = before;
      // Not 0: over IPv4 that is a UDP message that wants no checksum.
      frame[entry.checksum_at + 1] = 1;
      const bool completed = complete_checksum(frame);
      if (!completed || frame != good) expect_equal(false, true, entry.name, __LINE__);
    }
  }
}

void leaves_udp_without_checksum() {
  const Vector& entry = vector_of("udp_ipv4");
  Bytes frame = from_hex(entry.frame);
  frame[entry.checksum_at] = frame[entry.checksum_at + 1] = 0;
  const Bytes before = frame;
  EXPECT(!complete_checksum(frame));
  EXPECT(frame == before);
}

void writes_udp_over_ipv6_where_it_is_mandatory() {
  const Vector& entry = vector_of("udp_ipv6");
  const Bytes good = from_hex(entry.frame);
  Bytes frame = good;
  frame[entry.checksum_at] = frame[entry.checksum_at + 1] = 0;
  EXPECT(complete_checksum(frame));
  EXPECT(frame == good);
}

// Sets one 16-bit field of a frame and expects that it is left alone.
void expect_left_alone(const char* name, size_t at, uint16_t value) {
  Bytes frame = from_hex(vector_of(name).frame);
  frame[at] = static_cast<uint8_t>(value >> 8);
  frame[at + 1] = static_cast<uint8_t>(value & 0xff);
  const Bytes before = frame;
  EXPECT(!complete_checksum(frame));
  EXPECT(frame == before);
}

void leaves_fragments() {
  expect_left_alone("udp_ipv4", 20, 0x2000);  // more fragments
  expect_left_alone("udp_ipv4", 20, 0x0001);  // an offset
}

void leaves_lengths_that_lie() {
  expect_left_alone("udp_ipv4", 16, 0xffff);                    // total length past the frame
  expect_left_alone("udp_ipv4", 16, 0);                         // none
  expect_left_alone("udp_ipv4", 16, 27);                        // less than a UDP header is left
  expect_left_alone("udp_ipv4", 14, 0x4400);                    // IPv4 header shorter than it can be
  expect_left_alone("udp_ipv4", 14, 0x4f00);                    // IPv4 header longer than the packet
  expect_left_alone("udp_ipv4", 38, 7);                         // UDP length below its header
  expect_left_alone("udp_ipv4", 38, 0x4000);                    // UDP length past the packet
  expect_left_alone("udp_ipv6", 18, 0x0010);                    // payload length past the frame
  expect_left_alone("udp_ipv6_extension_headers", 54, 0x3cff);  // extension header past the packet
}

void leaves_other_protocols() {
  expect_left_alone("udp_ipv4", 12, 0x0806);  // ARP
  expect_left_alone("udp_ipv4", 22, 0x4084);  // SCTP
  expect_left_alone("udp_ipv6", 20, 0x3b40);  // no next header
  expect_left_alone("udp_ipv6", 20, 0x2c40);  // a fragment header
}

void leaves_a_route_with_segments_left() {
  // Destination options taken for a routing header: its segments left is not 0.
  Bytes frame = from_hex(vector_of("udp_ipv6_extension_headers").frame);
  frame[54] = 43;
  frame[54 + 8 + 3] = 1;
  EXPECT(!complete_checksum(frame));
}

void complete_all(Bytes& frame) {
  complete_ipv4_header(frame);
  begin_checksum(frame);
  complete_checksum(frame);
}

void survives_every_cut() {
  for (const Vector& entry : kVectors) {
    const Bytes good = from_hex(entry.frame);
    for (size_t length = 0; length <= good.size(); ++length) {
      Bytes frame(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
      frame.shrink_to_fit();
      complete_all(frame);
    }
  }
}

void survives_noise() {
  std::mt19937 random(1);
  for (int round = 0; round < 200'000; ++round) {
    const Vector& entry = kVectors[random() % std::size(kVectors)];
    Bytes frame = from_hex(entry.frame);
    for (uint32_t flips = 1 + random() % 4; flips > 0; --flips)
      frame[12 + random() % (frame.size() - 12)] = static_cast<uint8_t>(random());
    frame.resize(random() % (frame.size() + 1));
    frame.shrink_to_fit();
    complete_all(frame);
  }
}

uint32_t read16(const Bytes& frame, size_t at) { return static_cast<uint32_t>(frame[at] << 8 | frame[at + 1]); }

void completes_ipv4_headers() {
  for (const Vector& entry : kVectors) {
    const Bytes good = from_hex(entry.frame);
    Bytes frame = good;
    // Where the header begins in frames without a tag; others are left as they are.
    const bool plain = read16(frame, 12) == 0x0800;
    if (plain) frame[24] = frame[25] = 0x5a;
    complete_ipv4_header(frame);
    if (!EXPECT(frame == good)) return;
  }
}

// As the kernel ends what is begun here: the sum of the message with the pseudo header's in the place of the checksum.
void begins_what_the_kernel_ends() {
  int begun = 0;
  for (const Vector& entry : kVectors) {
    const Bytes good = from_hex(entry.frame);
    Bytes frame = good;
    frame[entry.checksum_at] ^= 0x5a;
    const PartialChecksum partial = begin_checksum(frame);
    if (partial.start == 0) continue;
    ++begun;
    EXPECT_EQ(partial.start + partial.offset, entry.checksum_at);
    const bool udp = partial.offset == 6;
    const size_t end = udp ? partial.start + read16(frame, partial.start + 4) : frame.size();
    uint64_t sum = 0;
    for (size_t at = partial.start; at < end; ++at) sum += at % 2 == partial.start % 2 ? frame[at] * 256U : frame[at];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    // 0 is sent as 0xffff (skb_checksum_help).
    const uint64_t ended = (~sum & 0xffff) == 0 ? 0xffff : ~sum & 0xffff;
    EXPECT_EQ(ended, read16(good, entry.checksum_at));
  }
  EXPECT(begun >= 6);
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"completes_known_frames", completes_known_frames},
      {"completes_ipv4_headers", completes_ipv4_headers},
      {"begins_what_the_kernel_ends", begins_what_the_kernel_ends},
      {"leaves_udp_without_checksum", leaves_udp_without_checksum},
      {"writes_udp_over_ipv6_where_it_is_mandatory", writes_udp_over_ipv6_where_it_is_mandatory},
      {"leaves_fragments", leaves_fragments},
      {"leaves_lengths_that_lie", leaves_lengths_that_lie},
      {"leaves_other_protocols", leaves_other_protocols},
      {"leaves_a_route_with_segments_left", leaves_a_route_with_segments_left},
      {"survives_every_cut", survives_every_cut},
      {"survives_noise", survives_noise},
  });
}
