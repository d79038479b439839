#include "capture.h"

#include <algorithm>
#include <cstring>

#include "../core/bpf_syscall.h"
#include "arguments.h"
#include "capture_config.h"
#include "capture_statistics.h"
#include "namespace_argument.h"
#include "slab_buffer.h"

namespace netring {

namespace {

// Of a batch that was sent to another thread as many packets are shown as tell a busy ring from an idle one.
constexpr uint32_t kMostReceiptPackets = 1024;
constexpr uint32_t kReceiptBytes = sizeof(BatchHeader) + kMostReceiptPackets * sizeof(PacketRecord);

}  // namespace

void CaptureWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("Capture", DefineClass(env, "Capture",
                                     {
                                         InstanceAccessor<&CaptureWrap::fd>("fd"),
                                         InstanceAccessor<&CaptureWrap::geometry>("geometry"),
                                         InstanceAccessor<&CaptureWrap::interface_name>("interfaceName"),
                                         InstanceAccessor<&CaptureWrap::link_up>("linkUp"),
                                         InstanceAccessor<&CaptureWrap::buffered_bytes>("bufferedBytes"),
                                         InstanceAccessor<&CaptureWrap::has_room>("hasRoom"),
                                         InstanceAccessor<&CaptureWrap::header>("header"),
                                         InstanceAccessor<&CaptureWrap::index>("index"),
                                         InstanceMethod<&CaptureWrap::borrow>("borrow"),
                                         InstanceMethod<&CaptureWrap::release>("release"),
                                         InstanceMethod<&CaptureWrap::take>("take"),
                                         InstanceMethod<&CaptureWrap::send_to>("sendTo"),
                                         InstanceMethod<&CaptureWrap::wait>("wait"),
                                         InstanceMethod<&CaptureWrap::set_filter>("setFilter"),
                                         InstanceMethod<&CaptureWrap::attach_ebpf_filter>("attachEbpfFilter"),
                                         InstanceMethod<&CaptureWrap::attach_fanout_ebpf>("attachFanoutEbpf"),
                                         InstanceMethod<&CaptureWrap::statistics>("statistics"),
                                         InstanceMethod<&CaptureWrap::watch>("watch"),
                                         InstanceMethod<&CaptureWrap::arm>("arm"),
                                         InstanceMethod<&CaptureWrap::disarm>("disarm"),
                                         InstanceMethod<&CaptureWrap::ref>("ref"),
                                         InstanceMethod<&CaptureWrap::unref>("unref"),
                                         InstanceMethod<&CaptureWrap::close>("close"),
                                     }));
}

CaptureWrap::CaptureWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<CaptureWrap>(info), environment_(Environment::of(info.Env())) {
  CaptureConfig config;
  if (!info[0].IsObject()) {
    Napi::TypeError::New(info.Env(), "config must be an object").ThrowAsJavaScriptException();
    return;
  }
  NamespaceArgument netns;
  if (!read_capture_config(info[0].As<Napi::Object>(), &config, &budget_.most_bytes) ||
      !netns.read(info[0].As<Napi::Object>()))
    return;
  name_ = config.interface;
  Result<std::unique_ptr<Capture>> opened = in_namespace(netns.path, [&config] { return Capture::open(config); });
  if (!opened.ok()) {
    environment_.raise(info.Env(), opened.status(), name_, netns.shown);
    return;
  }
  capture_ = std::move(*opened);
  environment_.add(this);
}

CaptureWrap::~CaptureWrap() { close_native(); }

Capture* CaptureWrap::opened(Napi::Env env) {
  if (!capture_) Napi::TypeError::New(env, "the capture is closed").ThrowAsJavaScriptException();
  return capture_.get();
}

Napi::Value CaptureWrap::fd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), capture_ ? capture_->fd() : -1);
}

Napi::Value CaptureWrap::geometry(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Capture* capture = opened(env);
  if (capture == nullptr) return env.Undefined();
  return describe_geometry(env, *capture);
}

Napi::Value CaptureWrap::interface_name(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), capture_ ? capture_->link().info().name : name_);
}

Napi::Value CaptureWrap::link_up(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), capture_ && !capture_->link().gone() && capture_->link().info().up());
}

bool CaptureWrap::make_index(Napi::Env env) { return lease_.make_index(env, capture_->ring().most_packets()); }

Napi::Value CaptureWrap::header(const Napi::CallbackInfo& info) {
  if (opened(info.Env()) == nullptr || !make_index(info.Env())) return info.Env().Undefined();
  return lease_.header();
}

Napi::Value CaptureWrap::index(const Napi::CallbackInfo& info) {
  if (opened(info.Env()) == nullptr || !make_index(info.Env())) return info.Env().Undefined();
  return lease_.index();
}

Napi::Value CaptureWrap::borrow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Capture* capture = opened(env);
  if (capture == nullptr || !make_index(env) || !lease_.assert_none(env)) return env.Undefined();
  LentBatch lent;
  // A batch of which the new filter leaves nothing is none.
  for (;;) {
    const WaitingBatch waiting = capture->waiting();
    if (waiting.packets == 0) return env.Null();
    if (capture->lend(waiting, lease_.header_words(), lease_.records(), &lent) != 0) break;
  }
  const Napi::Value buffer = lease_.lend(env, lent.memory, lent.offset, lent.length);
  if (buffer.IsUndefined()) capture->release();
  return buffer;
}

void CaptureWrap::release(const Napi::CallbackInfo& info) {
  if (lease_.end(info.Env()) && capture_) capture_->release();
}

Napi::Value CaptureWrap::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (opened(env) == nullptr || !lease_.assert_none(env)) return env.Undefined();
  SlabPool::Slab slab;
  size_t length = 0;
  switch (fill(env, &slab, &length)) {
    case Filled::kNone:
      return env.Null();
    case Filled::kNoRoom:
      return env.Undefined();
    case Filled::kBatch:
      return outbox_ ? send_on(env, slab, length) : wrap_slab(env, budget_.pool(), slab, length);
  }
  return env.Undefined();
}

CaptureWrap::Filled CaptureWrap::fill(Napi::Env env, SlabPool::Slab* slab, size_t* length) {
  for (;;) {
    const WaitingBatch waiting = capture_->waiting();
    if (waiting.packets == 0) return Filled::kNone;
    if (outbox_ && !outbox_->has_room()) return Filled::kNoRoom;
    const size_t index_bytes = sizeof(BatchHeader) + waiting.packets * sizeof(PacketRecord);
    *slab = budget_.take(env, name_, waiting.slab_bytes);
    if (outbox_) outbox_->set_stalled(slab->data == nullptr);
    if (slab->data == nullptr) return Filled::kNoRoom;
    auto* header = reinterpret_cast<BatchHeader*>(slab->data);
    auto* records = reinterpret_cast<PacketRecord*>(slab->data + sizeof(BatchHeader));
    const uint32_t packets = capture_->copy(waiting, header, records, slab->data + index_bytes,
                                            static_cast<uint32_t>(slab->size - index_bytes));
    header->bytes_offset = static_cast<uint32_t>(index_bytes);
    *length = index_bytes + header->byte_length;
    if (packets != 0) return Filled::kBatch;
    budget_.pool()->give_back(*slab);
  }
}

// What is left here is the receipt: the header of what was sent. Nothing is allocated for it, which V8 refuses in a
// thread that is being terminated.
Napi::Value CaptureWrap::send_on(Napi::Env env, SlabPool::Slab slab, size_t length) {
  auto* header = reinterpret_cast<BatchHeader*>(slab.data);
  header->member = member_;
  BatchHeader sent = *header;
  sent.byte_length = 0;
  sent.count = std::min(sent.count, kMostReceiptPackets);
  sent.bytes_offset = kReceiptBytes;
  const Status status = outbox_->send(std::make_unique<Parcel>(budget_.pool(), slab, length));
  if (!status.ok()) {
    environment_.raise(env, status, name_);
    return env.Undefined();
  }
  *receipt_header_ = sent;
  return receipt_.Value();
}

void CaptureWrap::send_to(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (opened(env) == nullptr) return;
  if (!info[0].IsNumber() || !info[1].IsNumber()) {
    Napi::TypeError::New(env, "outboxFd and member must be numbers").ThrowAsJavaScriptException();
    return;
  }
  Result<SlabOutbox> outbox = SlabOutbox::join(info[0].As<Napi::Number>().Int32Value());
  if (!outbox.ok()) return environment_.raise(env, outbox.status(), name_);
  void* memory = nullptr;
  napi_value receipt = nullptr;
  if (napi_create_arraybuffer(env, kReceiptBytes, &memory, &receipt) != napi_ok) return;
  receipt_header_ = static_cast<BatchHeader*>(memory);
  receipt_ = Napi::Persistent(Napi::ArrayBuffer(env, receipt));
  if (const Status s = outbox->introduce({capture_->books(), budget_.pool()}); !s.ok())
    return environment_.raise(env, s, name_);
  outbox_.emplace(std::move(*outbox));
  member_ = info[1].As<Napi::Number>().Uint32Value();
}

Napi::Value CaptureWrap::buffered_bytes(const Napi::CallbackInfo& info) {
  // Slabs that were sent on are not for this thread's collector to give back.
  return Napi::Number::New(info.Env(), outbox_ ? 0 : static_cast<double>(budget_.live_bytes()));
}

Napi::Value CaptureWrap::has_room(const Napi::CallbackInfo& info) {
  if (!capture_) return Napi::Boolean::New(info.Env(), false);
  const bool memory = budget_.has_room(capture_->waiting().slab_bytes);
  if (outbox_) outbox_->set_stalled(!memory);
  return Napi::Boolean::New(info.Env(), memory && (!outbox_ || outbox_->has_room()));
}

Napi::Value CaptureWrap::wait(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Capture* capture = opened(env);
  if (capture == nullptr) return env.Undefined();
  if (!info[0].IsNumber()) {
    Napi::TypeError::New(env, "timeoutMs must be a number").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Result<bool> ready = capture->wait(info[0].As<Napi::Number>().Int32Value());
  if (!ready.ok()) {
    environment_.raise(env, ready.status(), name_);
    return env.Undefined();
  }
  return Napi::Boolean::New(env, *ready);
}

void CaptureWrap::set_filter(const Napi::CallbackInfo& info) {
  Capture* capture = opened(info.Env());
  std::vector<sock_filter> program;
  if (capture == nullptr || !read_program(info[0], &program)) return;
  const Status status = capture->set_filter(std::move(program));
  if (!status.ok()) environment_.raise(info.Env(), status, name_);
}

void CaptureWrap::attach_ebpf_filter(const Napi::CallbackInfo& info) {
  attach_program(info, &Capture::attach_ebpf_filter);
}

void CaptureWrap::attach_fanout_ebpf(const Napi::CallbackInfo& info) {
  attach_program(info, &Capture::attach_fanout_ebpf);
}

// The program is a descriptor, or the path it is pinned to. A socket holds its program: the descriptor may be closed.
void CaptureWrap::attach_program(const Napi::CallbackInfo& info, Status (Capture::*attach)(int program_fd)) {
  Capture* capture = opened(info.Env());
  if (capture == nullptr) return;
  if (info[0].IsNumber()) {
    const int fd = info[0].As<Napi::Number>().Int32Value();
    const Status status = (capture->*attach)(fd);
    if (!status.ok()) environment_.raise(info.Env(), status, name_, "descriptor " + std::to_string(fd));
    return;
  }
  if (!info[0].IsString()) {
    Napi::TypeError::New(info.Env(), "program must be a number or a string").ThrowAsJavaScriptException();
    return;
  }
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  Result<UniqueFd> program = open_pinned_program(path);
  const Status status = program.ok() ? (capture->*attach)(program->get()) : program.status();
  if (!status.ok()) environment_.raise(info.Env(), status, name_, path);
}

void CaptureWrap::statistics(const Napi::CallbackInfo& info) {
  Capture* capture = opened(info.Env());
  if (capture == nullptr) return;
  write_statistics(info, *capture->books(), *budget_.pool());
}

void CaptureWrap::watch(const Napi::CallbackInfo& info) {
  Capture* capture = opened(info.Env());
  if (capture != nullptr && watch_.start(info, name_, capture->fd(), UV_READABLE, &capture->link())) Ref();
}

void CaptureWrap::arm(const Napi::CallbackInfo& info) { watch_.arm(info); }

void CaptureWrap::disarm(const Napi::CallbackInfo& /*info*/) { watch_.disarm(); }

void CaptureWrap::ref(const Napi::CallbackInfo& /*info*/) { watch_.ref(true); }

void CaptureWrap::unref(const Napi::CallbackInfo& /*info*/) { watch_.ref(false); }

void CaptureWrap::close(const Napi::CallbackInfo& info) {
  if (!capture_) return;
  (void)lease_.end(info.Env());
  const bool watched = watch_.is_on();
  close_native();
  if (watched) Unref();
}

void CaptureWrap::close_native() {
  environment_.remove(this);
  watch_.stop();
  capture_.reset();
  outbox_.reset();
  budget_.pool()->close();
}

}  // namespace netring
