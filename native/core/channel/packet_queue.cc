#include "packet_queue.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace netring {

PacketQueue::~PacketQueue() {
  for (std::unique_ptr<Batch>& batch : free_)
    if (batch->slab.data != nullptr) pool_->give_back(batch->slab);
  while (oldest_ != nullptr) {
    const std::unique_ptr<Batch> batch(std::exchange(oldest_, oldest_->next));
    pool_->give_back(batch->slab);
  }
  // What JavaScript holds is freed as it comes back.
  pool_->close();
}

void PacketQueue::copy(const PacketRecord& record, const uint8_t* frame) {
  PacketRecord& own = filling_->records[filling_->packets++];
  own = record;
  own.offset = filling_->bytes;
  std::memcpy(filling_->slab.data + filling_->bytes, frame, record.length);
  filling_->bytes += record.length;
}

// Finds a batch that has room for a frame of `length` bytes.
bool PacketQueue::begin(uint32_t length) {
  {
    const std::scoped_lock lock(mutex_);
    // What nobody has taken yet grows on: the later the other side comes, the fewer and fuller batches it finds.
    filling_ = filling_ == nullptr && newest_ != nullptr && newest_->fits(length) ? newest_ : nullptr;
    if (filling_ != nullptr) return true;
    const size_t bytes = std::max(kSlabBytes, SlabPool::slab_size(length)) + kRecordBytes;
    if (waiting_ >= 2 && static_cast<double>(waiting_bytes_ + bytes) > most_bytes_) return false;
  }
  std::unique_ptr<Batch> batch = reuse(length);
  if (batch == nullptr) return false;
  const std::scoped_lock lock(mutex_);
  waiting_bytes_ += footprint(*batch);
  ++waiting_;
  filling_ = batch.get();
  (newest_ == nullptr ? oldest_ : newest_->next) = batch.get();
  newest_ = batch.release();
  return true;
}

// An empty batch with its memory; null when the system has none.
std::unique_ptr<PacketQueue::Batch> PacketQueue::reuse(uint32_t length) {
  std::unique_ptr<Batch> batch;
  {
    const std::scoped_lock lock(mutex_);
    if (!free_.empty()) {
      // The one used last is the likeliest to be in the cache.
      batch = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (batch == nullptr) {
    batch.reset(new (std::nothrow) Batch);
    if (batch == nullptr) return nullptr;
    // Uninitialised: pages are touched as packets come.
    batch->records.reset(new (std::nothrow) PacketRecord[kMostPackets]);
    if (batch->records == nullptr) return nullptr;
  }
  if (batch->slab.size < length && batch->slab.data != nullptr) {
    slab_bytes_.fetch_sub(batch->slab.size, std::memory_order_relaxed);
    pool_->give_back(std::exchange(batch->slab, {}));
  }
  if (batch->slab.data == nullptr) {
    batch->slab = pool_->take(std::max(kSlabBytes, size_t{length}));
    if (batch->slab.data == nullptr) return nullptr;
    slab_bytes_.fetch_add(batch->slab.size, std::memory_order_relaxed);
  }
  batch->packets = batch->bytes = 0;
  batch->next = nullptr;
  return batch;
}

bool PacketQueue::publish() {
  const std::scoped_lock lock(mutex_);
  filling_ = nullptr;
  return oldest_ != nullptr && std::exchange(hungry_, false);
}

PacketQueue::Batch* PacketQueue::take() {
  const std::scoped_lock lock(mutex_);
  if (oldest_ == nullptr || oldest_ == filling_) {
    hungry_ = true;
    return nullptr;
  }
  Batch* batch = oldest_;
  oldest_ = batch->next;
  if (oldest_ == nullptr) newest_ = nullptr;
  waiting_bytes_ -= footprint(*batch);
  --waiting_;
  return batch;
}

void PacketQueue::taken(Batch* batch) {
  std::unique_ptr<Batch> done(batch);
  if (batch->slab.data == nullptr) slab_bytes_.fetch_sub(std::exchange(batch->slab.size, 0), std::memory_order_relaxed);
  {
    const std::scoped_lock lock(mutex_);
    if (free_.size() < kMostFree) {
      free_.push_back(std::move(done));
      return;
    }
  }
  if (done->slab.data == nullptr) return;
  slab_bytes_.fetch_sub(done->slab.size, std::memory_order_relaxed);
  pool_->give_back(done->slab);
}

}  // namespace netring
