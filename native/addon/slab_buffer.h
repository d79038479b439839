// A slab as an ArrayBuffer. It goes back to the pool when the ArrayBuffer dies, never when the batch over it does: a
// view that was kept keeps its bytes.
#ifndef NETRING_ADDON_SLAB_BUFFER_H_
#define NETRING_ADDON_SLAB_BUFFER_H_

#include <napi.h>

#include <memory>

#include "../core/slab_pool.h"

namespace netring {

// The first `length` bytes of the slab. Null, the slab given back, when the engine does not allow external buffers.
Napi::Value lend_slab(Napi::Env env, const std::shared_ptr<SlabPool>& pool, SlabPool::Slab slab, size_t length);

// The same for who has no other memory to offer. Undefined with an exception pending when the engine does not allow
// external buffers.
Napi::Value wrap_slab(Napi::Env env, const std::shared_ptr<SlabPool>& pool, SlabPool::Slab slab, size_t length);

}  // namespace netring

#endif  // NETRING_ADDON_SLAB_BUFFER_H_
