#include "packet_encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace netring {

namespace {

static_assert(std::endian::native == std::endian::little, "words are written as they lie in memory");

constexpr uint64_t kSecondNs = 1'000'000'000;

// draft-ietf-opsawg-pcap, 5.
struct PcapRecord {
  uint32_t seconds;
  uint32_t nanoseconds;
  uint32_t captured;
  uint32_t original;
};

// draft-ietf-opsawg-pcapng, 4.3.
struct EnhancedPacket {
  uint32_t type;
  uint32_t block_length;
  uint32_t interface_id;
  uint32_t time_high;
  uint32_t time_low;
  uint32_t captured;
  uint32_t original;
};
struct FlagsOption {
  uint32_t head;
  uint32_t flags;
};
struct DropCountOption {
  uint32_t head;
  uint32_t count_low;
  uint32_t count_high;
};
struct BlockEnd {
  uint32_t end_of_options;
  uint32_t block_length;
};

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

template <typename T>
uint8_t* put(uint8_t* at, const T& value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
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
      records, bytes, kept, out, [](uint32_t captured, size_t) { return sizeof(PcapRecord) + captured; },
      [&](uint8_t* at, const PacketRecord& record, uint32_t captured, size_t) {
        at = put(at, PcapRecord{record.seconds, record.nanoseconds, captured, record.original_length});
        if (captured != 0) std::memcpy(at, bytes.data() + record.offset, captured);
      });
}

EncodedPackets encode_pcapng(std::span<const PacketRecord> records, std::span<const uint8_t> bytes, uint32_t kept,
                             uint32_t interface_id, uint64_t lost, std::span<uint8_t> out) {
  constexpr size_t kFixed = sizeof(EnhancedPacket) + sizeof(FlagsOption) + sizeof(BlockEnd);
  const auto length_of = [lost](uint32_t captured, size_t i) {
    return kFixed + ((size_t{captured} + 3) & ~size_t{3}) + (i == 0 && lost != 0 ? sizeof(DropCountOption) : 0);
  };
  return encode(
      records, bytes, kept, out, length_of, [&](uint8_t* at, const PacketRecord& record, uint32_t captured, size_t i) {
        const auto length = static_cast<uint32_t>(length_of(captured, i));
        const uint64_t time = record.seconds * kSecondNs + record.nanoseconds;
        at = put(at, EnhancedPacket{kEnhancedPacket, length, interface_id, static_cast<uint32_t>(time >> 32),
                                    static_cast<uint32_t>(time), captured, record.original_length});
        if (captured != 0) std::memcpy(at, bytes.data() + record.offset, captured);
        at += captured;
        for (uint32_t filled = captured; filled % 4 != 0; ++filled) *at++ = 0;
        at = put(at, FlagsOption{kFlagsHead, flags_of(record.meta)});
        if (i == 0 && lost != 0)
          at = put(at, DropCountOption{kDropCountHead, static_cast<uint32_t>(lost), static_cast<uint32_t>(lost >> 32)});
        put(at, BlockEnd{0, length});
      });
}

}  // namespace netring
