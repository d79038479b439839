#include "batch_queue.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace netring {

namespace {

using State = BatchQueue::Batch::State;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

BatchQueue::BatchQueue(Kind kind, uint32_t batches) : kind_(kind), most_(batches) {
  // Neither grows while the lock is held.
  for (std::vector<Batch*>* list : {&free_, &flight_}) list->reserve(batches);
  batches_.reserve(batches);
}

bool BatchQueue::reserve(uint32_t length, int64_t now_ns) {
  if (filling_ != nullptr && filling_->frames.fits(length)) return true;
  const std::scoped_lock lock(mutex_);
  if (filling_ == nullptr && !flight_.empty()) {
    // What nobody has taken yet grows on: the later the other side comes, the fewer and larger batches it finds.
    Batch* last = flight_.back();
    if (last->state == State::kReady && !last->settling && !last->full && now_ns - last->first_ns <= growth_ns_)
      filling_ = last;
  }
  if (filling_ != nullptr) {
    filling_->state = State::kFilling;
    if (filling_->frames.fits(length)) return true;
    filling_->full = true;
    filling_->state = State::kReady;
    filling_ = nullptr;
  }
  Batch* next = nullptr;
  if (!free_.empty()) {
    // The one used last is the likeliest to be in the cache.
    next = free_.back();
    free_.pop_back();
  } else if (batches_.size() < most_) {
    next = batches_.emplace_back(std::make_unique<Batch>()).get();
  }
  if (next == nullptr) return false;
  if (!next->frames.reset()) {
    free_.push_back(next);
    return false;
  }
  next->sequence = next_sequence_++;
  next->first_ns = now_ns;
  next->state = State::kFilling;
  next->full = next->settling = next->finished = false;
  next->answer.reset();
  flight_.push_back(next);
  filling_ = next;
  return true;
}

void BatchQueue::publish() {
  if (filling_ == nullptr) return;
  const std::scoped_lock lock(mutex_);
  filling_->state = State::kReady;
  if (filling_->frames.count() == 0) {
    // Room was reserved for frames that were then held back.
    flight_.pop_back();
    free_locked(filling_);
  }
  filling_ = nullptr;
}

bool BatchQueue::wants_waking(int64_t now_ns, int64_t gather_ns) {
  const std::scoped_lock lock(mutex_);
  if (!hungry_) return false;
  for (const Batch* batch : flight_) {
    if (batch->state != State::kReady || batch->settling) continue;
    if (!batch->full && now_ns - batch->first_ns < gather_ns) return false;
    hungry_ = false;
    return true;
  }
  return false;
}

int64_t BatchQueue::wake_due_ns(int64_t gather_ns) {
  const std::scoped_lock lock(mutex_);
  if (!hungry_) return kNever;
  for (const Batch* batch : flight_)
    if (batch->state == State::kReady && !batch->settling) return batch->first_ns + gather_ns;
  return kNever;
}

BatchQueue::Batch* BatchQueue::settle(int64_t begun_ns) {
  const std::scoped_lock lock(mutex_);
  if (flight_.empty()) return nullptr;
  Batch* oldest = flight_.front();
  if (!oldest->answer && oldest->first_ns > begun_ns) return nullptr;
  oldest->settling = true;
  return oldest;
}

int64_t BatchQueue::oldest_ns() {
  const std::scoped_lock lock(mutex_);
  return flight_.empty() ? kNever : flight_.front()->first_ns;
}

void BatchQueue::finish() {
  const std::scoped_lock lock(mutex_);
  Batch* batch = flight_.front();
  flight_.erase(flight_.begin());
  if (batch->state == State::kTaking) {
    batch->finished = true;
    return;
  }
  free_locked(batch);
}

BatchQueue::Batch* BatchQueue::take() {
  const std::scoped_lock lock(mutex_);
  for (Batch* batch : flight_) {
    if (batch->state == State::kTaken || batch->settling) continue;
    if (batch->state != State::kReady) break;
    batch->state = State::kTaking;
    return batch;
  }
  hungry_ = true;
  return nullptr;
}

void BatchQueue::taken(Batch* batch) {
  const std::scoped_lock lock(mutex_);
  batch->state = State::kTaken;
  if (batch->finished) {
    free_locked(batch);
  } else if (kind_ == Kind::kCopied) {
    std::erase(flight_, batch);
    free_locked(batch);
  }
}

void BatchQueue::put_back(Batch* batch) {
  const std::scoped_lock lock(mutex_);
  batch->state = State::kReady;
  if (batch->finished) free_locked(batch);
}

BatchQueue::Batch* BatchQueue::hold(uint64_t sequence) {
  const std::scoped_lock lock(mutex_);
  for (Batch* batch : flight_) {
    if (batch->sequence != sequence) continue;
    if (batch->state != State::kTaken || batch->settling || batch->answer) return nullptr;
    batch->state = State::kTaking;
    return batch;
  }
  return nullptr;
}

bool BatchQueue::answer(Batch* batch, std::unique_ptr<Answer> answer) {
  const std::scoped_lock lock(mutex_);
  batch->state = State::kTaken;
  if (batch->finished) free_locked(batch);
  if (batch->finished || batch->settling) return false;
  batch->answer = std::move(answer);
  return true;
}

uint64_t BatchQueue::clear() {
  publish();
  const std::scoped_lock lock(mutex_);
  uint64_t frames = 0;
  for (Batch* batch : flight_) {
    if (batch->state == State::kReady) frames += batch->frames.count();
    free_locked(batch);
  }
  flight_.clear();
  hungry_ = true;
  return frames;
}

void BatchQueue::free_locked(Batch* batch) {
  batch->answer.reset();
  free_.push_back(batch);
}

}  // namespace netring
