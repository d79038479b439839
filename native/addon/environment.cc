#include "environment.h"

#include <memory>
#include <vector>

namespace netring {

void Environment::install(Napi::Env env) {
  auto self = std::make_unique<Environment>();
  napi_add_async_cleanup_hook(env, &Environment::clean_up, self.get(), &self->hook_);
  env.SetInstanceData(self.release());
}

void Environment::set_error_factory(Napi::Function factory) { make_error_ = Napi::Persistent(factory); }

void Environment::handle_closed() {
  --open_handles_;
  if (ending_ && open_handles_ == 0) napi_remove_async_cleanup_hook(hook_);
}

void Environment::raise(Napi::Env env, const Status& status, const std::string& interface_name,
                        const std::string& detail) {
  Napi::Object failure = Napi::Object::New(env);
  failure.Set("errno", status.error);
  failure.Set("step", status.step);
  failure.Set("interface", interface_name);
  failure.Set("detail", detail);
  const Napi::Value error = make_error_.Call({failure});
  if (!env.IsExceptionPending()) napi_throw(env, error);
}

void Environment::clean_up(napi_async_cleanup_hook_handle hook, void* self) {
  auto* environment = static_cast<Environment*>(self);
  environment->ending_ = true;
  // A copy: closing removes from the set.
  for (Closable* handle : std::vector<Closable*>(environment->handles_.begin(), environment->handles_.end()))
    handle->close_native();
  if (environment->open_handles_ == 0) napi_remove_async_cleanup_hook(hook);
}

}  // namespace netring
