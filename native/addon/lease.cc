#include "lease.h"

#include "frame_arguments.h"
#include "mapped_buffer.h"

namespace netring {

bool Lease::make_index(Napi::Env env, size_t most) {
  if (records_ != nullptr) return true;
  void* data = nullptr;
  napi_value value = nullptr;
  // Refused in a thread that is being terminated, which node-addon-api would end the process for.
  if (napi_create_arraybuffer(env, sizeof(BatchHeader) + most * sizeof(PacketRecord), &data, &value) != napi_ok)
    return false;
  const Napi::ArrayBuffer memory(env, value);
  auto* bytes = static_cast<uint8_t*>(data);
  header_words_ = reinterpret_cast<BatchHeader*>(bytes);
  records_ = reinterpret_cast<PacketRecord*>(bytes + sizeof(BatchHeader));
  header_ = Napi::Persistent(Napi::Uint32Array::New(env, sizeof(BatchHeader) / sizeof(uint32_t), memory, 0));
  index_ = Napi::Persistent(
      Napi::Uint32Array::New(env, most * sizeof(PacketRecord) / sizeof(uint32_t), memory, sizeof(BatchHeader)));
  return true;
}

bool Lease::assert_none(Napi::Env env) const {
  if (!is_out()) return true;
  throw_type(env, "a borrowed batch is still out");
  return false;
}

Napi::Value Lease::lend(Napi::Env env, const std::shared_ptr<Mapping>& memory, size_t offset, size_t length) {
  const Napi::Value buffer = wrap_mapping(env, memory, offset, length);
  if (!buffer.IsUndefined()) buffer_ = Napi::Persistent(buffer.As<Napi::ArrayBuffer>());
  return buffer;
}

bool Lease::end(Napi::Env env) {
  if (!is_out()) return false;
  const Napi::HandleScope scope(env);
  napi_detach_arraybuffer(env, buffer_.Value());
  buffer_.Reset();
  return true;
}

}  // namespace netring
