// What belongs to one JavaScript environment (the main thread or a worker): the factory of its errors and the handles
// to close at its end.
#ifndef NETRING_ADDON_ENVIRONMENT_H_
#define NETRING_ADDON_ENVIRONMENT_H_

#include <napi.h>

#include <set>
#include <string>

#include "../core/result.h"
#include "../core/xdp/shared_program.h"

namespace netring {

// A native object with handles on the event loop, closed by the environment's end if not before.
class Closable {
 public:
  virtual ~Closable() = default;
  // Idempotent. Must not call into JavaScript: it also runs while the environment is torn down.
  virtual void close_native() = 0;
};

class Environment {
 public:
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
  static void install(Napi::Env env);

  void set_error_factory(Napi::Function factory);
  // XDP programs that its sockets share.
  SharedPrograms& programs() { return programs_; }
  void add(Closable* handle) { handles_.insert(handle); }
  void remove(Closable* handle) { handles_.erase(handle); }

  // libuv handles may only be freed in their close callback, and a worker's loop must be empty of them before it ends:
  // the clean-up hook waits until the count is back to zero.
  void handle_opened() { ++open_handles_; }
  void handle_closed();

  // Leaves a NetringError pending. The caller returns to JavaScript right after it.
  // `detail`: what the kernel has said besides.
  void raise(Napi::Env env, const Status& status, const std::string& interface_name, const std::string& detail = "");

 private:
  static void clean_up(napi_async_cleanup_hook_handle hook, void* self);

  Napi::FunctionReference make_error_;
  SharedPrograms programs_;
  std::set<Closable*> handles_;
  int open_handles_ = 0;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool ending_ = false;
};

}  // namespace netring

#endif  // NETRING_ADDON_ENVIRONMENT_H_
