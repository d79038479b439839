#include "watch.h"

#include "environment.h"
#include "frame_arguments.h"

namespace netring {

bool Watch::start(const Napi::CallbackInfo& info, const std::string& interface_name, int socket, int events,
                  LinkWatch* link) {
  const Napi::Env env = info.Env();
  if (loop_ || !info[0].IsFunction()) {
    throw_type(env, loop_ ? "already watched" : "listener must be a function");
    return false;
  }
  loop_.emplace(env, socket, events, link);
  const int error = loop_->start(info[0].As<Napi::Function>());
  if (error == 0) return true;
  loop_.reset();
  Environment::of(env).raise(env, Status{-error, "uv_poll_start"}, interface_name);
  return false;
}

}  // namespace netring
