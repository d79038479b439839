// Blocks made by hand, as the kernel would have filled them.
#ifndef NETRING_TEST_FAKE_BLOCK_H_
#define NETRING_TEST_FAKE_BLOCK_H_

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "../core/block.h"

namespace netring::test {

inline constexpr uint32_t kBlockSize = 16384;
// Where the kernel puts a frame: TPACKET3_HDRLEN, at least 16 bytes of link header, PACKET_RESERVE.
inline constexpr uint16_t kMac = 86;

struct Frame {
  std::vector<uint8_t> bytes;
  uint32_t original_length = 0;
  uint32_t status = TP_STATUS_USER;
  uint16_t tci = 0;
  uint16_t tpid = 0;
};

inline std::vector<uint8_t> bytes(size_t length, uint8_t seed) {
  std::vector<uint8_t> out(length);
  for (size_t i = 0; i < length; ++i) out[i] = static_cast<uint8_t>(seed + i);
  return out;
}

// Heap memory of exactly the block's size, so that the address sanitizer sees every step outside.
class Block {
 public:
  explicit Block(const std::vector<Frame>& frames, uint32_t size = kBlockSize)
      : size_(size), memory_(new uint64_t[size / 8]()) {
    tpacket_hdr_v1& header = descriptor()->hdr.bh1;
    header.block_status = TP_STATUS_USER;
    header.seq_num = 0x1'0000'0002;
    header.ts_first_pkt = {{11}, {12}};
    header.offset_to_first_pkt = 48;
    uint32_t offset = 48;
    for (size_t i = 0; i < frames.size(); ++i) {
      const Frame& frame = frames[i];
      tpacket3_hdr* packet = at(offset);
      packet->tp_sec = 100 + static_cast<uint32_t>(i);
      packet->tp_nsec = 7;
      packet->tp_snaplen = static_cast<uint32_t>(frame.bytes.size());
      packet->tp_len = frame.original_length == 0 ? packet->tp_snaplen : frame.original_length;
      packet->tp_status = frame.status;
      packet->tp_mac = kMac;
      packet->tp_net = kMac + ETH_HLEN;
      packet->hv1.tp_vlan_tci = frame.tci;
      packet->hv1.tp_vlan_tpid = frame.tpid;
      auto* address = reinterpret_cast<sockaddr_ll*>(data() + offset + 48);
      address->sll_protocol = htons(ETH_P_IP);
      address->sll_pkttype = 4;
      address->sll_halen = 6;
      for (uint8_t k = 0; k < 6; ++k) address->sll_addr[k] = static_cast<uint8_t>(0xa0 + k);
      if (!frame.bytes.empty()) std::memcpy(data() + offset + kMac, frame.bytes.data(), frame.bytes.size());
      const uint32_t length = (kMac + packet->tp_snaplen + 7) & ~7U;
      packet->tp_next_offset = i + 1 == frames.size() ? 0 : length;
      offset += length;
    }
    header.num_pkts = static_cast<uint32_t>(frames.size());
    header.blk_len = offset;
  }

  uint8_t* data() { return reinterpret_cast<uint8_t*>(memory_.get()); }
  uint32_t size() const { return size_; }
  tpacket_block_desc* descriptor() { return reinterpret_cast<tpacket_block_desc*>(data()); }
  tpacket3_hdr* at(uint32_t offset) { return reinterpret_cast<tpacket3_hdr*>(data() + offset); }

 private:
  uint32_t size_;
  std::unique_ptr<uint64_t[]> memory_;
};

}  // namespace netring::test

#endif  // NETRING_TEST_FAKE_BLOCK_H_
