// The JavaScript class of memory that goes round: large buffers that are filled once and soon forgotten.
#ifndef NETRING_ADDON_SLAB_MEMORY_H_
#define NETRING_ADDON_SLAB_MEMORY_H_

#include <napi.h>

#include <memory>

#include "../core/slab_pool.h"

namespace netring {

class SlabMemoryWrap : public Napi::ObjectWrap<SlabMemoryWrap> {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit SlabMemoryWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SlabMemoryWrap>(info) {}

 private:
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value live_bytes(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  std::shared_ptr<SlabPool> pool_ = std::make_shared<SlabPool>();
};

}  // namespace netring

#endif  // NETRING_ADDON_SLAB_MEMORY_H_
