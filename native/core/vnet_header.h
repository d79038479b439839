// The virtio_net header that PACKET_VNET_HDR puts before a frame: what the sender left to its hardware, which a bridge
// has to carry along. Without it a frame between two local endpoints arrives with half a checksum, and a super-frame
// (up to 64 KiB that the egress is to cut into segments) does not fit the link at all.
#ifndef NETRING_CORE_VNET_HEADER_H_
#define NETRING_CORE_VNET_HEADER_H_

#include <linux/if_ether.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "frame_limit.h"

namespace netring {

// struct virtio_net_hdr of linux/virtio_net.h, which is no C++: it has a field named "class". In host byte order.
struct VnetHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t hdr_len = 0;
  uint16_t gso_size = 0;
  uint16_t csum_start = 0;
  uint16_t csum_offset = 0;

  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this); }

  static constexpr uint8_t kNeedsChecksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM
  // VIRTIO_NET_HDR_GSO_*
  static constexpr uint8_t kNoSegments = 0;
  static constexpr uint8_t kTcpV4 = 1;
  static constexpr uint8_t kTcpV6 = 4;
  static constexpr uint8_t kEcn = 0x80;
};

inline constexpr uint32_t kVnetHeaderLength = 10;
static_assert(sizeof(VnetHeader) == kVnetHeaderLength);

// Makes room for a VLAN tag of four bytes after the MAC addresses: `header` and the frame behind it are moved four
// bytes down, and what it says of offsets follows. Returns where both begin now.
inline uint8_t* insert_tag_with_header(uint8_t* header, uint16_t tpid_be, uint16_t tci_be) {
  constexpr uint32_t kMoved = kVnetHeaderLength + 2 * ETH_ALEN;
  uint8_t* moved = header - 4;
  std::memmove(moved, header, kMoved);
  const uint16_t tag[2] = {tpid_be, tci_be};
  std::memcpy(moved + kMoved, tag, sizeof tag);
  VnetHeader fields;
  std::memcpy(&fields, moved, sizeof fields);
  if ((fields.flags & VnetHeader::kNeedsChecksum) != 0)
    fields.csum_start = static_cast<uint16_t>(fields.csum_start + 4);
  if (fields.gso_type != VnetHeader::kNoSegments) fields.hdr_len = static_cast<uint16_t>(fields.hdr_len + 4);
  std::memcpy(moved, &fields, sizeof fields);
  return moved;
}

// Whether the header says nothing that the kernel of the other port has to know.
inline bool is_plain(const uint8_t* header) {
  VnetHeader fields;
  std::memcpy(&fields, header, sizeof fields);
  return (fields.flags & VnetHeader::kNeedsChecksum) == 0 && fields.gso_type == VnetHeader::kNoSegments;
}

// Whether the link takes the frame behind `header` (`length` bytes): as it is, or cut into segments. The kernel checks
// only the former. Headers before a segment's payload end where the transport header does, which begins at csum_start;
// hdr_len is only a hint (virtio 1.2, 5.1.6.2).
inline bool link_takes(const FrameLimit& limit, const uint8_t* header, const uint8_t* frame, uint32_t length) {
  constexpr uint32_t kTcpOffsetByte = 12;
  constexpr uint32_t kUdpHeader = 8;
  VnetHeader fields;
  std::memcpy(&fields, header, sizeof fields);
  const uint8_t kind = fields.gso_type & static_cast<uint8_t>(~VnetHeader::kEcn);
  if (kind == VnetHeader::kNoSegments) return limit.takes(frame, length);
  uint32_t headers = fields.hdr_len;
  if ((fields.flags & VnetHeader::kNeedsChecksum) != 0) {
    const bool tcp = kind == VnetHeader::kTcpV4 || kind == VnetHeader::kTcpV6;
    const uint32_t at = fields.csum_start + kTcpOffsetByte;
    headers = fields.csum_start + (tcp && at < length ? (frame[at] >> 4) * 4U : kUdpHeader);
  }
  return limit.takes(frame, std::min(length, headers + fields.gso_size));
}

}  // namespace netring

#endif  // NETRING_CORE_VNET_HEADER_H_
