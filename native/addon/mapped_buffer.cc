#include "mapped_buffer.h"

namespace netring {

Napi::Value wrap_mapping(Napi::Env env, const std::shared_ptr<Mapping>& memory, size_t offset, size_t length) {
  auto owner = std::make_unique<std::shared_ptr<Mapping>>(memory);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, memory->data() + offset, length,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Mapping>*>(hint); }, owner.get(), &buffer);
  if (status != napi_ok) {
    Napi::Error::New(env, "this JavaScript engine does not allow external ArrayBuffers").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  (void)owner.release();
  return Napi::Value(env, buffer);
}

}  // namespace netring
