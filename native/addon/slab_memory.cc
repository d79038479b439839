#include "slab_memory.h"

#include "slab_buffer.h"

namespace netring {

void SlabMemoryWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("SlabMemory", DefineClass(env, "SlabMemory",
                                        {
                                            InstanceAccessor<&SlabMemoryWrap::live_bytes>("liveBytes"),
                                            InstanceMethod<&SlabMemoryWrap::take>("take"),
                                            InstanceMethod<&SlabMemoryWrap::close>("close"),
                                        }));
}

Napi::Value SlabMemoryWrap::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double bytes = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(bytes >= 1 && bytes <= UINT32_MAX)) {
    Napi::RangeError::New(env, "bytes must be a number from 1 to 4294967295").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const auto length = static_cast<size_t>(bytes);
  const SlabPool::Slab slab = pool_->take(length);
  return slab.data == nullptr ? env.Null() : lend_slab(env, pool_, slab, length);
}

Napi::Value SlabMemoryWrap::live_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->live_bytes()));
}

void SlabMemoryWrap::close(const Napi::CallbackInfo& /*info*/) { pool_->close(); }

}  // namespace netring
