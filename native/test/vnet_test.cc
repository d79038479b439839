// What the virtio_net header before a frame says, and how it follows a VLAN tag that is put back.
#include <arpa/inet.h>

#include <array>
#include <vector>

#include "../core/vnet_header.h"
#include "check.h"

namespace netring::test {

namespace {

constexpr FrameLimit kLimit = {1500};

// A header and a frame behind four free bytes.
struct Slot {
  explicit Slot(const VnetHeader& fields, uint32_t length = 100) : memory(4 + kVnetHeaderLength + length) {
    std::memcpy(header(), &fields, sizeof fields);
    for (uint32_t i = 0; i < length; ++i) frame()[i] = static_cast<uint8_t>(i);
  }
  uint8_t* header() { return memory.data() + 4; }
  uint8_t* frame() { return header() + kVnetHeaderLength; }
  std::vector<uint8_t> memory;
};

VnetHeader fields_of(const uint8_t* header) {
  VnetHeader fields;
  std::memcpy(&fields, header, sizeof fields);
  return fields;
}

VnetHeader segments(uint8_t kind, uint16_t size) {
  VnetHeader fields;
  fields.flags = VnetHeader::kNeedsChecksum;
  fields.gso_type = kind;
  fields.gso_size = size;
  fields.csum_start = 34;
  fields.csum_offset = 16;
  fields.hdr_len = 66;
  return fields;
}

void puts_a_tag_back() {
  Slot slot(segments(VnetHeader::kTcpV4, 1448));
  uint8_t* moved = insert_tag_with_header(slot.header(), htons(0x88a8), htons(0x2064));
  EXPECT(moved == slot.header() - 4);
  const VnetHeader fields = fields_of(moved);
  EXPECT_EQ(fields.csum_start, 38);
  EXPECT_EQ(fields.csum_offset, 16);
  EXPECT_EQ(fields.hdr_len, 70);
  const uint8_t* frame = moved + kVnetHeaderLength;
  const std::array<uint8_t, 18> expected = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x88, 0xa8, 0x20, 0x64, 12, 13};
  EXPECT_EQ(std::memcmp(frame, expected.data(), expected.size()), 0);
}

void leaves_a_finished_frame_its_offsets() {
  Slot slot(VnetHeader{});
  const VnetHeader fields = fields_of(insert_tag_with_header(slot.header(), htons(0x8100), htons(1)));
  EXPECT_EQ(fields.csum_start, 0);
  EXPECT_EQ(fields.hdr_len, 0);
}

void knows_what_needs_no_header() {
  EXPECT(is_plain(Slot(VnetHeader{}).header()));
  VnetHeader valid;
  valid.flags = 2;  // VIRTIO_NET_HDR_F_DATA_VALID: nobody has to do anything
  EXPECT(is_plain(Slot(valid).header()));
  VnetHeader partial;
  partial.flags = VnetHeader::kNeedsChecksum;
  EXPECT(!is_plain(Slot(partial).header()));
  EXPECT(!is_plain(Slot(segments(VnetHeader::kTcpV4, 100)).header()));
}

bool takes(const VnetHeader& fields, uint32_t length, uint8_t tcp_words = 8) {
  Slot slot(fields, length);
  if (length > 46) slot.frame()[34 + 12] = static_cast<uint8_t>(tcp_words << 4);
  return link_takes(kLimit, slot.header(), slot.frame(), length);
}

void judges_whole_frames_by_their_length() {
  EXPECT(takes(VnetHeader{}, 1514));
  EXPECT(!takes(VnetHeader{}, 1515));
}

void judges_super_frames_by_their_segments() {
  // 34 + 32 bytes of headers and the payload of one segment.
  EXPECT(takes(segments(VnetHeader::kTcpV4, 1448), 60'000));
  EXPECT(!takes(segments(VnetHeader::kTcpV4, 1449), 60'000));
  EXPECT(takes(segments(VnetHeader::kTcpV6 | VnetHeader::kEcn, 1448), 60'000));
  // 5 words of TCP header leave 12 bytes more.
  EXPECT(takes(segments(VnetHeader::kTcpV4, 1460), 60'000, 5));
  // UDP segments: 8 bytes of header.
  EXPECT(takes(segments(5, 1472), 60'000));
  EXPECT(!takes(segments(5, 1473), 60'000));
}

void reads_no_further_than_the_frame() {
  VnetHeader fields = segments(VnetHeader::kTcpV4, 1448);
  fields.csum_start = 0xfff0;
  Slot slot(fields, 60);
  EXPECT(link_takes(kLimit, slot.header(), slot.frame(), 60));
}

constexpr Test kTests[] = {
    {"puts_a_tag_back", puts_a_tag_back},
    {"leaves_a_finished_frame_its_offsets", leaves_a_finished_frame_its_offsets},
    {"knows_what_needs_no_header", knows_what_needs_no_header},
    {"judges_whole_frames_by_their_length", judges_whole_frames_by_their_length},
    {"judges_super_frames_by_their_segments", judges_super_frames_by_their_segments},
    {"reads_no_further_than_the_frame", reads_no_further_than_the_frame},
};

}  // namespace

}  // namespace netring::test

int main() { return netring::test::run_all(netring::test::kTests); }
