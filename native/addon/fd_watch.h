// Readiness of a descriptor that somebody else owns: what waits of sources made in JavaScript rest on.
#ifndef NETRING_ADDON_FD_WATCH_H_
#define NETRING_ADDON_FD_WATCH_H_

#include <napi.h>

#include "../core/resources.h"
#include "environment.h"
#include "watch.h"

namespace netring {

class FdWatchWrap : public Napi::ObjectWrap<FdWatchWrap>, public Closable {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit FdWatchWrap(const Napi::CallbackInfo& info);
  ~FdWatchWrap() override;

  void close_native() override;

 private:
  void watch(const Napi::CallbackInfo& info);
  void arm(const Napi::CallbackInfo& info);
  void disarm(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Environment& environment_;
  // A duplicate: libuv ends the process when a descriptor that it polls is closed under it, and refuses one that it
  // polls already.
  UniqueFd fd_;
  // After the descriptor: unregisters from the loop before it closes.
  Watch watch_;
};

}  // namespace netring

#endif  // NETRING_ADDON_FD_WATCH_H_
