// Frames copied off the wire, on their way to JavaScript. One thread writes a batch, any may read it afterwards.
#ifndef NETRING_CORE_BATCHES_FRAME_BATCH_H_
#define NETRING_CORE_BATCHES_FRAME_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "../packet_index.h"
#include "../vnet_header.h"

namespace netring {

class FrameBatch {
 public:
  static constexpr uint32_t kMostFrames = 1024;
  // Room for 1024 small frames, 140 of 1500 bytes, or three super-frames.
  static constexpr uint32_t kMostBytes = 208 * 1024;

  // Empties it and sees to its memory. False when there is none.
  bool reset();
  bool fits(uint32_t length) const { return count_ < kMostFrames && length <= kMostBytes - used_; }
  // Copies a frame that fits, `record.length` bytes; `record.offset` means nothing. `header` is its virtio_net header,
  // where it has one.
  void append(const PacketRecord& record, const uint8_t* frame, const uint8_t* header = nullptr);

  uint32_t count() const { return count_; }
  uint8_t* frame(uint32_t i) const { return memory_->bytes + memory_->records[i].offset; }
  uint32_t length(uint32_t i) const { return memory_->records[i].length; }
  const uint8_t* header(uint32_t i) const { return memory_->headers[i]; }

  static constexpr size_t kMostPacked = sizeof(BatchHeader) + kMostFrames * sizeof(PacketRecord) + kMostBytes;
  // Bytes that `pack` needs.
  size_t packed_size() const { return sizeof(BatchHeader) + count_ * sizeof(PacketRecord) + used_; }
  // Writes the batch in the layout of packet_index.h.
  void pack(uint8_t* slab, uint64_t sequence) const;

 private:
  struct Memory {
    PacketRecord records[kMostFrames];
    uint8_t headers[kMostFrames][kVnetHeaderLength];
    uint8_t bytes[kMostBytes];
  };

  std::unique_ptr<Memory> memory_;
  uint32_t count_ = 0;
  uint32_t used_ = 0;
  uint64_t original_bytes_ = 0;
};

}  // namespace netring

#endif  // NETRING_CORE_BATCHES_FRAME_BATCH_H_
