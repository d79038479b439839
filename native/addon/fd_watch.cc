#include "fd_watch.h"

#include <fcntl.h>

#include "frame_arguments.h"

namespace netring {

void FdWatchWrap::define(Napi::Env env, Napi::Object exports) {
  exports.Set("FdWatch", DefineClass(env, "FdWatch",
                                     {
                                         InstanceMethod<&FdWatchWrap::watch>("watch"),
                                         InstanceMethod<&FdWatchWrap::arm>("arm"),
                                         InstanceMethod<&FdWatchWrap::disarm>("disarm"),
                                         InstanceMethod<&FdWatchWrap::ref>("ref"),
                                         InstanceMethod<&FdWatchWrap::unref>("unref"),
                                         InstanceMethod<&FdWatchWrap::close>("close"),
                                     }));
}

// (fd)
FdWatchWrap::FdWatchWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FdWatchWrap>(info), environment_(Environment::of(info.Env())) {
  if (!info[0].IsNumber()) {
    throw_type(info.Env(), "fd must be a number");
    return;
  }
  fd_ = UniqueFd(::fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3));
  if (fd_)
    environment_.add(this);
  else
    environment_.raise(info.Env(), Status::failed("dup"), "");
}

FdWatchWrap::~FdWatchWrap() { close_native(); }

void FdWatchWrap::watch(const Napi::CallbackInfo& info) {
  if (!fd_) return throw_type(info.Env(), "the watch is closed");
  if (watch_.start(info, "", fd_.get(), UV_READABLE, nullptr)) Ref();
}

void FdWatchWrap::arm(const Napi::CallbackInfo& info) { watch_.arm(info); }

void FdWatchWrap::disarm(const Napi::CallbackInfo& /*info*/) { watch_.disarm(); }

void FdWatchWrap::ref(const Napi::CallbackInfo& /*info*/) { watch_.ref(true); }

void FdWatchWrap::unref(const Napi::CallbackInfo& /*info*/) { watch_.ref(false); }

void FdWatchWrap::close(const Napi::CallbackInfo& /*info*/) {
  const bool watched = watch_.is_on();
  close_native();
  if (watched) Unref();
}

void FdWatchWrap::close_native() {
  environment_.remove(this);
  watch_.stop();
  fd_.reset();
}

}  // namespace netring
