// `watch`, `arm`, `disarm`, `ref` and `unref` of the classes that live on the event loop.
#ifndef NETRING_ADDON_WATCH_H_
#define NETRING_ADDON_WATCH_H_

#include <napi.h>

#include <optional>
#include <string>

#include "../core/link.h"
#include "loop_registration.h"

namespace netring {

class Watch {
 public:
  // (listener). False with an exception pending. The loop calls the owner from then on: it must not be collected before
  // `stop`, so it takes a reference to itself.
  bool start(const Napi::CallbackInfo& info, const std::string& interface_name, int socket, int events,
             LinkWatch* link);
  bool is_on() const { return loop_.has_value(); }
  // The socket's descriptor may be closed after this.
  void stop() { loop_.reset(); }

  // (delayMs)
  void arm(const Napi::CallbackInfo& info) {
    if (loop_) loop_->arm(info[0].IsNumber() ? info[0].As<Napi::Number>().Uint32Value() : 0);
  }
  void disarm() {
    if (loop_) loop_->disarm();
  }
  void ref(bool on) {
    if (loop_) loop_->ref(on);
  }

 private:
  std::optional<LoopRegistration> loop_;
};

}  // namespace netring

#endif  // NETRING_ADDON_WATCH_H_
