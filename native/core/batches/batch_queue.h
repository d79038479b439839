// Batches between a thread of ours (the engine), which fills them, and that of JavaScript, which takes copies of them
// and, on an inline bridge, answers. The engine never waits for the other side: the lock is held for some assignments,
// never for a copy.
#ifndef NETRING_CORE_BATCHES_BATCH_QUEUE_H_
#define NETRING_CORE_BATCHES_BATCH_QUEUE_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "frame_batch.h"

namespace netring {

// What JavaScript has decided of a batch.
struct Answer {
  // A frame that goes out instead of the batch's own.
  struct Edit {
    uint32_t index = 0;
    uint32_t offset = 0;  // in `bytes`
    uint32_t length = 0;
    VnetHeader header;
  };

  std::vector<uint8_t> forwards;  // for each frame: 0 is to be dropped
  std::vector<Edit> edits;        // by rising index
  std::vector<uint8_t> bytes;
};

class BatchQueue {
 public:
  // kAnswered: a batch stays until the engine has settled it. kCopied: it is free once it is taken.
  enum class Kind : uint8_t { kCopied, kAnswered };

  struct Batch {
    enum class State : uint8_t { kFilling, kReady, kTaking, kTaken };

    FrameBatch frames;
    uint64_t sequence = 0;
    int64_t first_ns = 0;
    State state = State::kFilling;
    bool full = false;
    // The engine deals with it: an answer comes too late.
    bool settling = false;
    // The engine has done with it, while the other side was reading it.
    bool finished = false;
    std::unique_ptr<Answer> answer;
  };

  BatchQueue(Kind kind, uint32_t batches);

  // How long a batch grows that nobody takes; with no other thread about.
  void set_growth(int64_t ns) { growth_ns_ = ns; }

  // For the engine's thread.

  // Makes sure that a frame of `length` bytes can be appended; false when all batches are out.
  bool reserve(uint32_t length, int64_t now_ns);
  // False for a frame that is longer than was reserved and does not fit.
  bool append(const PacketRecord& record, const uint8_t* frame, const uint8_t* header = nullptr) {
    if (!filling_->frames.fits(record.length)) return false;
    filling_->frames.append(record, frame, header);
    return true;
  }
  // Lets the other side have what was appended, if anything was.
  void publish();
  // Whether the other side has found nothing and there is now something that is full, or older than `gather_ns`. True
  // once, until it has found nothing again.
  bool wants_waking(int64_t now_ns, int64_t gather_ns);
  // When `wants_waking` will be true without another frame; INT64_MAX for never.
  int64_t wake_due_ns(int64_t gather_ns);
  // The oldest batch, if it is answered or was begun at or before `begun_ns`; no answer is taken from then on. With
  // kAnswered only.
  Batch* settle(int64_t begun_ns);
  // When the oldest batch was begun; INT64_MAX for none.
  int64_t oldest_ns();
  // The batch of `settle` is done with.
  void finish();

  // For the other thread.

  // The next batch to copy, or null; `taken` when it is copied.
  Batch* take();
  void taken(Batch* batch);
  // Instead of `taken`: it could not be copied now.
  void put_back(Batch* batch);
  // A batch that waits for an answer, kept from being used again until `answer` or `taken`; null for one that does not
  // wait (any more).
  Batch* hold(uint64_t sequence);
  // `answer` fits the frames of the batch. False: the engine has dealt with it meanwhile.
  bool answer(Batch* batch, std::unique_ptr<Answer> answer);

  // With no other thread about.

  // Gives up what is left. Returns the number of frames that nobody has taken.
  uint64_t clear();

 private:
  void free_locked(Batch* batch);

  const Kind kind_;
  const uint32_t most_;
  // Those made so far: memory is taken as batches are needed.
  std::vector<std::unique_ptr<Batch>> batches_;
  Batch* filling_ = nullptr;
  uint64_t next_sequence_ = 0;
  int64_t growth_ns_ = std::numeric_limits<int64_t>::max();

  std::mutex mutex_;
  std::vector<Batch*> free_;
  // In the order of their frames.
  std::vector<Batch*> flight_;
  bool hungry_ = true;
};

}  // namespace netring

#endif  // NETRING_CORE_BATCHES_BATCH_QUEUE_H_
