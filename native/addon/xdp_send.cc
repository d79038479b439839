// The sending half of the JavaScript class around AF_XDP: the same calls as an injector's. A slot's number counts from
// the first sending frame.
#include <optional>

#include "frame_arguments.h"
#include "mapped_buffer.h"
#include "xdp_socket.h"

namespace netring {

Napi::Value XdpWrap::max_frame_length(const Napi::CallbackInfo& info) {
  const XdpSocket* socket = refreshed(info.Env());
  return socket == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), socket->longest());
}

Napi::Value XdpWrap::frame_capacity(const Napi::CallbackInfo& info) {
  const XdpSocket* socket = opened(info.Env());
  return socket == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), socket->frame_capacity());
}

Napi::Value XdpWrap::frame_count(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), socket->sender().umem()->geometry().sending);
}

Napi::Value XdpWrap::allocate(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return info.Env().Undefined();
  const int64_t frame = socket->sender().allocate();
  const int64_t first = socket->sender().umem()->geometry().receiving;
  return Napi::Number::New(info.Env(), static_cast<double>(frame < 0 ? -1 : frame - first));
}

bool XdpWrap::make_slots(Napi::Env env) {
  if (!slots_->buffer.IsEmpty()) return true;
  const Umem& umem = *socket_->sender().umem();
  const UmemGeometry& frames = umem.geometry();
  const Napi::Value buffer = wrap_mapping(env, umem.memory(), umem.address(frames.receiving),
                                          static_cast<size_t>(frames.sending) * frames.frame_size);
  if (buffer.IsUndefined()) return false;
  slots_->buffer = Napi::Persistent(buffer.As<Napi::ArrayBuffer>());
  return true;
}

Napi::Value XdpWrap::slot_data(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  XdpSocket* socket = opened(env);
  if (socket == nullptr) return env.Undefined();
  const UmemGeometry& frames = socket->sender().umem()->geometry();
  const double slot = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
  if (!(slot >= 0 && slot < frames.sending)) {
    throw_type(env, "slot must be the number of a slot");
    return env.Undefined();
  }
  if (!make_slots(env)) return env.Undefined();
  return Napi::Uint8Array::New(env, frames.frame_size, slots_->buffer.Value(),
                               static_cast<size_t>(slot) * frames.frame_size);
}

void XdpWrap::send_slot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  XdpSocket* socket = refreshed(env);
  if (socket == nullptr) return;
  const double length = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
  if (!(length >= 0 && length <= UINT32_MAX)) return throw_type(env, "length must be a number of bytes");
  XdpQueue& sender = socket->sender();
  const int64_t frame = sender.allocate();
  if (frame < 0) return throw_type(env, "no slot is allocated");
  const auto bytes = static_cast<uint32_t>(length);
  if (socket->fits(bytes, sender.umem()->frame(static_cast<uint32_t>(frame)))) return sender.commit(bytes);
  socket->count_rejected();
  Napi::RangeError::New(env, "a frame of " + std::to_string(bytes) +
                                 " bytes does not fit: " + socket->link().info().name + " takes 14 to " +
                                 std::to_string(socket->longest()) + " bytes (4 more with an 802.1Q tag)")
      .ThrowAsJavaScriptException();
}

void XdpWrap::flush(const Napi::CallbackInfo& info) {
  XdpSocket* socket = refreshed(info.Env());
  int32_t* words = socket == nullptr ? nullptr : result_words(info[0]);
  if (words != nullptr) write_result(socket->flush(), words);
}

Napi::Value XdpWrap::pending_count(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return info.Env().Undefined();
  socket->sender().umem()->reap();
  return Napi::Number::New(info.Env(), socket->sender().umem()->in_flight());
}

Napi::Value XdpWrap::in_flight_bytes(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return info.Env().Undefined();
  Umem& umem = *socket->sender().umem();
  umem.reap();
  return Napi::Number::New(info.Env(), static_cast<double>(umem.address(umem.in_flight())));
}

Napi::Value XdpWrap::available_slots(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  return socket == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), socket->sender().free_slots());
}

Napi::Value XdpWrap::rejected_slots(const Napi::CallbackInfo& info) {
  const XdpSocket* socket = opened(info.Env());
  return socket == nullptr ? info.Env().Undefined()
                           : Napi::Number::New(info.Env(), static_cast<double>(socket->rejected()));
}

void XdpWrap::send_indexed(const Napi::CallbackInfo& info) {
  XdpSocket* socket = refreshed(info.Env());
  if (socket == nullptr) return;
  const std::optional<IndexedCall> call = read_indexed_call(info);
  if (call) write_result(socket->send(call->frames, call->first, call->end), call->words);
}

void XdpWrap::send_frames(const Napi::CallbackInfo& info) {
  if (opened(info.Env()) == nullptr) return;
  const std::optional<ListedCall> call = read_listed_call(info);
  // Reading the frames may have run script that closed this socket.
  XdpSocket* socket = call ? refreshed(info.Env()) : nullptr;
  if (socket != nullptr) write_result(socket->send(*call, call->first, call->end), call->words);
}

}  // namespace netring
