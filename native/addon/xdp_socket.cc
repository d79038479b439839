#include "xdp_socket.h"

#include "arguments.h"
#include "frame_arguments.h"
#include "slab_buffer.h"

namespace netring {

namespace {

// Places of the statistics; mirrors XdpCounter in src/native/.
constexpr size_t kCounters = 17;

}  // namespace

void XdpWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("XdpSocket", DefineClass(env, "XdpSocket",
                                       {
                                           InstanceAccessor<&XdpWrap::fd>("fd"),
                                           InstanceAccessor<&XdpWrap::interface_name>("interfaceName"),
                                           InstanceAccessor<&XdpWrap::link_type>("linkType"),
                                           InstanceAccessor<&XdpWrap::link_up>("linkUp"),
                                           InstanceAccessor<&XdpWrap::warnings>("warnings"),
                                           InstanceAccessor<&XdpWrap::queues>("queues"),
                                           InstanceAccessor<&XdpWrap::zero_copy>("zeroCopy"),
                                           InstanceAccessor<&XdpWrap::attach_mode>("attachMode"),
                                           InstanceAccessor<&XdpWrap::attached>("attached"),
                                           InstanceAccessor<&XdpWrap::buffered_bytes>("bufferedBytes"),
                                           InstanceAccessor<&XdpWrap::has_room>("hasRoom"),
                                           InstanceAccessor<&XdpWrap::header>("header"),
                                           InstanceAccessor<&XdpWrap::index>("index"),
                                           InstanceMethod<&XdpWrap::borrow>("borrow"),
                                           InstanceMethod<&XdpWrap::release>("release"),
                                           InstanceMethod<&XdpWrap::take>("take"),
                                           InstanceMethod<&XdpWrap::wait>("wait"),
                                           InstanceMethod<&XdpWrap::set_filter>("setFilter"),
                                           InstanceMethod<&XdpWrap::statistics>("statistics"),
                                           InstanceAccessor<&XdpWrap::max_frame_length>("maxFrameLength"),
                                           InstanceAccessor<&XdpWrap::frame_capacity>("frameCapacity"),
                                           InstanceAccessor<&XdpWrap::frame_count>("frameCount"),
                                           InstanceMethod<&XdpWrap::allocate>("allocate"),
                                           InstanceMethod<&XdpWrap::slot_data>("slotData"),
                                           InstanceMethod<&XdpWrap::send_slot>("sendSlot"),
                                           InstanceMethod<&XdpWrap::flush>("flush"),
                                           InstanceMethod<&XdpWrap::pending_count>("pendingCount"),
                                           InstanceMethod<&XdpWrap::in_flight_bytes>("inFlightBytes"),
                                           InstanceMethod<&XdpWrap::available_slots>("availableSlots"),
                                           InstanceMethod<&XdpWrap::rejected_slots>("rejectedSlots"),
                                           InstanceMethod<&XdpWrap::send_indexed>("sendIndexed"),
                                           InstanceMethod<&XdpWrap::send_frames>("sendFrames"),
                                           InstanceMethod<&XdpWrap::watch>("watch"),
                                           InstanceMethod<&XdpWrap::arm>("arm"),
                                           InstanceMethod<&XdpWrap::disarm>("disarm"),
                                           InstanceMethod<&XdpWrap::ref>("ref"),
                                           InstanceMethod<&XdpWrap::unref>("unref"),
                                           InstanceMethod<&XdpWrap::close>("close"),
                                       }));
}

XdpWrap::XdpWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<XdpWrap>(info), environment_(Environment::of(info.Env())) {
  XdpConfig config;
  if (!info[0].IsObject()) {
    throw_type(info.Env(), "config must be an object");
    return;
  }
  if (!read_config(info[0].As<Napi::Object>(), &config)) return;
  name_ = config.interface;
  XdpWrap* primary = nullptr;
  if (!info[1].IsUndefined()) {
    const Napi::Function constructor = info.NewTarget().As<Napi::Function>();
    if (!info[1].IsObject() || !info[1].As<Napi::Object>().InstanceOf(constructor)) {
      throw_type(info.Env(), "sharedUmem must be an XdpSocket");
      return;
    }
    primary = Unwrap(info[1].As<Napi::Object>());
    if (primary->opened(info.Env()) == nullptr) return;
  }
  std::string detail;
  Result<std::unique_ptr<XdpSocket>> opened = XdpSocket::open(
      std::move(config), &environment_.programs(), primary == nullptr ? nullptr : primary->socket_.get(), &detail);
  if (!opened.ok()) {
    environment_.raise(info.Env(), opened.status(), name_, detail);
    return;
  }
  if (primary != nullptr) slots_ = primary->slots_;
  socket_ = std::move(*opened);
  environment_.add(this);
}

XdpWrap::~XdpWrap() { close_native(); }

bool XdpWrap::read_config(const Napi::Object& object, XdpConfig* config) {
  ConfigReader reader(object);
  double queue = 0;
  uint32_t bind_mode = 0;
  uint32_t attach = 0;
  constexpr double kMostSafe = 9007199254740991.0;  // Number.MAX_SAFE_INTEGER
  if (!reader.read("interface", &config->interface) || !reader.read("queueId", &queue, -1, UINT16_MAX) ||
      !reader.read("frameSize", &config->frame_size) || !reader.read("frameCount", &config->frame_count) ||
      !reader.read("rxFrames", &config->rx_frames) || !reader.read("needWakeup", &config->need_wakeup) ||
      !reader.read("bindMode", &bind_mode, 2) || !reader.read("attach", &attach, 3) ||
      !reader.read("mapPin", &config->map_pin) || !reader.read("promiscuous", &config->promiscuous) ||
      !reader.read("busyPollUs", &config->busy_poll.microseconds, INT32_MAX) ||
      !reader.read("preferBusyPoll", &config->busy_poll.preferred) ||
      !reader.read("busyPollBudget", &config->busy_poll.budget, UINT16_MAX) ||
      !reader.read("maxBufferedBytes", &budget_.most_bytes, 0, kMostSafe))
    return false;
  config->queue = static_cast<int32_t>(queue);
  config->bind_mode = static_cast<BindMode>(bind_mode);
  config->attach = static_cast<XdpProgram::Attach>(attach);
  // Addresses and the packet index's offsets rely on these.
  if ((config->frame_size != 2048 && config->frame_size != 4096) || config->frame_count == 0 ||
      config->rx_frames > config->frame_count || uint64_t{config->frame_count} * config->frame_size > UINT32_MAX) {
    Napi::RangeError::New(Env(), "UMEM geometry out of range").ThrowAsJavaScriptException();
    return false;
  }
  return read_program(object.Get("filter"), &config->filter);
}

XdpSocket* XdpWrap::opened(Napi::Env env) {
  if (!socket_) throw_type(env, "the XDP socket is closed");
  return socket_.get();
}

XdpSocket* XdpWrap::refreshed(Napi::Env env) {
  XdpSocket* socket = opened(env);
  // Without a registration nobody else reads the link's events; with one they are the listener's.
  if (socket != nullptr && !watch_.is_on()) socket->link().update();
  return socket;
}

Napi::Value XdpWrap::fd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), socket_ ? socket_->fd() : -1);
}

Napi::Value XdpWrap::interface_name(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), socket_ ? socket_->link().info().name : name_);
}

Napi::Value XdpWrap::link_type(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  return socket == nullptr ? info.Env().Undefined() : Napi::Number::New(info.Env(), socket->link().info().link_type);
}

Napi::Value XdpWrap::link_up(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), socket_ && !socket_->link().gone() && socket_->link().info().up());
}

Napi::Value XdpWrap::warnings(const Napi::CallbackInfo& info) {
  const XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return info.Env().Undefined();
  Napi::Array list = Napi::Array::New(info.Env());
  for (const std::string& warning : socket->warnings()) list.Set(list.Length(), warning);
  return list;
}

Napi::Value XdpWrap::queues(const Napi::CallbackInfo& info) {
  const XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return info.Env().Undefined();
  Napi::Array list = Napi::Array::New(info.Env());
  for (const auto& queue : socket->queues()) list.Set(list.Length(), queue->id());
  return list;
}

Napi::Value XdpWrap::zero_copy(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  return socket == nullptr ? info.Env().Undefined() : Napi::Boolean::New(info.Env(), socket->sender().zero_copy());
}

Napi::Value XdpWrap::attach_mode(const Napi::CallbackInfo& info) {
  const XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return info.Env().Undefined();
  const XdpProgram::Attach mode = socket->attach_mode();
  return Napi::Number::New(info.Env(), mode == XdpProgram::Attach::kNone ? 0 : static_cast<uint32_t>(mode));
}

Napi::Value XdpWrap::attached(const Napi::CallbackInfo& info) {
  const XdpSocket* socket = opened(info.Env());
  return socket == nullptr ? info.Env().Undefined() : Napi::Boolean::New(info.Env(), socket->attached());
}

Napi::Value XdpWrap::header(const Napi::CallbackInfo& info) {
  if (opened(info.Env()) == nullptr || !lease_.make_index(info.Env(), XdpSocket::kMostFrames))
    return info.Env().Undefined();
  return lease_.header();
}

Napi::Value XdpWrap::index(const Napi::CallbackInfo& info) {
  if (opened(info.Env()) == nullptr || !lease_.make_index(info.Env(), XdpSocket::kMostFrames))
    return info.Env().Undefined();
  return lease_.index();
}

Napi::Value XdpWrap::borrow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  XdpSocket* socket = opened(env);
  if (socket == nullptr || !lease_.make_index(env, XdpSocket::kMostFrames) || !lease_.assert_none(env))
    return env.Undefined();
  // Frames of which the new filter leaves nothing are no batch.
  Span span;
  for (;;) {
    if (socket->find_batch() == 0) return env.Null();
    if (socket->index_batch(lease_.header_words(), lease_.records(), &span) != 0) break;
    socket->release_batch();
  }
  const Napi::Value buffer = lease_.lend(env, socket->batch_umem().memory(), span.begin, span.size);
  if (buffer.IsUndefined()) socket->release_batch();
  return buffer;
}

void XdpWrap::release(const Napi::CallbackInfo& info) {
  if (lease_.end(info.Env()) && socket_) socket_->release_batch();
}

size_t XdpWrap::slab_bytes() const {
  const uint32_t frames = socket_->find_batch();
  if (frames == 0) return 0;
  return sizeof(BatchHeader) + frames * sizeof(PacketRecord) + socket_->batch_bytes();
}

Napi::Value XdpWrap::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  XdpSocket* socket = opened(env);
  if (socket == nullptr || !lease_.assert_none(env)) return env.Undefined();
  for (;;) {
    const uint32_t frames = socket->find_batch();
    if (frames == 0) return env.Null();
    const SlabPool::Slab slab = budget_.take(env, name_, slab_bytes());
    if (slab.data == nullptr) return env.Undefined();
    const size_t index_bytes = sizeof(BatchHeader) + frames * sizeof(PacketRecord);
    auto* header = reinterpret_cast<BatchHeader*>(slab.data);
    auto* records = reinterpret_cast<PacketRecord*>(slab.data + sizeof(BatchHeader));
    const uint32_t packets =
        socket->copy_batch(header, records, slab.data + index_bytes, static_cast<uint32_t>(slab.size - index_bytes));
    header->bytes_offset = static_cast<uint32_t>(index_bytes);
    if (packets != 0) return wrap_slab(env, budget_.pool(), slab, index_bytes + header->byte_length);
    budget_.pool()->give_back(slab);
  }
}

Napi::Value XdpWrap::buffered_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(budget_.live_bytes()));
}

Napi::Value XdpWrap::has_room(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), socket_ && budget_.has_room(slab_bytes()));
}

Napi::Value XdpWrap::wait(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  XdpSocket* socket = opened(env);
  if (socket == nullptr) return env.Undefined();
  if (!info[0].IsNumber()) {
    throw_type(env, "timeoutMs must be a number");
    return env.Undefined();
  }
  Result<bool> ready = socket->wait(info[0].As<Napi::Number>().Int32Value());
  if (!ready.ok()) {
    environment_.raise(env, ready.status(), name_);
    return env.Undefined();
  }
  return Napi::Boolean::New(env, *ready);
}

void XdpWrap::set_filter(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  std::vector<sock_filter> program;
  if (socket == nullptr || !read_program(info[0], &program)) return;
  std::string detail;
  const Status status = socket->set_filter(std::move(program), &detail);
  if (!status.ok()) environment_.raise(info.Env(), status, name_, detail);
}

void XdpWrap::statistics(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  if (socket == nullptr) return;
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      info[0].As<Napi::TypedArray>().ElementLength() < kCounters)
    return throw_type(info.Env(), "out must be a Float64Array of 17");
  const XdpTotals totals = socket->totals();
  const uint64_t counters[kCounters] = {
      totals.packets,
      totals.bytes,
      totals.refiltered,
      budget_.live_bytes(),
      budget_.stalls(),
      totals.sent,
      totals.sent_bytes,
      totals.send_errors,
      totals.kernel.rx_dropped,
      totals.kernel.rx_invalid_descs,
      totals.kernel.tx_invalid_descs,
      totals.kernel.rx_ring_full,
      totals.kernel.rx_fill_ring_empty_descs,
      totals.kernel.tx_ring_empty_descs,
      totals.waiting,
      totals.unsent,
      totals.rejected,
  };
  double* out = info[0].As<Napi::Float64Array>().Data();
  for (size_t i = 0; i < kCounters; ++i) out[i] = static_cast<double>(counters[i]);
}

void XdpWrap::watch(const Napi::CallbackInfo& info) {
  XdpSocket* socket = opened(info.Env());
  if (socket != nullptr && watch_.start(info, name_, socket->fd(), UV_READABLE, &socket->link())) Ref();
}

void XdpWrap::arm(const Napi::CallbackInfo& info) { watch_.arm(info); }

void XdpWrap::disarm(const Napi::CallbackInfo& /*info*/) { watch_.disarm(); }

void XdpWrap::ref(const Napi::CallbackInfo& /*info*/) { watch_.ref(true); }

void XdpWrap::unref(const Napi::CallbackInfo& /*info*/) { watch_.ref(false); }

void XdpWrap::close(const Napi::CallbackInfo& info) {
  if (!socket_) return;
  (void)lease_.end(info.Env());
  // The last socket over the frames: every view of a slot reads length 0 from here on.
  if (!slots_->buffer.IsEmpty() && slots_.use_count() == 1) {
    napi_detach_arraybuffer(info.Env(), slots_->buffer.Value());
    slots_->buffer.Reset();
  }
  slots_ = std::make_shared<Slots>();
  const bool watched = watch_.is_on();
  close_native();
  if (watched) Unref();
}

void XdpWrap::close_native() {
  environment_.remove(this);
  watch_.stop();
  socket_.reset();
  budget_.pool()->close();
}

}  // namespace netring
