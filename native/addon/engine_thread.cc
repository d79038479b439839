#include "engine_thread.h"

#include <sys/prctl.h>

#include "frame_arguments.h"
#include "listener.h"
#include "loop_handle.h"

namespace netring {

bool EngineThread::start(Napi::Function listener, Body body, void* engine, const std::string& interface_name) {
  uv_loop_t* loop = nullptr;
  if (wake_ != nullptr || napi_get_uv_event_loop(env_, &loop) != napi_ok) {
    throw_type(env_, "it runs already");
    return false;
  }
  wake_ = open_handle<uv_async_t>(environment_, this, [loop](uv_async_t* async) {
    return uv_async_init(loop, async, [](uv_async_t* handle) { static_cast<EngineThread*>(handle->data)->call(); });
  });
  if (wake_ == nullptr) {
    environment_.raise(env_, Status{ENOMEM, "uv_async_init"}, interface_name);
    return false;
  }
  listener_ = Napi::Persistent(listener);
  body_ = body;
  engine_ = engine;
  ended_ = false;
  failure_ = 0;
  const int error = uv_thread_create(
      &thread_, [](void* self) { static_cast<EngineThread*>(self)->run(); }, this);
  if (error == 0) return true;
  close_handle(&wake_);
  listener_.Reset();
  environment_.raise(env_, Status{-error, "pthread_create"}, interface_name);
  return false;
}

void EngineThread::run() {
  // Not pthread_setname_np(): see the class.
  prctl(PR_SET_NAME, name_);
  const Status ended = body_(
      engine_, [](void* self) { static_cast<EngineThread*>(self)->notify(); }, this);
  failed_step_.store(ended.step, std::memory_order_release);
  failure_.store(ended.error, std::memory_order_release);
  ended_.store(true, std::memory_order_release);
  notify();
}

void EngineThread::notify() { uv_async_send(wake_); }

void EngineThread::join() {
  if (wake_ == nullptr) return;
  uv_thread_join(&thread_);
  close_handle(&wake_);
  // It holds on to the wrapper.
  listener_.Reset();
}

void EngineThread::ref(bool on) {
  auto* handle = reinterpret_cast<uv_handle_t*>(wake_);
  if (handle != nullptr) on ? uv_ref(handle) : uv_unref(handle);
}

// Runs on the loop. The listener may close the wrapper.
void EngineThread::call() {
  const Napi::HandleScope scope(env_);
  call_listener(env_, listener_.Value(), {});
}

}  // namespace netring
