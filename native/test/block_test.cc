// The walk over a retired block, on blocks made by hand: what the kernel writes, and what it never should.
#include "../core/block.h"

#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "fake_block.h"

namespace netring::test {
namespace {

struct Read {
  BatchHeader header{};
  std::vector<PacketRecord> records;
  std::vector<uint8_t> bytes;
  BatchCount count;

  std::vector<uint8_t> frame(size_t i) const {
    const PacketRecord& record = records[i];
    return {bytes.begin() + record.offset, bytes.begin() + record.offset + record.length};
  }
};

Read index(Block& block, const RingReader& reader = {}) {
  Read read;
  read.records.resize(packets_in_block(block.descriptor(), block.size()));
  read.count = index_block(block.data(), block.size(), reader, &read.header, read.records.data());
  read.records.resize(read.count.packets);
  read.bytes.assign(block.data(), block.data() + block.size());
  return read;
}

Read copy(Block& block, const RingReader& reader = {}, uint32_t capacity = kBlockSize) {
  Read read;
  read.records.resize(packets_in_block(block.descriptor(), block.size()));
  read.bytes.resize(capacity);
  read.count =
      copy_block(block.data(), block.size(), reader, &read.header, read.records.data(), read.bytes.data(), capacity);
  read.records.resize(read.count.packets);
  return read;
}

void reads_one_packet() {
  Block block({{bytes(60, 1), 1000}});
  for (const Read& read : {index(block), copy(block)}) {
    if (!EXPECT_EQ(read.count.packets, 1U)) return;
    EXPECT(read.frame(0) == bytes(60, 1));
    EXPECT_EQ(read.records[0].original_length, 1000U);
    EXPECT_EQ(read.records[0].seconds, 100U);
    EXPECT_EQ(read.records[0].nanoseconds, 7U);
    EXPECT_EQ(read.records[0].meta, ETH_P_IP | 4U << 16 | 6U << 24);
    EXPECT_EQ(read.records[0].address_low, 0xa3a2a1a0U);
    EXPECT_EQ(read.records[0].address_high & 0xffffU, 0xa5a4U);
    EXPECT_EQ(read.header.count, 1U);
    EXPECT_EQ(read.header.byte_length, 60U);
    EXPECT_EQ(read.header.original_low, 1000U);
    EXPECT_EQ(read.header.sequence_low, 2U);
    EXPECT_EQ(read.header.sequence_high, 1U);
    EXPECT_EQ(read.header.first_seconds, 11U);
    EXPECT_EQ(read.header.first_nanoseconds, 12U);
  }
}

void walks_many_packets_in_order() {
  std::vector<Frame> frames;
  for (uint8_t i = 0; i < 50; ++i) frames.push_back({bytes(60 + i, i)});
  Block block(frames);
  for (const Read& read : {index(block), copy(block)}) {
    if (!EXPECT_EQ(read.count.packets, 50U)) return;
    for (uint8_t i = 0; i < 50; ++i) EXPECT(read.frame(i) == bytes(60 + i, i));
  }
}

void empty_block_has_no_packets() {
  Block block({});
  EXPECT_EQ(index(block).count.packets, 0U);
  EXPECT_EQ(copy(block).header.count, 0U);
}

void timeout_flag_is_reported() {
  Block block({{bytes(60, 1)}});
  EXPECT_EQ(index(block).header.flags, 0U);
  block.descriptor()->hdr.bh1.block_status |= TP_STATUS_BLK_TMO;
  EXPECT_EQ(index(block).header.flags, BatchHeader::kTimedOut);
}

void stripped_tags_stand_in_the_bytes_again() {
  const uint32_t tagged = TP_STATUS_USER | TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
  std::vector<uint8_t> expected = bytes(60, 1);
  const uint8_t tag[] = {0x88, 0xa8, 0x20, 0x64};
  expected.insert(expected.begin() + 12, tag, tag + 4);
  for (const bool in_place : {true, false}) {
    Block block({{bytes(60, 1), 500, tagged, 0x2064, 0x88a8}});
    const Read read = in_place ? index(block) : copy(block);
    EXPECT(read.frame(0) == expected);
    EXPECT_EQ(read.records[0].original_length, 504U);
    EXPECT_EQ(read.records[0].vlan, 0x88a82064U);
  }
}

void a_tag_without_tpid_is_8021q() {
  Block block({{bytes(60, 1), 60, TP_STATUS_USER | TP_STATUS_VLAN_VALID, 5, 0}});
  const Read read = copy(block);
  EXPECT_EQ(read.frame(0)[12], 0x81);
  EXPECT_EQ(read.frame(0)[15], 5);
  EXPECT_EQ(read.records[0].vlan >> 16, 0x8100U);
}

void a_tag_needs_both_addresses() {
  Block block({{bytes(11, 1), 60, TP_STATUS_USER | TP_STATUS_VLAN_VALID, 5, 0}});
  EXPECT(copy(block).frame(0) == bytes(11, 1));
}

void snap_len_counts_without_the_tag() {
  Block block({{bytes(200, 1)}, {bytes(200, 2), 200, TP_STATUS_USER | TP_STATUS_VLAN_VALID, 5, 0}});
  RingReader reader;
  reader.snap_len = 64;
  const Read read = copy(block, reader);
  EXPECT_EQ(read.records[0].length, 64U);
  EXPECT_EQ(read.records[0].original_length, 200U);
  EXPECT_EQ(read.records[1].length, 68U);
  EXPECT_EQ(read.records[1].original_length, 204U);
}

void refilter_takes_out_what_the_new_filter_refuses() {
  // Accepts frames whose first byte is 2.
  const sock_filter program[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 0},
                                 {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 2},
                                 {BPF_RET | BPF_K, 0, 0, 40},
                                 {BPF_RET | BPF_K, 0, 0, 0}};
  Block block({{bytes(60, 1)}, {bytes(60, 2)}, {bytes(60, 3)}});
  RingReader reader;
  reader.refilter = program;
  const Read read = copy(block, reader);
  EXPECT_EQ(read.count.packets, 1U);
  EXPECT_EQ(read.count.refiltered, 2U);
  EXPECT_EQ(read.frame(0)[0], 2);
  EXPECT_EQ(read.records[0].length, 40U);
}

void last_packet_marker_ends_the_walk() {
  Block block({{bytes(60, 1)}});
  block.descriptor()->hdr.bh1.num_pkts = 10;
  EXPECT_EQ(index(block).count.packets, 1U);
}

void wrong_offsets_end_the_walk() {
  const auto after = [](void (*damage)(Block&)) {
    Block block({{bytes(60, 1)}, {bytes(60, 2)}, {bytes(60, 3)}});
    damage(block);
    return index(block).count.packets;
  };
  EXPECT_EQ(after([](Block& b) { b.at(48)->tp_next_offset = 0xfffffff0; }), 1U);
  EXPECT_EQ(after([](Block& b) { b.at(48)->tp_next_offset = 3; }), 1U);
  EXPECT_EQ(after([](Block& b) { b.at(48)->tp_mac = 0xffff; }), 0U);
  EXPECT_EQ(after([](Block& b) { b.at(48)->tp_mac = 10; }), 0U);
  EXPECT_EQ(after([](Block& b) { b.at(48)->tp_snaplen = 0xffffffff; }), 0U);
  EXPECT_EQ(after([](Block& b) { b.descriptor()->hdr.bh1.offset_to_first_pkt = 0xfffffff8; }), 0U);
  EXPECT_EQ(after([](Block& b) { b.descriptor()->hdr.bh1.blk_len = 0xffffffff; }), 3U);
  EXPECT_EQ(after([](Block& b) { b.descriptor()->hdr.bh1.blk_len = 100; }), 0U);
  EXPECT_EQ(after([](Block& b) { b.descriptor()->hdr.bh1.num_pkts = 0xffffffff; }), 3U);
}

void a_full_copy_stops_without_overrun() {
  Block block({{bytes(60, 1)}, {bytes(60, 2)}, {bytes(60, 3)}});
  const Read read = copy(block, {}, 130);
  EXPECT_EQ(read.count.packets, 2U);
  EXPECT_EQ(read.header.byte_length, 120U);
}

// The promise that sizes the slabs: header, records and frames of any block fit into the block's own length.
void a_slab_of_the_blocks_length_holds_the_batch() {
  for (const size_t length : {size_t{0}, size_t{1}, size_t{14}, size_t{60}, size_t{64}, size_t{1514}}) {
    std::vector<Frame> frames;
    const uint32_t footprint = (kMac + static_cast<uint32_t>(length) + 7) & ~7U;
    for (uint32_t used = 48; used + footprint <= kBlockSize; used += footprint)
      frames.push_back({bytes(length, 1), 0, TP_STATUS_USER | TP_STATUS_VLAN_VALID, 5, 0});
    Block block(frames);
    const auto capacity =
        static_cast<uint32_t>(block.descriptor()->hdr.bh1.blk_len - frames.size() * sizeof(PacketRecord));
    EXPECT_EQ(copy(block, {}, capacity).count.packets, static_cast<uint32_t>(frames.size()));
  }
}

// Random damage anywhere in the block: the sanitizers judge.
void random_blocks_stay_inside() {
  std::mt19937 random(20260823);
  for (int round = 0; round < 100'000; ++round) {
    Block block({{bytes(60, 1)}, {bytes(70, 2), 70, TP_STATUS_VLAN_VALID}, {bytes(14, 3)}}, 4096);
    for (int k = 0; k < 4; ++k) {
      const uint32_t word = random() % 120;
      const uint32_t value = random() % 3 == 0 ? random() : random() % 4096;
      std::memcpy(block.data() + word * 4, &value, sizeof value);
    }
    const Read read = round % 2 == 0 ? index(block) : copy(block);
    for (const PacketRecord& record : read.records)
      EXPECT(uint64_t{record.offset} + record.length <= read.bytes.size());
  }
}

}  // namespace
}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"reads_one_packet", reads_one_packet},
      {"walks_many_packets_in_order", walks_many_packets_in_order},
      {"empty_block_has_no_packets", empty_block_has_no_packets},
      {"timeout_flag_is_reported", timeout_flag_is_reported},
      {"RX-11_stripped_tags_stand_in_the_bytes_again", stripped_tags_stand_in_the_bytes_again},
      {"a_tag_without_tpid_is_8021q", a_tag_without_tpid_is_8021q},
      {"a_tag_needs_both_addresses", a_tag_needs_both_addresses},
      {"RX-15_snap_len_counts_without_the_tag", snap_len_counts_without_the_tag},
      {"RX-18_refilter_takes_out_what_the_new_filter_refuses", refilter_takes_out_what_the_new_filter_refuses},
      {"last_packet_marker_ends_the_walk", last_packet_marker_ends_the_walk},
      {"wrong_offsets_end_the_walk", wrong_offsets_end_the_walk},
      {"a_full_copy_stops_without_overrun", a_full_copy_stops_without_overrun},
      {"a_slab_of_the_blocks_length_holds_the_batch", a_slab_of_the_blocks_length_holds_the_batch},
      {"random_blocks_stay_inside", random_blocks_stay_inside},
  });
}
