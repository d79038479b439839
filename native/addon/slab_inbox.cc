#include "slab_inbox.h"

#include "capture_statistics.h"
#include "slab_buffer.h"

namespace netring {

void SlabInboxWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("SlabInbox", DefineClass(env, "SlabInbox",
                                       {
                                           InstanceAccessor<&SlabInboxWrap::outbox_fd>("outboxFd"),
                                           InstanceAccessor<&SlabInboxWrap::ready>("ready"),
                                           InstanceAccessor<&SlabInboxWrap::sender_stalled>("senderStalled"),
                                           InstanceAccessor<&SlabInboxWrap::buffered_bytes>("bufferedBytes"),
                                           InstanceMethod<&SlabInboxWrap::statistics>("statistics"),
                                           InstanceMethod<&SlabInboxWrap::take>("take"),
                                           InstanceMethod<&SlabInboxWrap::close_outbox>("closeOutbox"),
                                           InstanceMethod<&SlabInboxWrap::close>("close"),
                                       }));
}

SlabInboxWrap::SlabInboxWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SlabInboxWrap>(info), environment_(Environment::of(info.Env())) {
  Result<SlabInbox> opened = SlabInbox::open();
  if (!opened.ok()) {
    environment_.raise(info.Env(), opened.status(), "");
    return;
  }
  inbox_.emplace(std::move(*opened));
  environment_.add(this);
}

SlabInboxWrap::~SlabInboxWrap() { close_native(); }

Napi::Value SlabInboxWrap::outbox_fd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), inbox_ ? inbox_->outbox_fd() : -1);
}

Napi::Value SlabInboxWrap::ready(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), inbox_ && inbox_->ready());
}

Napi::Value SlabInboxWrap::sender_stalled(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), inbox_ && inbox_->sender_stalled());
}

Napi::Value SlabInboxWrap::buffered_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), sender_.pool ? static_cast<double>(sender_.pool->live_bytes()) : 0);
}

void SlabInboxWrap::statistics(const Napi::CallbackInfo& info) {
  if (!sender_.books) return throw_type(info.Env(), "nobody sends here");
  write_statistics(info, *sender_.books, *sender_.pool);
}

Napi::Value SlabInboxWrap::take(const Napi::CallbackInfo& info) {
  const std::unique_ptr<Parcel> parcel = inbox_ ? inbox_->receive() : nullptr;
  if (parcel == nullptr) return info.Env().Null();
  return wrap_slab(info.Env(), parcel->pool(), parcel->take_slab(), parcel->length());
}

void SlabInboxWrap::close_outbox(const Napi::CallbackInfo& /*info*/) {
  if (!inbox_) return;
  inbox_->close_outbox();
  sender_ = inbox_->sender();
}

void SlabInboxWrap::close(const Napi::CallbackInfo& /*info*/) { close_native(); }

void SlabInboxWrap::close_native() {
  environment_.remove(this);
  inbox_.reset();
}

}  // namespace netring
