// Type and size checks at the boundary. Meaning was checked in TypeScript; a wrong type here is a bug, answered with a
// TypeError and never with a crash. After a false return an exception is pending: return to JavaScript at once.
#ifndef NETRING_ADDON_ARGUMENTS_H_
#define NETRING_ADDON_ARGUMENTS_H_

#include <linux/filter.h>
#include <napi.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace netring {

// Packed `struct sock_filter`s in a Uint8Array.
inline bool read_program(const Napi::Value& value, std::vector<sock_filter>* program) {
  const Napi::Env env = value.Env();
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    Napi::TypeError::New(env, "filter must be a Uint8Array").ThrowAsJavaScriptException();
    return false;
  }
  const auto bytes = value.As<Napi::Uint8Array>();
  if (bytes.ByteLength() % sizeof(sock_filter) != 0 || bytes.ByteLength() / sizeof(sock_filter) > BPF_MAXINSNS) {
    Napi::RangeError::New(env, "filter must be whole instructions, at most 4096").ThrowAsJavaScriptException();
    return false;
  }
  program->resize(bytes.ByteLength() / sizeof(sock_filter));
  if (!program->empty()) std::memcpy(program->data(), bytes.Data(), bytes.ByteLength());
  return true;
}

class ConfigReader {
 public:
  explicit ConfigReader(const Napi::Object& object) : object_(object), env_(object.Env()) {}

  bool read(const char* name, std::string* out) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsString()) return fail(name, "a string");
    *out = value.As<Napi::String>().Utf8Value();
    return true;
  }
  bool read(const char* name, bool* out) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsBoolean()) return fail(name, "a boolean");
    *out = value.As<Napi::Boolean>().Value();
    return true;
  }
  bool read(const char* name, double* out, double least, double most) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) return fail(name, "a number");
    *out = value.As<Napi::Number>().DoubleValue();
    if (!(*out >= least && *out <= most)) return fail(name, "a number in range");
    return true;
  }
  bool read(const char* name, uint32_t* out, uint32_t most = UINT32_MAX) {
    double number = 0;
    if (!read(name, &number, 0, most)) return false;
    *out = static_cast<uint32_t>(number);
    return true;
  }

 private:
  bool fail(const char* name, const char* expected) {
    if (!env_.IsExceptionPending())
      Napi::TypeError::New(env_, std::string(name) + " must be " + expected).ThrowAsJavaScriptException();
    return false;
  }

  Napi::Object object_;
  Napi::Env env_;
};

}  // namespace netring

#endif  // NETRING_ADDON_ARGUMENTS_H_
