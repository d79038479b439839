// libuv handles that outlive whoever opened them, until their close callback.
#ifndef NETRING_ADDON_LOOP_HANDLE_H_
#define NETRING_ADDON_LOOP_HANDLE_H_

#include <uv.h>

#include <memory>

#include "environment.h"

namespace netring {

// A libuv handle with what its close callback still needs after the wrapper is gone.
template <typename Handle>
struct Owned {
  Handle handle;
  Environment* environment;
};

// `init` is libuv's call that makes the handle.
template <typename Handle, typename Init>
Handle* open_handle(Environment& environment, void* owner, Init init) {
  auto owned = std::make_unique<Owned<Handle>>();
  owned->environment = &environment;
  if (init(&owned->handle) != 0) return nullptr;
  owned->handle.data = owner;
  environment.handle_opened();
  return &owned.release()->handle;
}

template <typename Handle>
void close_handle(Handle** handle) {
  if (*handle == nullptr) return;
  (*handle)->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(*handle), [](uv_handle_t* closed) {
    const std::unique_ptr<Owned<Handle>> owned(reinterpret_cast<Owned<Handle>*>(closed));
    owned->environment->handle_closed();
  });
  *handle = nullptr;
}

}  // namespace netring

#endif  // NETRING_ADDON_LOOP_HANDLE_H_
