#include "injector.h"

#include <algorithm>

#include "../core/packet_index.h"
#include "arguments.h"

namespace netring {

namespace {

constexpr size_t kResultWords = 7;

void write_result(const SendResult& result, int32_t* words) {
  words[0] = static_cast<int32_t>(result.sent);
  words[1] = static_cast<int32_t>(result.rejected);
  words[2] = static_cast<int32_t>(result.consumed);
  words[3] = result.error;
  words[4] = static_cast<int32_t>(result.first_rejected);
  words[5] = static_cast<int32_t>(result.first_rejected_length);
  words[6] = static_cast<int32_t>(result.bytes);
}

bool is_bytes(const Napi::Value& value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
}

void throw_type(Napi::Env env, const std::string& text) {
  Napi::TypeError::New(env, text).ThrowAsJavaScriptException();
}

// Frames of a packet index.
class IndexedFrames : public FrameSource {
 public:
  IndexedFrames(const uint8_t* bytes, const PacketRecord* records, bool fix_checksums)
      : bytes_(bytes), records_(records), unfinished_(fix_checksums ? TP_STATUS_CSUMNOTREADY : 0) {}

  Frame at(uint32_t place) const override {
    const PacketRecord& record = records_[place];
    return {bytes_ + record.offset, record.length, (record.status & unfinished_) != 0};
  }

 private:
  const uint8_t* bytes_;
  const PacketRecord* records_;
  uint32_t unfinished_;
};

// Frames of an array of byte arrays, the first of which is the one at `first`.
class ListedFrames : public FrameSource {
 public:
  ListedFrames(const std::vector<Frame>& frames, uint32_t first) : frames_(frames), first_(first) {}
  Frame at(uint32_t place) const override { return frames_[place - first_]; }

 private:
  const std::vector<Frame>& frames_;
  uint32_t first_;
};

}  // namespace

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
  if (!read_config(info[0].As<Napi::Object>(), &config)) return;
  name_ = config.interface;
  Result<std::unique_ptr<Injector>> opened = Injector::open(config);
  if (!opened.ok()) {
    environment_.raise(info.Env(), opened.status(), name_);
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
  if (injector != nullptr && !loop_) injector->link().update();
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
  auto owner = std::make_unique<std::shared_ptr<Mapping>>(memory);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, memory->data(), memory->size(),
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Mapping>*>(hint); }, owner.get(), &buffer);
  if (status != napi_ok) {
    Napi::Error::New(env, "this JavaScript engine does not allow external ArrayBuffers").ThrowAsJavaScriptException();
    return false;
  }
  (void)owner.release();
  slots_ = Napi::Persistent(Napi::ArrayBuffer(env, buffer));
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

int32_t* InjectorWrap::result_words(const Napi::Value& value) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array &&
      value.As<Napi::TypedArray>().ElementLength() >= kResultWords)
    return value.As<Napi::Int32Array>().Data();
  throw_type(Env(), "result must be an Int32Array of 7");
  return nullptr;
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

// Arguments `at` and `at + 1` as a range within `length`.
bool InjectorWrap::read_range(const Napi::CallbackInfo& info, size_t at, size_t length, uint32_t* first,
                              uint32_t* end) {
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

void InjectorWrap::send_indexed(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Injector* injector = refreshed(env);
  if (injector == nullptr) return;
  if (!is_bytes(info[0])) return throw_type(env, "bytes must be a Uint8Array");
  if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
    return throw_type(env, "index must be a Uint32Array");
  if (!info[4].IsBoolean()) return throw_type(env, "fixChecksums must be a boolean");
  int32_t* words = result_words(info[5]);
  if (words == nullptr) return;
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const auto index = info[1].As<Napi::Uint32Array>();
  const auto* records = reinterpret_cast<const PacketRecord*>(index.Data());
  uint32_t first = 0;
  uint32_t end = 0;
  if (!read_range(info, 2, index.ByteLength() / sizeof(PacketRecord), &first, &end)) return;
  const size_t size = bytes.ByteLength();
  for (uint32_t place = first; place < end; ++place) {
    if (records[place].offset <= size && records[place].length <= size - records[place].offset) continue;
    Napi::RangeError::New(env, "frame " + std::to_string(place) + " reaches out of the bytes")
        .ThrowAsJavaScriptException();
    return;
  }
  const IndexedFrames frames(bytes.Data(), records, info[4].As<Napi::Boolean>().Value());
  write_result(injector->send(frames, first, end), words);
}

// Reading an element may run script (a getter, a proxy), which may close this injector or detach what was read before.
// So first all elements are read, and only then is memory looked at.
bool InjectorWrap::read_frames(const Napi::Array& list, uint32_t first, uint32_t end, std::vector<Frame>* frames) {
  std::vector<Napi::Value> values;
  values.reserve(end - first);
  for (uint32_t place = first; place < end; ++place) {
    values.push_back(list.Get(place));
    if (Env().IsExceptionPending()) return false;
    if (is_bytes(values.back())) continue;
    throw_type(Env(), "frames[" + std::to_string(place) + "] is not a Uint8Array");
    return false;
  }
  frames->reserve(values.size());
  for (const Napi::Value& value : values) {
    const auto bytes = value.As<Napi::Uint8Array>();
    frames->push_back({bytes.Data(), static_cast<uint32_t>(std::min<size_t>(bytes.ByteLength(), UINT32_MAX)), false});
  }
  return true;
}

void InjectorWrap::send_frames(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (opened(env) == nullptr) return;
  if (!info[0].IsArray()) return throw_type(env, "frames must be an array");
  const auto list = info[0].As<Napi::Array>();
  uint32_t first = 0;
  uint32_t end = 0;
  if (!read_range(info, 1, list.Length(), &first, &end)) return;
  std::vector<Frame> frames;
  if (!read_frames(list, first, end, &frames)) return;
  Injector* injector = refreshed(env);
  int32_t* words = injector == nullptr ? nullptr : result_words(info[3]);
  if (words != nullptr) write_result(injector->send(ListedFrames(frames, first), first, end), words);
}

void InjectorWrap::watch(const Napi::CallbackInfo& info) {
  Injector* injector = opened(info.Env());
  if (injector == nullptr) return;
  if (loop_.has_value()) return throw_type(info.Env(), "already watched");
  if (!info[0].IsFunction()) return throw_type(info.Env(), "listener must be a function");
  loop_.emplace(info.Env(), injector->fd(), UV_WRITABLE, &injector->link());
  if (const int error = loop_->start(info[0].As<Napi::Function>()); error != 0) {
    loop_.reset();
    environment_.raise(info.Env(), Status{-error, "uv_poll_start"}, name_);
    return;
  }
  // The loop calls this object from now on: it must not be collected before `close`.
  Ref();
}

void InjectorWrap::arm(const Napi::CallbackInfo& /*info*/) {
  if (loop_) loop_->arm();
}

void InjectorWrap::disarm(const Napi::CallbackInfo& /*info*/) {
  if (loop_) loop_->disarm();
}

void InjectorWrap::ref(const Napi::CallbackInfo& /*info*/) {
  if (loop_) loop_->ref(true);
}

void InjectorWrap::unref(const Napi::CallbackInfo& /*info*/) {
  if (loop_) loop_->ref(false);
}

void InjectorWrap::close(const Napi::CallbackInfo& info) {
  if (!injector_) return;
  if (!slots_.IsEmpty()) {
    // Every view of a slot reads length 0 from here on; the finalizer lets go of the mapping on the next turn of the
    // loop.
    napi_detach_arraybuffer(info.Env(), slots_.Value());
    slots_.Reset();
  }
  const bool watched = loop_.has_value();
  close_native();
  if (watched) Unref();
}

void InjectorWrap::close_native() {
  environment_.remove(this);
  loop_.reset();
  injector_.reset();
}

}  // namespace netring
