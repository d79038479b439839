// The thread that an engine of the core runs on beside the event loop, and how it calls back.
#ifndef NETRING_ADDON_ENGINE_THREAD_H_
#define NETRING_ADDON_ENGINE_THREAD_H_

#include <napi.h>
#include <uv.h>

#include <atomic>
#include <string>

#include "environment.h"

namespace netring {

// Lives inside a wrapper object. libuv's threads: those of libpthread have versions that older C libraries lack.
class EngineThread {
 public:
  // What an engine does until it ends. `notify(context)` has the listener called on the loop, from any thread.
  using Body = Status (*)(void* engine, void (*notify)(void*), void* context);

  // `name`, at most 15 characters, is what top(1) and taskset(1) know the thread by.
  EngineThread(Napi::Env env, Environment& environment, const char* name)
      : env_(env), environment_(environment), name_(name) {}
  // The engine was told to end, and `join` was called.
  ~EngineThread() { join(); }
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // Calls `listener` on the loop once the engine has notified, and once it has ended; several calls may become one.
  // False with an exception pending. Until `join` the loop is kept alive and `listener` is held.
  bool start(Napi::Function listener, Body body, void* engine, const std::string& interface_name);
  // Waits for the end of an engine that was told to end; then it may start again.
  void join();
  bool is_on() const { return wake_ != nullptr; }
  void ref(bool on);

  // For any thread.
  void notify();
  // Whether the engine has ended, by itself or because it was told to.
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  // errno with which it ended by itself, and what failed; 0 for none.
  int failure() const { return failure_.load(std::memory_order_acquire); }
  const char* failed_step() const { return failed_step_.load(std::memory_order_acquire); }

 private:
  void run();
  void call();

  Napi::Env env_;
  Environment& environment_;
  const char* name_;
  Napi::FunctionReference listener_;
  // Open while the thread runs.
  uv_async_t* wake_ = nullptr;
  uv_thread_t thread_{};
  Body body_ = nullptr;
  void* engine_ = nullptr;
  std::atomic<bool> ended_{false};
  std::atomic<int> failure_{0};
  std::atomic<const char*> failed_step_{""};
};

}  // namespace netring

#endif  // NETRING_ADDON_ENGINE_THREAD_H_
