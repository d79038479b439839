#include "channel.h"

#include <cstring>

#include "arguments.h"
#include "capture_config.h"
#include "frame_arguments.h"
#include "namespace_argument.h"
#include "slab_buffer.h"

namespace netring {

namespace {

// Where the batch begins in the memory: mirrors CHANNEL_BATCH_OFFSET in src/native/. Before it stands one word, on a
// cache line of its own.
constexpr size_t kBatchOffset = 64;

// A slab that is filled less than this is not worth keeping for its packets: their bytes are copied.
constexpr uint32_t kLeastHandedOver = PacketQueue::kSlabBytes / 2;

constexpr size_t kCacheLine = 64;

constexpr size_t kMostCopied =
    sizeof(BatchHeader) + PacketQueue::kMostPackets * sizeof(PacketRecord) + kLeastHandedOver;

// A packet that has waited for long is in no cache any more, and a program looks at the headers of one after the other:
// fetched all at once they arrive together.
void fetch_headers(const PacketQueue::Batch& batch) {
  for (uint32_t i = 0; i < batch.packets; ++i) {
    const uint8_t* frame = batch.slab.data + batch.records[i].offset;
    __builtin_prefetch(frame);
    __builtin_prefetch(frame + kCacheLine);
  }
}

}  // namespace

void ChannelWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Channel", DefineClass(env, "Channel",
                                     {
                                         InstanceAccessor<&ChannelWrap::fd>("fd"),
                                         InstanceAccessor<&ChannelWrap::geometry>("geometry"),
                                         InstanceAccessor<&ChannelWrap::interface_name>("interfaceName"),
                                         InstanceAccessor<&ChannelWrap::link_state>("linkState"),
                                         InstanceAccessor<&ChannelWrap::memory>("memory"),
                                         InstanceAccessor<&ChannelWrap::bytes_out>("bytesOut"),
                                         InstanceAccessor<&ChannelWrap::ended>("ended"),
                                         InstanceAccessor<&ChannelWrap::failure>("failure"),
                                         InstanceAccessor<&ChannelWrap::failed_step>("failedStep"),
                                         InstanceMethod<&ChannelWrap::set_filter>("setFilter"),
                                         InstanceMethod<&ChannelWrap::start>("start"),
                                         InstanceMethod<&ChannelWrap::take>("take"),
                                         InstanceMethod<&ChannelWrap::drain>("drain"),
                                         InstanceMethod<&ChannelWrap::statistics>("statistics"),
                                         InstanceMethod<&ChannelWrap::ref>("ref"),
                                         InstanceMethod<&ChannelWrap::unref>("unref"),
                                         InstanceMethod<&ChannelWrap::close>("close"),
                                     }));
}

// (config, capacity)
ChannelWrap::ChannelWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ChannelWrap>(info),
      environment_(Environment::of(info.Env())),
      thread_(info.Env(), environment_, "netring-channel") {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject() || !info[1].IsNumber()) {
    throw_type(env, "(config, capacity) are needed");
    return;
  }
  ChannelConfig config;
  NamespaceArgument netns;
  if (!read_capture_config(info[0].As<Napi::Object>(), &config.capture, &config.most_bytes) ||
      !netns.read(info[0].As<Napi::Object>()))
    return;
  config.capacity = info[1].As<Napi::Number>().Uint32Value();
  name_ = config.capture.interface;
  Napi::ArrayBuffer memory = Napi::ArrayBuffer::New(env, kBatchOffset + kMostCopied);
  if (env.IsExceptionPending()) return;
  Result<std::unique_ptr<Channel>> opened = in_namespace(netns.path, [&config] { return Channel::open(config); });
  if (!opened.ok()) {
    environment_.raise(env, opened.status(), name_, netns.shown);
    return;
  }
  channel_ = std::move(*opened);
  channel_->set_consumed(static_cast<const uint32_t*>(memory.Data()));
  memory_ = Napi::Persistent(memory);
  environment_.add(this);
}

ChannelWrap::~ChannelWrap() { close_native(); }

Channel* ChannelWrap::opened(Napi::Env env) {
  if (!channel_) throw_type(env, "the channel is closed");
  return channel_.get();
}

Napi::Value ChannelWrap::fd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), channel_ ? channel_->fd() : -1);
}

Napi::Value ChannelWrap::geometry(const Napi::CallbackInfo& info) {
  const Channel* channel = opened(info.Env());
  if (channel == nullptr) return info.Env().Undefined();
  return describe_geometry(info.Env(), channel->capture());
}

Napi::Value ChannelWrap::interface_name(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), channel_ ? channel_->interface_name() : name_);
}

Napi::Value ChannelWrap::link_state(const Napi::CallbackInfo& info) {
  const LinkState state = channel_ ? channel_->link_state() : LinkState::kGone;
  return Napi::Number::New(info.Env(), static_cast<uint32_t>(state));
}

Napi::Value ChannelWrap::memory(const Napi::CallbackInfo& /*info*/) { return memory_.Value(); }

Napi::Value ChannelWrap::ended(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), thread_.ended());
}

Napi::Value ChannelWrap::failure(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), thread_.failure());
}

Napi::Value ChannelWrap::failed_step(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), thread_.failed_step());
}

void ChannelWrap::set_filter(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Channel* channel = opened(env);
  if (channel == nullptr) return;
  if (thread_.is_on()) return throw_type(env, "the filter is set before the start");
  std::vector<sock_filter> program;
  if (!read_program(info[0], &program)) return;
  const Status status = channel->set_filter(std::move(program));
  if (!status.ok()) environment_.raise(env, status, name_);
}

void ChannelWrap::start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Channel* channel = opened(env);
  if (channel == nullptr) return;
  if (thread_.is_on() || !info[0].IsFunction()) return throw_type(env, "start needs a listener, once");
  const auto body = [](void* self, void (*notify)(void*), void* context) {
    return static_cast<Channel*>(self)->run(notify, context);
  };
  thread_.start(info[0].As<Napi::Function>(), body, channel, name_);
}

// Writes header and records of the next batch into the memory. Returns its frames as an ArrayBuffer, true when they are
// in the memory as well, false for no batch.
Napi::Value ChannelWrap::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Channel* channel = opened(env);
  if (channel == nullptr) return env.Undefined();
  PacketQueue& queue = channel->packets();
  PacketQueue::Batch* batch = queue.take();
  if (batch == nullptr) return Napi::Boolean::New(env, false);
  auto* out = static_cast<uint8_t*>(memory_.Value().Data()) + kBatchOffset;
  const size_t records = batch->packets * sizeof(PacketRecord);
  BatchHeader header{};
  header.count = batch->packets;
  header.byte_length = batch->bytes;
  header.bytes_offset = static_cast<uint32_t>(sizeof header + records);
  std::memcpy(out, &header, sizeof header);
  std::memcpy(out + sizeof header, batch->records.get(), records);
  if (batch->bytes < kLeastHandedOver) {
    std::memcpy(out + header.bytes_offset, batch->slab.data, batch->bytes);
    queue.taken(batch);
    return Napi::Boolean::New(env, true);
  }
  fetch_headers(*batch);
  const SlabPool::Slab slab = batch->slab;
  batch->slab.data = nullptr;
  queue.taken(batch);
  return wrap_slab(env, queue.pool(), slab, header.byte_length);
}

// Bytes handed over by `take` that have not been collected yet.
Napi::Value ChannelWrap::bytes_out(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), channel_ ? static_cast<double>(channel_->packets().bytes_out()) : 0);
}

void ChannelWrap::drain(const Napi::CallbackInfo& info) {
  if (Channel* channel = opened(info.Env()); channel != nullptr) channel->drain();
}

// Places in the array: mirrors ChannelCounter in src/native/.
void ChannelWrap::statistics(const Napi::CallbackInfo& info) {
  Channel* channel = opened(info.Env());
  if (channel == nullptr) return;
  constexpr size_t kCounters = 5;
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
      info[0].As<Napi::TypedArray>().ElementLength() < kCounters)
    return throw_type(info.Env(), "out must be a Float64Array of 5");
  double* out = info[0].As<Napi::Float64Array>().Data();
  // The kernel's last: no packet is queued or dropped that it has not counted.
  out[0] = static_cast<double>(channel->queued());
  out[1] = static_cast<double>(channel->dropped());
  const CaptureTotals totals = channel->read_totals();
  out[2] = static_cast<double>(totals.received);
  out[3] = static_cast<double>(totals.drops);
  out[4] = static_cast<double>(totals.freezes);
}

void ChannelWrap::ref(const Napi::CallbackInfo& /*info*/) { thread_.ref(true); }

void ChannelWrap::unref(const Napi::CallbackInfo& /*info*/) { thread_.ref(false); }

void ChannelWrap::close(const Napi::CallbackInfo& /*info*/) { close_native(); }

void ChannelWrap::close_native() {
  if (!channel_) return;
  channel_->stop();
  thread_.join();
  channel_.reset();
  environment_.remove(this);
}

}  // namespace netring
