// Packets of batches, right ones and wrong ones, as records of capture files. Bytes and output are allocated to the
// byte, so that the sanitizer sees one that is read or written too much.
#include "../core/pcap/packet_encoder.h"

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "check.h"

namespace netring::test {

namespace {

using Bytes = std::vector<uint8_t>;
using End = EncodedPackets::End;

// Of exactly that size: a vector may have more.
struct Exact {
  explicit Exact(size_t size) : length(size), data(new uint8_t[size]) { std::memset(data.get(), 0xa5, size); }
  std::span<uint8_t> span() const { return {data.get(), length}; }

  size_t length;
  std::unique_ptr<uint8_t[]> data;
};

PacketRecord record(uint32_t offset, uint32_t length) {
  PacketRecord made{};
  made.offset = offset;
  made.length = length;
  made.original_length = length + 7;
  made.seconds = 0x01020304;
  made.nanoseconds = 999'999'999;
  made.meta = 4 << 16;
  return made;
}

Bytes written(const Exact& out, const EncodedPackets& done) { return {out.data.get(), out.data.get() + done.length}; }

void pcap_record() {
  const uint8_t bytes[] = {9, 1, 2, 3, 9};
  const PacketRecord records[] = {record(1, 3), record(5, 0)};
  const Exact out(16 + 3 + 16);
  const EncodedPackets done = encode_pcap(records, bytes, 100, out.span());
  EXPECT(done.end == End::kAll);
  EXPECT_EQ(done.packets, size_t{2});
  const Bytes expected = {4, 3, 2, 1, 0xff, 0xc9, 0x9a, 0x3b, 3,    0, 0, 0, 10, 0, 0, 0, 1, 2,
                          3, 4, 3, 2, 1,    0xff, 0xc9, 0x9a, 0x3b, 0, 0, 0, 0,  7, 0, 0, 0};
  EXPECT(written(out, done) == expected);
}

void pcapng_block() {
  const uint8_t bytes[] = {9, 1, 2, 3, 9};
  const PacketRecord records[] = {record(1, 4)};
  const Exact out(44 + 4 + 12);
  // Cut to 2 bytes, padded with 2.
  const EncodedPackets done = encode_pcapng(records, bytes, 2, 5, 0x0102030405060708, out.span());
  EXPECT(done.end == End::kAll);
  const uint64_t time = uint64_t{0x01020304} * 1'000'000'000 + 999'999'999;
  Bytes expected = {6, 0, 0, 0, 60, 0, 0, 0, 5, 0, 0, 0};
  for (const int shift : {32, 40, 48, 56, 0, 8, 16, 24}) expected.push_back(static_cast<uint8_t>(time >> shift));
  for (const uint8_t byte : {2, 0, 0, 0, 11, 0, 0, 0, 1, 2, 0, 0, 2, 0, 4, 0, 2,  0, 0, 0,
                             4, 0, 8, 0, 8,  7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 60, 0, 0, 0})
    expected.push_back(byte);
  EXPECT(written(out, done) == expected);
}

void ends_where_room_ends() {
  const Bytes bytes(100, 1);
  const std::vector<PacketRecord> records(3, record(0, 100));
  for (size_t room = 0; room <= 3 * 116; ++room) {
    const Exact out(room);
    const EncodedPackets done = encode_pcap(records, bytes, UINT32_MAX, out.span());
    EXPECT(done.end == (room == 3 * 116 ? End::kAll : End::kOutOfRoom));
    EXPECT_EQ(done.packets, room / 116);
    EXPECT_EQ(done.length, room / 116 * 116);
  }
  for (size_t room = 0; room <= 3 * 144 + 12; ++room) {
    const Exact out(room);
    const EncodedPackets done = encode_pcapng(records, bytes, UINT32_MAX, 0, 1, out.span());
    EXPECT(done.end == (room == 3 * 144 + 12 ? End::kAll : End::kOutOfRoom));
    EXPECT_EQ(done.packets, room < 156 ? 0 : (room - 12) / 144);
  }
}

void refuses_records_out_of_bytes() {
  const Exact bytes(10);
  const Exact out(1000);
  for (const auto& [offset, length] : {std::pair<uint32_t, uint32_t>{0, 11},
                                       {1, 10},
                                       {11, 0},
                                       {UINT32_MAX, 1},
                                       {1, UINT32_MAX},
                                       {UINT32_MAX, UINT32_MAX}}) {
    const PacketRecord records[] = {record(0, 10), record(offset, length)};
    for (const EncodedPackets& done : {encode_pcap(records, bytes.span(), UINT32_MAX, out.span()),
                                       encode_pcapng(records, bytes.span(), UINT32_MAX, 0, 0, out.span())}) {
      EXPECT(done.end == End::kOutOfBytes);
      EXPECT_EQ(done.packets, size_t{1});
    }
  }
  // What is cut off may lie outside.
  const PacketRecord cut[] = {record(5, UINT32_MAX)};
  EXPECT(encode_pcap(cut, bytes.span(), 5, out.span()).end == End::kAll);
  EXPECT(encode_pcap({}, {}, 5, {}).end == End::kAll);
}

void whatever_the_records_say() {
  std::mt19937 random(7);
  size_t ends[3] = {};
  for (int round = 0; round < 200'000; ++round) {
    const Exact bytes(random() % 8 == 0 ? random() % 32 : 32);
    const Exact out(random() % 512);
    std::vector<PacketRecord> records(random() % 8);
    for (PacketRecord& one : records) {
      uint32_t words[sizeof(PacketRecord) / sizeof(uint32_t)];
      for (uint32_t& word : words) word = random() % 4 == 0 ? UINT32_MAX - random() % 8 : random() % 72;
      if (random() % 8 != 0) words[0] = random() % 16, words[1] = random() % 17;
      std::memcpy(&one, words, sizeof one);
    }
    const uint32_t kept = random() % 2 == 0 ? UINT32_MAX : random() % 32;
    const EncodedPackets done =
        random() % 2 == 0 ? encode_pcap(records, bytes.span(), kept, out.span())
                          : encode_pcapng(records, bytes.span(), kept, random(), random() % 2 * random(), out.span());
    EXPECT(done.length <= out.length);
    EXPECT((done.end == End::kAll) == (done.packets == records.size()));
    for (size_t at = done.length; at < out.length; ++at) EXPECT_EQ(out.data[at], uint8_t{0xa5});
    ++ends[static_cast<size_t>(done.end)];
  }
  for (const size_t count : ends) EXPECT(count > 10'000);
}

}  // namespace

}  // namespace netring::test

int main() {
  using namespace netring::test;
  return run_all({
      {"pcap_record", pcap_record},
      {"pcapng_block", pcapng_block},
      {"ends_where_room_ends", ends_where_room_ends},
      {"refuses_records_out_of_bytes", refuses_records_out_of_bytes},
      {"whatever_the_records_say", whatever_the_records_say},
  });
}
