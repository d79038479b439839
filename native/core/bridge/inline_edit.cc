#include "inline_edit.h"

#include "../checksum.h"

namespace netring {

namespace {

constexpr uint32_t kUdpHeader = 8;

// The sender's checksum is that of a message inside a tunnel, which is not looked into here: it stays the egress's.
bool is_inner(const VnetHeader& header, const PartialChecksum& outer, size_t length) {
  if ((header.flags & VnetHeader::kNeedsChecksum) == 0) return false;
  const bool further_in = outer.start == 0 || header.csum_start > outer.start + kUdpHeader;
  return further_in && size_t{header.csum_start} + header.csum_offset + 2 <= length;
}

bool fits_kind(uint8_t gso_type, const PartialChecksum& message) {
  const uint8_t kind = gso_type & static_cast<uint8_t>(~VnetHeader::kEcn);
  if (kind == VnetHeader::kTcpV4) return message.tcp && !message.ipv6;
  if (kind == VnetHeader::kTcpV6) return message.tcp && message.ipv6;
  return !message.tcp;
}

}  // namespace

bool finish_edit(VnetHeader* header, std::span<uint8_t> frame) {
  complete_ipv4_header(frame);
  const PartialChecksum partial = begin_checksum(frame);
  if (header->gso_type == VnetHeader::kNoSegments) {
    complete_checksum(frame);
    if (!is_inner(*header, partial, frame.size())) *header = {};
    return true;
  }
  if (partial.start == 0 || !fits_kind(header->gso_type, partial)) return false;
  header->flags = VnetHeader::kNeedsChecksum;
  header->csum_start = static_cast<uint16_t>(partial.start);
  header->csum_offset = static_cast<uint16_t>(partial.offset);
  header->hdr_len = 0;
  return true;
}

}  // namespace netring
