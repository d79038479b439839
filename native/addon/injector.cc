#include "injector.h"

#include <optional>

#include "arguments.h"
#include "frame_arguments.h"
#include "mapped_buffer.h"
#include "namespace_argument.h"

namespace netring {

void InjectorWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Injector", DefineClass(env, "Injector",
                                      {
                                          InstanceAccessor<&InjectorWrap::fd>("fd"),
                                          InstanceAccessor<&InjectorWrap::interface_name>("interfaceName"),
                                          InstanceAccessor<&InjectorWrap::link_type>("linkType"),
                                          InstanceAccessor<&InjectorWrap::link_up>("linkUp"),
                                          InstanceAccessor<&InjectorWrap::max_frame_length>("maxFrameLength"),
                                          InstanceAccessor<&InjectorWrap::frame_capacity>("frameCapacity"),
                                          InstanceAccessor<&InjectorWrap::frame_count>("frameCount"),
                                          InstanceAccessor<&InjectorWrap::warnings>("warnings"),
                                          InstanceMethod<&InjectorWrap::allocate>("allocate"),
                                          InstanceMethod<&InjectorWrap::slot_data>("slotData"),
                                          InstanceMethod<&InjectorWrap::send_slot>("sendSlot"),
                                          InstanceMethod<&InjectorWrap::flush>("flush"),
                                          InstanceMethod<&InjectorWrap::pending_count>("pendingCount"),
                                          InstanceMethod<&InjectorWrap::in_flight_bytes>("inFlightBytes"),
                                          InstanceMethod<&InjectorWrap::available_slots>("availableSlots"),
                                          InstanceMethod<&InjectorWrap::rejected_slots>("rejectedSlots"),
                                          InstanceMethod<&InjectorWrap::statistics>("statistics"),
                                          InstanceMethod<&InjectorWrap::send_indexed>("sendIndexed"),
                                          InstanceMethod<&InjectorWrap::send_frames>("sendFrames"),
                                          InstanceMethod<&InjectorWrap::watch>("watch"),
                                          InstanceMethod<&InjectorWrap::arm>("arm"),
                                          InstanceMethod<&InjectorWrap::disarm>("disarm"),
                                          InstanceMethod<&InjectorWrap::ref>("ref"),
                                          InstanceMethod<&InjectorWrap::unref>("unref"),
                                          InstanceMethod<&InjectorWrap::close>("close"),
                                      }));
}

InjectorWrap::InjectorWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<InjectorWrap>(info), environment_(Environment::of(info.Env())) {
  InjectorConfig config;
  if (!info[0].IsObject()) {
    throw_type(info.Env(), "config must be an object");
    return;
  }
  NamespaceArgument netns;
  if (!read_config(info[0].As<Napi::Object>(), &config) || !netns.read(info[0].As<Napi::Object>())) return;
  name_ = config.interface;
  Result<std::unique_ptr<Injector>> opened = in_namespace(netns.path, [&config] { return Injector::open(config); });
  if (!opened.ok()) {
    environment_.raise(info.Env(), opened.status(), name_, netns.shown);
    return;
  }
  injector_ = std::move(*opened);
  environment_.add(this);
}

InjectorWrap::~InjectorWrap() { close_native(); }

bool InjectorWrap::read_config(const Napi::Object& object, InjectorConfig* config) {
  ConfigReader reader(object);
  if (!reader.read("interface", &config->interface) || !reader.read("frameSize", &config->frame_size) ||
      !reader.read("frameCount", &config->frame_count) || !reader.read("qdiscBypass", &config->qdisc_bypass))
    return false;
  // Division by the frame size and the layout of a slot rely on these.
  if (config->frame_size < TPACKET2_HDRLEN || config->frame_count == 0) {
    Napi::RangeError::New(Env(), "ring geometry out of range").ThrowAsJavaScriptException();
    return false;
  }
  return true;
}

Injector* InjectorWrap::opened(Napi::Env env) {
  if (!injector_) throw_type(env, "the injector is closed");
  return injector_.get();
}

Injector* InjectorWrap::refreshed(Napi::Env env) {
  Injector* injector = opened(env);
  // Without a registration nobody else reads the link's events; with one they are the listener's.
  if (injector != nullptr && !watch_.is_on()) injector->link().update();
  return injector;
}

Napi::Value InjectorWrap::fd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), injector_ ? injector_->fd() : -1);
}

Napi::Value InjectorWrap::interface_name(const Napi::CallbackInfo& info) {
  const Injector* injector = refreshed(info.Env());
  return injector == nullptr ? info.Env().Undefined() : Napi::String::New(info.Env(), injector_->link().info().name);
}

Napi::Value InjectorWrap::link_type(const Napi::CallbackInfo& info) {
  const Injector* injector = opened(info.Env());
  if (injector == nullptr) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), injector_->link().info().link_type);
}

Napi::Value InjectorWrap::link_up(const Napi::CallbackInfo& info) {
  Injector* injector = refreshed(info.Env());
  if (injector == nullptr) return info.Env().Undefined();
  return Napi::Boolean::New(info.Env(), !injector->link().gone() && injector->link().info().up());
}

Napi::Value InjectorWrap::max_frame_length(const Napi::CallbackInfo& info) {
  const Injector* injector = refreshed(info.Env());
  return injector == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), injector->limit().longest());
}

Napi::Value InjectorWrap::frame_capacity(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  return injector == nullptr ? info.Env().Undefined()
                             : Napi::Number::New(info.Env(), injector->ring().frame_capacity());
}

Napi::Value InjectorWrap::frame_count(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  return injector == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), injector->ring().frame_count());
}

Napi::Value InjectorWrap::warnings(const Napi::CallbackInfo& info) {
  const Injector* injector = opened(info.Env());
  if (injector == nullptr) return info.Env().Undefined();
  Napi::Array list = Napi::Array::New(info.Env());
  for (const std::string& warning : injector->warnings()) list.Set(list.Length(), warning);
  return list;
}

Napi::Value InjectorWrap::allocate(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  if (injector == nullptr) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(injector->ring().allocate()));
}

bool InjectorWrap::make_slots(Napi::Env env) {
  if (!slots_.IsEmpty()) return true;
  const std::shared_ptr<Mapping>& memory = injector_->ring().memory();
  const Napi::Value buffer = wrap_mapping(env, memory, 0, memory->size());
  if (buffer.IsUndefined()) return false;
  slots_ = Napi::Persistent(buffer.As<Napi::ArrayBuffer>());
  return true;
}

Napi::Value InjectorWrap::slot_data(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Injector* injector = opened(env);
  if (injector == nullptr) return env.Undefined();
  const TxRing& ring = injector->ring();
  const double slot = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
  if (!(slot >= 0 && slot < ring.frame_count())) {
    throw_type(env, "slot must be the number of a slot");
    return env.Undefined();
  }
  if (!make_slots(env)) return env.Undefined();
  return Napi::Uint8Array::New(env, ring.frame_capacity(), slots_.Value(),
                               ring.data_offset(static_cast<uint32_t>(slot)));
}

void InjectorWrap::send_slot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Injector* injector = opened(env);
  if (injector == nullptr) return;
  const double length = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
  if (!(length >= 0 && length <= UINT32_MAX)) return throw_type(env, "length must be a number of bytes");
  const int64_t slot = injector->ring().allocate();
  if (slot < 0) return throw_type(env, "no slot is allocated");
  // The MTU may have been raised since the last look.
  if (!injector->fits(static_cast<uint32_t>(slot), static_cast<uint32_t>(length)) && refreshed(env) == nullptr) return;
  if (injector->commit(static_cast<uint32_t>(slot), static_cast<uint32_t>(length))) return;
  Napi::RangeError::New(env, "a frame of " + std::to_string(static_cast<uint32_t>(length)) +
                                 " bytes does not fit: " + injector->link().info().name + " takes 14 to " +
                                 std::to_string(injector->limit().longest()) + " bytes (4 more with an 802.1Q tag)")
      .ThrowAsJavaScriptException();
}

void InjectorWrap::flush(const Napi::CallbackInfo& info) {
  Injector* injector = refreshed(info.Env());
  int32_t* words = injector == nullptr ? nullptr : result_words(info[0]);
  if (words != nullptr) write_result(injector->flush(), words);
}

Napi::Value InjectorWrap::pending_count(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  return injector == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), injector->ring().count_pending());
}

Napi::Value InjectorWrap::in_flight_bytes(const Napi::CallbackInfo& info) {
  const Injector* injector = opened(info.Env());
  return injector == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), injector->in_flight_bytes());
}

Napi::Value InjectorWrap::available_slots(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  return injector == nullptr ? info.Env().Undefined()
                             : Napi::Number::New(info.Env(), injector->ring().count_available());
}

Napi::Value InjectorWrap::rejected_slots(const Napi::CallbackInfo& info) {
  const Injector* injector = opened(info.Env());
  return injector == nullptr ? info.Env().Undefined()
                             : Napi::Number::New(info.Env(), static_cast<double>(injector->rejected()));
}

void InjectorWrap::statistics(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  if (injector == nullptr) return;
  constexpr size_t kCounters = 5;
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      info[0].As<Napi::TypedArray>().ElementLength() < kCounters)
    return throw_type(info.Env(), "out must be a Float64Array of 5");
  const InjectorTotals totals = injector->totals();
  double* out = info[0].As<Napi::Float64Array>().Data();
  for (const uint64_t counter : {totals.accepted, totals.sent, totals.bytes, totals.rejected, totals.waiting})
    *out++ = static_cast<double>(counter);
}

void InjectorWrap::send_indexed(const Napi::CallbackInfo& info) {
  Injector* injector = refreshed(info.Env());
  if (injector == nullptr) return;
  const std::optional<IndexedCall> call = read_indexed_call(info);
  if (call) write_result(injector->send(call->frames, call->first, call->end), call->words);
}

void InjectorWrap::send_frames(const Napi::CallbackInfo& info) {
  if (opened(info.Env()) == nullptr) return;
  const std::optional<ListedCall> call = read_listed_call(info);
  // Reading the frames may have run script that closed this injector.
  Injector* injector = call ? refreshed(info.Env()) : nullptr;
  if (injector != nullptr) write_result(injector->send(*call, call->first, call->end), call->words);
}

void InjectorWrap::watch(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  if (injector != nullptr && watch_.start(info, name_, injector->fd(), UV_WRITABLE, &injector->link())) Ref();
}

void InjectorWrap::arm(const Napi::CallbackInfo& info) { watch_.arm(info); }

void InjectorWrap::disarm(const Napi::CallbackInfo& /*info*/) { watch_.disarm(); }

void InjectorWrap::ref(const Napi::CallbackInfo& /*info*/) { watch_.ref(true); }

void InjectorWrap::unref(const Napi::CallbackInfo& /*info*/) { watch_.ref(false); }

void InjectorWrap::close(const Napi::CallbackInfo& info) {
  if (!injector_) return;
  if (!slots_.IsEmpty()) {
    // Every view of a slot reads length 0 from here on; the finalizer lets go of the mapping on the next turn of the
    // loop.
    napi_detach_arraybuffer(info.Env(), slots_.Value());
    slots_.Reset();
  }
  const bool watched = watch_.is_on();
  close_native();
  if (watched) Unref();
}

void InjectorWrap::close_native() {
  environment_.remove(this);
  watch_.stop();
  injector_.reset();
}

}  // namespace netring
