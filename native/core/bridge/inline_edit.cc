#include "inline_edit.h"

#include "../checksum.h"

namespace netring {

bool finish_edit(VnetHeader* header, std::span<uint8_t> frame) {
  complete_ipv4_header(frame);
  if (header->gso_type == VnetHeader::kNoSegments) {
    complete_checksum(frame);
    *header = {};
    return true;
  }
  const PartialChecksum partial = begin_checksum(frame);
  if (partial.start == 0) return false;
  header->flags = VnetHeader::kNeedsChecksum;
  header->csum_start = static_cast<uint16_t>(partial.start);
  header->csum_offset = static_cast<uint16_t>(partial.offset);
  header->hdr_len = 0;
  return true;
}

}  // namespace netring
