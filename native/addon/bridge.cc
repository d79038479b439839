#include "bridge.h"

#include <limits>

#include "../core/packet_socket.h"
#include "arguments.h"
#include "bridge_answer.h"
#include "slab_buffer.h"

namespace netring {

namespace {

// Places in the array of `statistics`, for each direction; mirrors BridgeCounter in src/native/.
constexpr size_t kCounters = 12;

// Live batches may hold as much; past it they stay with the engine, which counts what it has no room for.
constexpr size_t kMostBuffered = size_t{64} << 20;

bool read_port(const Napi::Object& object, PortConfig* port) {
  ConfigReader reader(object);
  ReceiverConfig& receiver = port->receiver;
  return reader.read("interface", &port->interface) && reader.read("blockSize", &receiver.block_size) &&
         reader.read("blockCount", &receiver.block_count) && reader.read("frameSize", &receiver.frame_size) &&
         reader.read("promiscuous", &receiver.promiscuous) && reader.read("blockTimeoutMs", &port->block_timeout_ms) &&
         reader.read("sendBuffer", &port->send_buffer, INT32_MAX);
}

uint32_t which_of(const Napi::CallbackInfo& info) {
  return info[0].IsNumber() && info[0].As<Napi::Number>().Uint32Value() == 1 ? 1 : 0;
}

// Threads are libuv's: those of libpthread have versions that older C libraries lack.
void close_together(std::array<Bridge::Part, 6> parts) {
  const auto close = [](void* argument) {
    auto* part = static_cast<Bridge::Part*>(argument);
    part->receiver.reset();
    part->socket.reset();
  };
  std::array<uv_thread_t, 6> threads{};
  std::array<bool, 6> started{};
  for (size_t i = 0; i < parts.size(); ++i) started[i] = uv_thread_create(&threads[i], close, &parts[i]) == 0;
  // What has no thread is closed with the array.
  for (size_t i = 0; i < parts.size(); ++i)
    if (started[i]) uv_thread_join(&threads[i]);
}

}  // namespace

void BridgeWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Bridge", DefineClass(env, "Bridge",
                                    {
                                        InstanceAccessor<&BridgeWrap::fds>("fds"),
                                        InstanceAccessor<&BridgeWrap::warnings>("warnings"),
                                        InstanceAccessor<&BridgeWrap::link_types>("linkTypes"),
                                        InstanceAccessor<&BridgeWrap::failure>("failure"),
                                        InstanceAccessor<&BridgeWrap::failed_step>("failedStep"),
                                        InstanceMethod<&BridgeWrap::port_state>("portState"),
                                        InstanceMethod<&BridgeWrap::set_filter>("setFilter"),
                                        InstanceMethod<&BridgeWrap::filter_applied>("filterApplied"),
                                        InstanceMethod<&BridgeWrap::statistics>("statistics"),
                                        InstanceMethod<&BridgeWrap::take>("take"),
                                        InstanceMethod<&BridgeWrap::answer>("answer"),
                                        InstanceMethod<&BridgeWrap::start>("start"),
                                        InstanceMethod<&BridgeWrap::stop>("stop"),
                                        InstanceMethod<&BridgeWrap::ref>("ref"),
                                        InstanceMethod<&BridgeWrap::unref>("unref"),
                                        InstanceMethod<&BridgeWrap::close>("close"),
                                    }));
}

BridgeWrap::BridgeWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<BridgeWrap>(info),
      environment_(Environment::of(info.Env())),
      thread_(info.Env(), environment_, "netring-bridge") {
  BridgeConfig config;
  if (!info[0].IsObject()) {
    Napi::TypeError::New(info.Env(), "config must be an object").ThrowAsJavaScriptException();
    return;
  }
  if (!read_config(info[0].As<Napi::Object>(), &config)) return;
  uint32_t port = 0;
  Result<std::unique_ptr<Bridge>> opened = Bridge::open(config, &port);
  if (!opened.ok()) {
    environment_.raise(info.Env(), opened.status(), config.ports[port].interface);
    return;
  }
  names_ = {config.ports[0].interface, config.ports[1].interface};
  bridge_ = std::move(*opened);
  environment_.add(this);
}

BridgeWrap::~BridgeWrap() { close_native(); }

bool BridgeWrap::read_config(const Napi::Object& object, BridgeConfig* config) {
  ConfigReader reader(object);
  const char* names[2] = {"a", "b"};
  for (uint32_t which = 0; which < 2; ++which) {
    const Napi::Value port = object.Get(names[which]);
    if (!port.IsObject()) {
      Napi::TypeError::New(Env(), std::string(names[which]) + " must be an object").ThrowAsJavaScriptException();
      return false;
    }
    if (!read_port(port.As<Napi::Object>(), &config->ports[which])) return false;
    const ReceiverConfig& receiver = config->ports[which].receiver;
    // Division by the frame size and walking the slots rely on these.
    if (receiver.block_size < 4096 || receiver.block_count == 0 || receiver.frame_size < 256 ||
        receiver.frame_size > receiver.block_size) {
      Napi::RangeError::New(Env(), "ring geometry out of range").ThrowAsJavaScriptException();
      return false;
    }
  }
  return reader.read("qdiscBypass", &config->qdisc_bypass) && reader.read("dropLinkLocal", &config->drop_link_local);
}

Bridge* BridgeWrap::opened(Napi::Env env) {
  if (!bridge_) Napi::TypeError::New(env, "the bridge is closed").ThrowAsJavaScriptException();
  return bridge_.get();
}

void BridgeWrap::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (opened(env) == nullptr) return;
  Audience audience;
  if (!info[1].IsObject() || !read_audience(info[1].As<Napi::Object>(), &audience)) {
    if (!env.IsExceptionPending()) Napi::TypeError::New(env, "audience must be an object").ThrowAsJavaScriptException();
    return;
  }
  if (thread_.is_on() || !info[0].IsFunction()) {
    Napi::TypeError::New(env, "start needs a listener, once").ThrowAsJavaScriptException();
    return;
  }
  bridge_->set_audience(audience);
  bridge_->prepare_run();
  const auto body = [](void* bridge, void (*notify)(void*), void* context) {
    return static_cast<Bridge*>(bridge)->run(notify, context);
  };
  thread_.start(info[0].As<Napi::Function>(), body, bridge_.get(), names_[0]);
}

void BridgeWrap::end_thread() {
  if (!thread_.is_on()) return;
  bridge_->stop();
  thread_.join();
}

void BridgeWrap::stop(const Napi::CallbackInfo& /*info*/) { end_thread(); }

void BridgeWrap::close(const Napi::CallbackInfo& /*info*/) { close_native(); }

void BridgeWrap::close_native() {
  if (!bridge_) return;
  end_thread();
  close_together(bridge_->take_apart());
  bridge_.reset();
  pool_->close();
  environment_.remove(this);
}

bool BridgeWrap::read_audience(const Napi::Object& object, Audience* audience) {
  ConfigReader reader(object);
  constexpr double kNsPerMs = 1e6;
  double timeout_ms = 0;
  if (!reader.read("tapEvery", &audience->tap_every) || !reader.read("inline", &audience->is_inline) ||
      !reader.read("timeoutMs", &timeout_ms, -1, INT32_MAX) ||
      !reader.read("timeoutForwards", &audience->timeout_forwards))
    return false;
  audience->timeout_ns =
      timeout_ms < 0 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(timeout_ms * kNsPerMs);
  return true;
}

void BridgeWrap::ref(const Napi::CallbackInfo& /*info*/) { thread_.ref(true); }

void BridgeWrap::unref(const Napi::CallbackInfo& /*info*/) { thread_.ref(false); }

void BridgeWrap::set_filter(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Bridge* bridge = opened(env);
  if (bridge == nullptr) return;
  auto filter = std::make_unique<BridgeFilter>();
  if (!read_program(info[1], &filter->program)) return;
  filter->drops_matching = info[2].ToBoolean();
  // The engine runs programs without looking for loops or stray jumps: only what the kernel has checked gets there. A
  // socket that sends receives nothing, so that a filter on it changes nothing.
  const uint32_t which = which_of(info);
  if (const Status status = check_program(bridge->send_fd(which), filter->program); !status.ok())
    return environment_.raise(env, status, names_[which]);
  bridge->set_filter(which, std::move(filter));
}

Napi::Value BridgeWrap::filter_applied(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), bridge_ && bridge_->direction(which_of(info)).filter_applied());
}

void BridgeWrap::statistics(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Bridge* bridge = opened(env);
  if (bridge == nullptr) return;
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      info[0].As<Napi::TypedArray>().ElementLength() < 2 * kCounters) {
    Napi::TypeError::New(env, "out must be a Float64Array").ThrowAsJavaScriptException();
    return;
  }
  // The engine reads what the kernel counts while it runs.
  if (!thread_.is_on()) bridge->read_kernel_counters();
  double* out = info[0].As<Napi::Float64Array>().Data();
  for (uint32_t which = 0; which < 2; ++which, out += kCounters) {
    const DirectionCounters& counters = bridge->direction(which).counters();
    const Counter* const order[kCounters] = {&counters.received,  &counters.bytes,           &counters.forwarded,
                                             &counters.filtered,  &counters.too_large,       &counters.ring_full,
                                             &counters.errors,    &counters.kernel_drops,    &counters.tap_shed,
                                             &counters.timed_out, &counters.forwarded_bytes, &counters.wire};
    // From the back: what became of a frame is read before how many were received, so that no frame of this moment has
    // an end without having come.
    for (uint32_t i = kCounters; i-- > 0;) out[i] = static_cast<double>(order[i]->get());
  }
}

// The next batch as an ArrayBuffer laid out as packet_index.h says; null for none, undefined when live batches hold all
// the memory they may.
Napi::Value BridgeWrap::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Bridge* bridge = opened(env);
  if (bridge == nullptr) return env.Undefined();
  BatchQueue& queue = bridge->direction(which_of(info)).batches();
  if (pool_->live_bytes() + SlabPool::slab_size(FrameBatch::kMostPacked) > kMostBuffered) return env.Undefined();
  BatchQueue::Batch* batch = queue.take();
  if (batch == nullptr) return env.Null();
  const size_t size = batch->frames.packed_size();
  const SlabPool::Slab slab = pool_->take(size);
  // Without memory the batch stays where it is, as with live batches that hold too much.
  if (slab.data == nullptr) {
    queue.put_back(batch);
    return env.Undefined();
  }
  batch->frames.pack(slab.data, batch->sequence);
  queue.taken(batch);
  return wrap_slab(env, pool_, slab, size);
}

// answer(which, sequence, ...verdicts and frames of bridge_answer.h): false for a batch that waits for none.
Napi::Value BridgeWrap::answer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Bridge* bridge = opened(env);
  if (bridge == nullptr) return env.Undefined();
  if (!info[1].IsNumber()) {
    Napi::TypeError::New(env, "sequence must be a number").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  BatchQueue& queue = bridge->direction(which_of(info)).batches();
  BatchQueue::Batch* batch = queue.hold(static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()));
  if (batch == nullptr) return Napi::Boolean::New(env, false);
  std::unique_ptr<Answer> answer = read_answer(info, 2, batch->frames);
  if (!answer) {
    queue.taken(batch);
    return env.Undefined();
  }
  const bool accepted = queue.answer(batch, std::move(answer));
  if (accepted) bridge->wake();
  return Napi::Boolean::New(env, accepted);
}

Napi::Value BridgeWrap::port_state(const Napi::CallbackInfo& info) {
  const LinkState state = bridge_ ? bridge_->port_state(which_of(info)) : LinkState::kGone;
  return Napi::Number::New(info.Env(), static_cast<uint32_t>(state));
}

Napi::Value BridgeWrap::failed_step(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), thread_.failed_step());
}

Napi::Value BridgeWrap::failure(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), thread_.failure());
}

// rx_a, tx_b, rx_b, tx_a: netring's BridgeHandles.
Napi::Value BridgeWrap::fds(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Bridge* bridge = opened(env);
  if (bridge == nullptr) return env.Undefined();
  Napi::Array list = Napi::Array::New(env, 4);
  const int fds[4] = {bridge->receive_fd(0), bridge->send_fd(1), bridge->receive_fd(1), bridge->send_fd(0)};
  for (uint32_t i = 0; i < 4; ++i) list.Set(i, fds[i]);
  return list;
}

Napi::Value BridgeWrap::warnings(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Bridge* bridge = opened(env);
  if (bridge == nullptr) return env.Undefined();
  Napi::Array list = Napi::Array::New(env);
  for (const std::string& warning : bridge->warnings()) list.Set(list.Length(), warning);
  return list;
}

Napi::Value BridgeWrap::link_types(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Bridge* bridge = opened(env);
  if (bridge == nullptr) return env.Undefined();
  Napi::Array list = Napi::Array::New(env, 2);
  for (uint32_t which = 0; which < 2; ++which)
    list.Set(which, static_cast<uint32_t>(bridge->link_at_open(which).link_type));
  return list;
}

}  // namespace netring
