#include "frame_batch.h"

#include <cstring>
#include <new>

namespace netring {

bool FrameBatch::reset() {
  count_ = used_ = 0;
  original_bytes_ = 0;
  // Uninitialised: pages are touched as frames come.
  if (!memory_) memory_.reset(new (std::nothrow) Memory);
  return memory_ != nullptr;
}

void FrameBatch::append(const PacketRecord& record, const uint8_t* frame, const uint8_t* header) {
  PacketRecord& own = memory_->records[count_];
  own = record;
  own.offset = used_;
  if (header != nullptr) std::memcpy(memory_->headers[count_], header, kVnetHeaderLength);
  std::memcpy(memory_->bytes + used_, frame, record.length);
  ++count_;
  used_ += record.length;
  original_bytes_ += record.original_length;
}

void FrameBatch::pack(uint8_t* slab, uint64_t sequence) const {
  const size_t index = sizeof(BatchHeader) + count_ * sizeof(PacketRecord);
  BatchHeader out{};
  out.count = count_;
  out.byte_length = used_;
  out.sequence_low = static_cast<uint32_t>(sequence);
  out.sequence_high = static_cast<uint32_t>(sequence >> 32);
  if (count_ > 0) {
    const PacketRecord& first = memory_->records[0];
    const PacketRecord& last = memory_->records[count_ - 1];
    out.first_seconds = first.seconds;
    out.first_nanoseconds = first.nanoseconds;
    out.last_seconds = last.seconds;
    out.last_nanoseconds = last.nanoseconds;
  }
  out.original_low = static_cast<uint32_t>(original_bytes_);
  out.original_high = static_cast<uint32_t>(original_bytes_ >> 32);
  out.bytes_offset = static_cast<uint32_t>(index);
  std::memcpy(slab, &out, sizeof out);
  std::memcpy(slab + sizeof out, memory_->records, count_ * sizeof(PacketRecord));
  std::memcpy(slab + index, memory_->bytes, used_);
}

}  // namespace netring
