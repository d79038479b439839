#include "frame_arguments.h"

#include <linux/if_packet.h>

#include <algorithm>

namespace netring {

namespace {

constexpr size_t kResultWords = 7;

bool is_bytes(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
}

// Arguments `at` and `at + 1` as a range within `length`.
bool read_range(const Napi::CallbackInfo& info, size_t at, size_t length, uint32_t* first, uint32_t* end) {
  const double from = info[at].IsNumber() ? info[at].As<Napi::Number>().DoubleValue() : -1;
  const double to = info[at + 1].IsNumber() ? info[at + 1].As<Napi::Number>().DoubleValue() : -1;
  if (!(from >= 0 && to >= from && to <= static_cast<double>(length))) {
    Napi::RangeError::New(info.Env(), "first and end must be a range within the frames").ThrowAsJavaScriptException();
    return false;
  }
  *first = static_cast<uint32_t>(from);
  *end = static_cast<uint32_t>(to);
  return true;
}

// Reading an element may run script (a getter, a proxy), which may detach what was read before. So first all elements
// are read, and only then is memory looked at.
bool read_frames(const Napi::Array& list, uint32_t first, uint32_t end, std::vector<Frame>* frames) {
  const Napi::Env env = list.Env();
  std::vector<Napi::Value> values;
  values.reserve(end - first);
  for (uint32_t place = first; place < end; ++place) {
    values.push_back(list.Get(place));
    if (env.IsExceptionPending()) return false;
    if (is_bytes(values.back())) continue;
    throw_type(env, "frames[" + std::to_string(place) + "] is not a Uint8Array");
    return false;
  }
  frames->reserve(values.size());
  for (const Napi::Value& value : values) {
    const auto bytes = value.As<Napi::Uint8Array>();
    frames->push_back({bytes.Data(), static_cast<uint32_t>(std::min<size_t>(bytes.ByteLength(), UINT32_MAX)), false});
  }
  return true;
}

}  // namespace

void throw_type(Napi::Env env, const std::string& text) {
  Napi::TypeError::New(env, text).ThrowAsJavaScriptException();
}

int32_t* result_words(const Napi::Value& value) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array &&
      value.As<Napi::TypedArray>().ElementLength() >= kResultWords)
    return value.As<Napi::Int32Array>().Data();
  throw_type(value.Env(), "result must be an Int32Array of 7");
  return nullptr;
}

void write_result(const SendResult& result, int32_t* words) {
  words[0] = static_cast<int32_t>(result.sent);
  words[1] = static_cast<int32_t>(result.rejected);
  words[2] = static_cast<int32_t>(result.consumed);
  words[3] = result.error;
  words[4] = static_cast<int32_t>(result.first_rejected);
  words[5] = static_cast<int32_t>(result.first_rejected_length);
  words[6] = static_cast<int32_t>(result.bytes);
}

IndexedFrames::IndexedFrames(const uint8_t* bytes, const PacketRecord* records, bool fix_checksums)
    : bytes_(bytes), records_(records), unfinished_(fix_checksums ? TP_STATUS_CSUMNOTREADY : 0) {}

Frame IndexedFrames::at(uint32_t place) const {
  const PacketRecord& record = records_[place];
  return {bytes_ + record.offset, record.length, (record.status & unfinished_) != 0};
}

std::optional<IndexedCall> read_indexed_call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!is_bytes(info[0])) {
    throw_type(env, "bytes must be a Uint8Array");
    return std::nullopt;
  }
  if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    throw_type(env, "index must be a Uint32Array");
    return std::nullopt;
  }
  if (!info[4].IsBoolean()) {
    throw_type(env, "fixChecksums must be a boolean");
    return std::nullopt;
  }
  int32_t* words = result_words(info[5]);
  if (words == nullptr) return std::nullopt;
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const auto index = info[1].As<Napi::Uint32Array>();
  const auto* records = reinterpret_cast<const PacketRecord*>(index.Data());
  uint32_t first = 0;
  uint32_t end = 0;
  if (!read_range(info, 2, index.ByteLength() / sizeof(PacketRecord), &first, &end)) return std::nullopt;
  const size_t size = bytes.ByteLength();
  for (uint32_t place = first; place < end; ++place) {
    if (records[place].offset <= size && records[place].length <= size - records[place].offset) continue;
    Napi::RangeError::New(env, "frame " + std::to_string(place) + " reaches out of the bytes")
        .ThrowAsJavaScriptException();
    return std::nullopt;
  }
  return IndexedCall{IndexedFrames(bytes.Data(), records, info[4].As<Napi::Boolean>().Value()), first, end, words};
}

std::optional<ListedCall> read_listed_call(const Napi::CallbackInfo& info) {
  if (!info[0].IsArray()) {
    throw_type(info.Env(), "frames must be an array");
    return std::nullopt;
  }
  const auto list = info[0].As<Napi::Array>();
  ListedCall call;
  if (!read_range(info, 1, list.Length(), &call.first, &call.end)) return std::nullopt;
  if (!read_frames(list, call.first, call.end, &call.frames)) return std::nullopt;
  call.words = result_words(info[3]);
  if (call.words == nullptr) return std::nullopt;
  return call;
}

}  // namespace netring
