#include "capture_file.h"

#include <cmath>
#include <optional>

#include "../core/pcap/packet_encoder.h"
#include "frame_arguments.h"

namespace netring {

namespace {

constexpr double kMostExact = 9007199254740992;  // 2^53

std::optional<std::span<uint8_t>> read_bytes(const Napi::Value& value, const char* name) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array) {
    auto array = value.As<Napi::Uint8Array>();
    return std::span<uint8_t>(array.Data(), array.ByteLength());
  }
  throw_type(value.Env(), std::string(name) + " must be a Uint8Array");
  return std::nullopt;
}

std::optional<std::span<const PacketRecord>> read_records(const Napi::Value& value) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array) {
    const auto array = value.As<Napi::Uint32Array>();
    return std::span(reinterpret_cast<const PacketRecord*>(array.Data()), array.ByteLength() / sizeof(PacketRecord));
  }
  throw_type(value.Env(), "index must be a Uint32Array");
  return std::nullopt;
}

std::optional<uint64_t> read_count(const Napi::Value& value, const char* name, double most) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (number >= 0 && number <= most && std::trunc(number) == number) return static_cast<uint64_t>(number);
  Napi::RangeError::New(value.Env(), std::string(name) + " must be a count").ThrowAsJavaScriptException();
  return std::nullopt;
}

struct EncodeCall {
  std::span<const PacketRecord> records;
  std::span<const uint8_t> bytes;
  std::span<uint8_t> out;  // from `at` on
  uint64_t at = 0;
  uint32_t kept = 0;
};

// (index, bytes, out, at, kept)
std::optional<EncodeCall> read_call(const Napi::CallbackInfo& info) {
  const auto records = read_records(info[0]);
  if (!records) return std::nullopt;
  const auto bytes = read_bytes(info[1], "bytes");
  if (!bytes) return std::nullopt;
  const auto out = read_bytes(info[2], "out");
  if (!out) return std::nullopt;
  const auto at = read_count(info[3], "at", static_cast<double>(out->size()));
  if (!at) return std::nullopt;
  const auto kept = read_count(info[4], "kept", UINT32_MAX);
  if (!kept) return std::nullopt;
  return EncodeCall{*records, *bytes, out->subspan(*at), *at, static_cast<uint32_t>(*kept)};
}

// Where the packets end in `out`.
Napi::Value end_of(Napi::Env env, const EncodeCall& call, const EncodedPackets& done) {
  if (done.end == EncodedPackets::End::kAll) return Napi::Number::New(env, static_cast<double>(call.at + done.length));
  const char* why =
      done.end == EncodedPackets::End::kOutOfBytes ? " reaches out of the bytes" : " has no room in the output";
  Napi::RangeError::New(env, "packet " + std::to_string(done.packets) + why).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value encode_pcap_packets(const Napi::CallbackInfo& info) {
  const auto call = read_call(info);
  if (!call) return info.Env().Undefined();
  return end_of(info.Env(), *call, encode_pcap(call->records, call->bytes, call->kept, call->out));
}

// (..., interfaceId, lost)
Napi::Value encode_pcapng_packets(const Napi::CallbackInfo& info) {
  const auto call = read_call(info);
  if (!call) return info.Env().Undefined();
  const auto id = read_count(info[5], "interfaceId", UINT32_MAX);
  if (!id) return info.Env().Undefined();
  const auto lost = read_count(info[6], "lost", kMostExact);
  if (!lost) return info.Env().Undefined();
  return end_of(info.Env(), *call,
                encode_pcapng(call->records, call->bytes, call->kept, static_cast<uint32_t>(*id), *lost, call->out));
}

}  // namespace

void define_capture_file(Napi::Env env, Napi::Object exports) {
  exports.Set("encodePcapPackets", Napi::Function::New<encode_pcap_packets>(env, "encodePcapPackets"));
  exports.Set("encodePcapngPackets", Napi::Function::New<encode_pcapng_packets>(env, "encodePcapngPackets"));
}

}  // namespace netring
