// The memory of a receiver's owned batches: slabs that go round, up to a limit.
#ifndef NETRING_ADDON_SLAB_BUDGET_H_
#define NETRING_ADDON_SLAB_BUDGET_H_

#include <napi.h>

#include <memory>
#include <string>

#include "../core/slab_pool.h"
#include "environment.h"

namespace netring {

class SlabBudget {
 public:
  // Bytes of live batches at which there is no room any more (`maxBufferedBytes`).
  double most_bytes = 0;

  const std::shared_ptr<SlabPool>& pool() const { return pool_; }
  size_t live_bytes() const { return pool_->live_bytes(); }
  // Whether there is room for so many bytes; that there is none any more is counted.
  bool has_room(size_t bytes) {
    const bool room = static_cast<double>(pool_->live_bytes() + SlabPool::slab_size(bytes)) <= most_bytes;
    if (!room && !stalled_) pool_->stalls.add(1);
    stalled_ = !room;
    return room;
  }
  // Times that there came to be no room.
  uint64_t stalls() const { return pool_->stalls.get(); }

  // A slab of at least `bytes`. Its data is null when there is no room, or with an exception pending when the system
  // has no memory.
  SlabPool::Slab take(Napi::Env env, const std::string& interface_name, size_t bytes) {
    if (!has_room(bytes)) return {};
    const SlabPool::Slab slab = pool_->take(bytes);
    if (slab.data == nullptr) Environment::of(env).raise(env, Status{ENOMEM, "aligned_alloc"}, interface_name);
    return slab;
  }

 private:
  std::shared_ptr<SlabPool> pool_ = std::make_shared<SlabPool>();
  bool stalled_ = false;
};

}  // namespace netring

#endif  // NETRING_ADDON_SLAB_BUDGET_H_
