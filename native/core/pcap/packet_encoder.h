// The packets of a batch as the records of a pcap file or the enhanced packet blocks of a pcapng file, little-endian,
// nanoseconds. What else stands in a file, TypeScript writes; src/pcap/packet-encoders.ts is the same without the
// addon.
#ifndef NETRING_CORE_PCAP_PACKET_ENCODER_H_
#define NETRING_CORE_PCAP_PACKET_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "../packet_index.h"

namespace netring {

struct EncodedPackets {
  enum class End : uint8_t {
    kAll,
    kOutOfBytes,  // a record reaches out of the bytes
    kOutOfRoom,
  };

  End end = End::kAll;
  size_t packets = 0;  // written
  size_t length = 0;   // of what is written, in bytes
};

// A packet longer than `kept` bytes is cut; its original length is told. Records may be wrong: nothing outside of
// `bytes` is read and nothing outside of `out` is written.
EncodedPackets encode_pcap(std::span<const PacketRecord> records, std::span<const uint8_t> bytes, uint32_t kept,
                           std::span<uint8_t> out);

// The first block tells that `lost` packets were lost before it, unless there were none.
EncodedPackets encode_pcapng(std::span<const PacketRecord> records, std::span<const uint8_t> bytes, uint32_t kept,
                             uint32_t interface_id, uint64_t lost, std::span<uint8_t> out);

}  // namespace netring

#endif  // NETRING_CORE_PCAP_PACKET_ENCODER_H_
