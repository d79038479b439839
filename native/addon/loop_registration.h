// A handle's registration with the event loop: readiness of its descriptor, one event per request, and the state of its
// link.
#ifndef NETRING_ADDON_LOOP_REGISTRATION_H_
#define NETRING_ADDON_LOOP_REGISTRATION_H_

#include <napi.h>
#include <uv.h>

#include <functional>

#include "../core/link.h"
#include "environment.h"

namespace netring {

// Mirrors LoopEvent in src/native/.
enum class LoopEvent : uint32_t { kReady = 0, kDown = 1, kUp = 2, kGone = 3, kError = 4 };

// Lives inside a wrapper object. `start` once, `stop` at close; the libuv handles free themselves in their close
// callbacks, so that the wrapper may be gone by then.
class LoopRegistration {
 public:
  // `events`: UV_READABLE or UV_WRITABLE. `link` outlives the registration; null for a descriptor that has none.
  LoopRegistration(Napi::Env env, int socket, int events, LinkWatch* link);
  ~LoopRegistration();
  LoopRegistration(const LoopRegistration&) = delete;
  LoopRegistration& operator=(const LoopRegistration&) = delete;

  // Returns a libuv error, 0 on success. `listener(event, detail)` is called from the loop.
  int start(Napi::Function listener);
  // The socket's descriptor may be closed after this returns.
  void stop();

  // Asks for one kReady, not before `delay_ms`: in the meantime the socket is left alone. Without a delay the poll
  // handle stays active between an event and the next request, so that a busy sender that asks again at once costs no
  // system call; an event that nobody asked for stops it.
  void arm(uint32_t delay_ms = 0);
  void disarm();
  void ref(bool on);

 private:
  static void on_socket(uv_poll_t* handle, int status, int events);
  static void on_link(uv_poll_t* handle, int status, int events);
  static void on_delay(uv_timer_t* handle);
  void socket_ready(int status);
  void link_changed();
  void delay_over();
  void poll_socket();
  void emit(LoopEvent event, int detail);

  Napi::Env env_;
  Environment& environment_;
  int socket_;
  int events_;
  LinkWatch* link_;
  Napi::FunctionReference listener_;
  uv_poll_t* socket_poll_ = nullptr;
  uv_poll_t* link_poll_ = nullptr;
  uv_timer_t* delay_ = nullptr;
  bool armed_ = false;
  bool delayed_ = false;
  bool polling_ = false;
};

}  // namespace netring

#endif  // NETRING_ADDON_LOOP_REGISTRATION_H_
