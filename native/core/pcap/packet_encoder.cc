#include "packet_encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

namespace netring {

namespace {

static_assert(std::endian::native == std::endian::little, "words are written as they lie in memory");

constexpr uint64_t kSecondNs = 1'000'000'000;

// Seconds, nanoseconds, captured and original length: draft-ietf-opsawg-pcap, 5.
constexpr size_t kPcapRecord = 16;
// Type, length, interface, high and low word of the time, captured and original length; then come the bytes, and then
// the flags, the count of lost packets if wanted, the end of the options, and the length again:
// draft-ietf-opsawg-pcapng, 4.3.
constexpr size_t kEnhancedHeader = 28;
constexpr size_t kFlagsOption = 8;
constexpr size_t kDropCountOption = 12;
constexpr size_t kBlockEnd = 8;

constexpr uint32_t kEnhancedPacket = 6;
constexpr uint32_t kFlagsHead = 2 | 4 << 16;
constexpr uint32_t kDropCountHead = 4 | 8 << 16;

// Direction and reception type, by sll_pkttype: host, broadcast, multicast, other-host, outgoing.
constexpr uint32_t kInbound = 1;
constexpr uint32_t kFlags[] = {kInbound | 1 << 2, kInbound | 3 << 2, kInbound | 2 << 2, kInbound | 4 << 2, 2};

uint32_t flags_of(uint32_t meta) {
  const uint32_t type = meta >> 16 & 0xff;
  return type < std::size(kFlags) ? kFlags[type] : 0;
}

// Word by word: a struct that is built first and then copied costs 10 ns a packet, in loads that wait for its stores.
template <typename... Words>
uint8_t* put(uint8_t* at, Words... words) {
  static_assert((std::is_same_v<Words, uint32_t> && ...));
  ((std::memcpy(at, &words, sizeof words), at += sizeof words), ...);
  return at;
}

bool within(const PacketRecord& record, uint32_t length, size_t bytes) {
  return record.offset <= bytes && length <= bytes - record.offset;
}

// `length_of(captured, i)` is what packet i takes, `write(at, record, captured, i)` writes it.
template <typename LengthOf, typename Write>
EncodedPackets encode(std::span<const PacketRecord> records, std::span<const uint8_t> bytes, uint32_t kept,
                      std::span<uint8_t> out, LengthOf length_of, Write write) {
  EncodedPackets done;
  for (const PacketRecord& record : records) {
    const uint32_t captured = std::min(record.length, kept);
    if (!within(record, captured, bytes.size())) {
      done.end = EncodedPackets::End::kOutOfBytes;
      return done;
    }
    const size_t length = length_of(captured, done.packets);
    if (length > out.size() - done.length) {
      done.end = EncodedPackets::End::kOutOfRoom;
      return done;
    }
    write(out.data() + done.length, record, captured, done.packets);
    done.length += length;
    ++done.packets;
  }
  return done;
}

}  // namespace

EncodedPackets encode_pcap(std::span<const PacketRecord> records, std::span<const uint8_t> bytes, uint32_t kept,
                           std::span<uint8_t> out) {
  return encode(
      records, bytes, kept, out, [](uint32_t captured, size_t) { return kPcapRecord + captured; },
      [&](uint8_t* at, const PacketRecord& record, uint32_t captured, size_t) {
        at = put(at, record.seconds, record.nanoseconds, captured, record.original_length);
        if (captured != 0) std::memcpy(at, bytes.data() + record.offset, captured);
      });
}

EncodedPackets encode_pcapng(std::span<const PacketRecord> records, std::span<const uint8_t> bytes, uint32_t kept,
                             uint32_t interface_id, uint64_t lost, std::span<uint8_t> out) {
  constexpr size_t kFixed = kEnhancedHeader + kFlagsOption + kBlockEnd;
  const auto length_of = [lost](uint32_t captured, size_t i) {
    return kFixed + ((size_t{captured} + 3) & ~size_t{3}) + (i == 0 && lost != 0 ? kDropCountOption : 0);
  };
  return encode(records, bytes, kept, out, length_of,
                [&](uint8_t* at, const PacketRecord& record, uint32_t captured, size_t i) {
                  const auto length = static_cast<uint32_t>(length_of(captured, i));
                  const uint64_t time = record.seconds * kSecondNs + record.nanoseconds;
                  at = put(at, kEnhancedPacket, length, interface_id, static_cast<uint32_t>(time >> 32),
                           static_cast<uint32_t>(time), captured, record.original_length);
                  if (captured != 0) std::memcpy(at, bytes.data() + record.offset, captured);
                  at += captured;
                  for (uint32_t filled = captured; filled % 4 != 0; ++filled) *at++ = 0;
                  at = put(at, kFlagsHead, flags_of(record.meta));
                  if (i == 0 && lost != 0)
                    at = put(at, kDropCountHead, static_cast<uint32_t>(lost), static_cast<uint32_t>(lost >> 32));
                  put(at, uint32_t{0}, length);
                });
}

}  // namespace netring
