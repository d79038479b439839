// Packets between a channel's reader and the thread of JavaScript, which takes them a batch at a time and hands out the
// memory itself. The reader never waits for the other side: the lock is held for some assignments, never for a copy.
#ifndef NETRING_CORE_CHANNEL_PACKET_QUEUE_H_
#define NETRING_CORE_CHANNEL_PACKET_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "../packet_index.h"
#include "../slab_pool.h"

namespace netring {

class PacketQueue {
 public:
  static constexpr uint32_t kMostPackets = 1024;
  // Memory for the frames of a batch. A packet that JavaScript keeps keeps the slab that it came in, which speaks for
  // small ones; handing one over takes some 5 us, which speaks against (packets of 1500 bytes: 900 ns each with 64 KiB,
  // 790 with 128).
  static constexpr size_t kSlabBytes = size_t{128} << 10;

  struct Batch {
    std::unique_ptr<PacketRecord[]> records;
    SlabPool::Slab slab;
    uint32_t packets = 0;
    uint32_t bytes = 0;
    Batch* next = nullptr;

    bool fits(uint32_t length) const { return packets < kMostPackets && length <= slab.size - bytes; }
  };

  // `most_bytes` of batches may wait to be taken, and two batches in any case.
  explicit PacketQueue(double most_bytes) : most_bytes_(most_bytes) { free_.reserve(kMostFree); }
  ~PacketQueue();
  PacketQueue(const PacketQueue&) = delete;
  PacketQueue& operator=(const PacketQueue&) = delete;

  // For the reader's thread.

  // Copies a frame, `record.length` bytes; `record.offset` means nothing. False when there is no room.
  bool append(const PacketRecord& record, const uint8_t* frame) {
    if (filling_ == nullptr || !filling_->fits(record.length)) {
      if (!begin(record.length)) return false;
    }
    copy(record, frame);
    return true;
  }
  // Lets the other side have what was appended. Whether that has found nothing before and is to be woken: true once,
  // until it has found nothing again.
  bool publish();

  // For the other thread.

  // The next batch, or null; `taken` when all of it that is needed has been copied or taken out.
  Batch* take();
  // The data of a slab that was taken out is null by now.
  void taken(Batch* batch);
  // Bytes of slabs that were taken out and have not come back yet.
  size_t bytes_out() const { return pool_->live_bytes() - slab_bytes_.load(std::memory_order_relaxed); }

  const std::shared_ptr<SlabPool>& pool() const { return pool_; }

 private:
  // Batches kept for reuse, beyond which a burst is given back to the system.
  static constexpr size_t kMostFree = 64;
  static constexpr size_t kRecordBytes = kMostPackets * sizeof(PacketRecord);

  bool begin(uint32_t length);
  std::unique_ptr<Batch> reuse(uint32_t length);
  void copy(const PacketRecord& record, const uint8_t* frame);
  static size_t footprint(const Batch& batch) { return batch.slab.size + kRecordBytes; }

  const double most_bytes_;
  const std::shared_ptr<SlabPool> pool_ = std::make_shared<SlabPool>();
  // Bytes of slabs that have not been taken out.
  std::atomic<size_t> slab_bytes_{0};

  std::mutex mutex_;
  std::vector<std::unique_ptr<Batch>> free_;
  // Those that wait to be taken, oldest first; the last one may still be filled.
  Batch* oldest_ = nullptr;
  Batch* newest_ = nullptr;
  size_t waiting_bytes_ = 0;
  uint32_t waiting_ = 0;
  bool hungry_ = true;
  // Written by the reader only, which therefore reads it without the lock.
  Batch* filling_ = nullptr;
};

}  // namespace netring

#endif  // NETRING_CORE_CHANNEL_PACKET_QUEUE_H_
