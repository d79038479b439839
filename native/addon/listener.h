// Calls into JavaScript from callbacks of the event loop.
#ifndef NETRING_ADDON_LISTENER_H_
#define NETRING_ADDON_LISTENER_H_

#include <napi.h>

#include <initializer_list>

namespace netring {

// Runs the microtasks after it. An exception of the listener is the process's to handle, as with any callback of
// Node's. Not node-addon-api's MakeCallback: that throws when the call fails, and in a worker that is being terminated,
// where nothing can be thrown, it ends the process instead.
inline void call_listener(napi_env env, napi_value listener, std::initializer_list<napi_value> arguments) {
  napi_value global = nullptr;
  if (napi_get_global(env, &global) != napi_ok) return;
  const napi_status status =
      napi_make_callback(env, nullptr, global, listener, arguments.size(), arguments.begin(), nullptr);
  bool pending = false;
  if (status == napi_ok || napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  napi_value error = nullptr;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

}  // namespace netring

#endif  // NETRING_ADDON_LISTENER_H_
