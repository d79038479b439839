#include "loop_registration.h"

#include <poll.h>

#include "../core/packet_socket.h"
#include "listener.h"
#include "loop_handle.h"

namespace netring {

namespace {

// Whether the socket is ready and has no error to report.
bool ready_now(int socket, int events) {
  const auto wanted = static_cast<short>(events == UV_READABLE ? POLLIN : POLLOUT);
  pollfd polled{socket, wanted, 0};
  return ::poll(&polled, 1, 0) == 1 && polled.revents == wanted;
}

}  // namespace

LoopRegistration::LoopRegistration(Napi::Env env, int socket, int events, LinkWatch* link)
    : env_(env), environment_(Environment::of(env)), socket_(socket), events_(events), link_(link) {}

LoopRegistration::~LoopRegistration() { stop(); }

int LoopRegistration::start(Napi::Function listener) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return UV_EINVAL;
  int error = 0;
  const auto poll_of = [loop, &error](int fd) {
    return [loop, fd, &error](uv_poll_t* poll) { return error = uv_poll_init(loop, poll, fd); };
  };
  socket_poll_ = open_handle<uv_poll_t>(environment_, this, poll_of(socket_));
  if (link_ != nullptr) link_poll_ = open_handle<uv_poll_t>(environment_, this, poll_of(link_->fd()));
  delay_ =
      open_handle<uv_timer_t>(environment_, this, [loop](uv_timer_t* timer) { return uv_timer_init(loop, timer); });
  if (socket_poll_ == nullptr || (link_ != nullptr && link_poll_ == nullptr) || delay_ == nullptr) {
    stop();
    return error != 0 ? error : UV_ENOMEM;
  }
  listener_ = Napi::Persistent(listener);
  if (link_ == nullptr) return 0;
  return uv_poll_start(link_poll_, UV_READABLE, &LoopRegistration::on_link);
}

void LoopRegistration::stop() {
  close_handle(&socket_poll_);
  close_handle(&link_poll_);
  close_handle(&delay_);
  armed_ = false;
  delayed_ = false;
  polling_ = false;
}

void LoopRegistration::arm(uint32_t delay_ms) {
  if (socket_poll_ == nullptr) return;
  armed_ = true;
  delayed_ = delay_ms > 0;
  if (delayed_) {
    uv_timer_start(delay_, &LoopRegistration::on_delay, delay_ms, 0);
    return;
  }
  uv_timer_stop(delay_);
  poll_socket();
}

void LoopRegistration::poll_socket() {
  if (polling_) return;
  polling_ = true;
  uv_poll_start(socket_poll_, events_, &LoopRegistration::on_socket);
}

void LoopRegistration::disarm() {
  armed_ = false;
  delayed_ = false;
  if (delay_ != nullptr) uv_timer_stop(delay_);
}

void LoopRegistration::ref(bool on) {
  const auto set = [on](auto* handle) {
    auto* base = reinterpret_cast<uv_handle_t*>(handle);
    if (base != nullptr) on ? uv_ref(base) : uv_unref(base);
  };
  set(socket_poll_);
  set(link_poll_);
  set(delay_);
}

void LoopRegistration::on_socket(uv_poll_t* handle, int status, int /*events*/) {
  static_cast<LoopRegistration*>(handle->data)->socket_ready(status);
}

void LoopRegistration::on_link(uv_poll_t* handle, int status, int /*events*/) {
  // An overrun of the rtnetlink socket is a POLLERR as well: libuv has stopped the handle, `update` clears the error.
  if (status < 0) uv_poll_start(handle, UV_READABLE, &LoopRegistration::on_link);
  static_cast<LoopRegistration*>(handle->data)->link_changed();
}

void LoopRegistration::on_delay(uv_timer_t* handle) { static_cast<LoopRegistration*>(handle->data)->delay_over(); }

// A listener may close the handle and thereby destroy this object, so that an emit is always the last thing done.
void LoopRegistration::socket_ready(int status) {
  if (status < 0) {
    // libuv answers POLLERR by stopping the handle (src/unix/poll.c) and leaves SO_ERROR standing, which would make
    // every later poll() return at once. ENETDOWN is the link's business, which rtnetlink reports as well.
    polling_ = false;
    const int error = take_socket_error(socket_);
    if (link_ == nullptr) {
      // What it is is not known, nor whether the error goes away: who still waits asks again.
      armed_ = false;
      return emit(LoopEvent::kError, error == 0 || error == ENOTSOCK ? EIO : error);
    }
    if (armed_ && !delayed_) poll_socket();
    if (error != 0 && error != ENETDOWN) return emit(LoopEvent::kError, error);
    return link_changed();
  }
  if (!armed_ || delayed_) {
    polling_ = false;
    uv_poll_stop(socket_poll_);
    return;
  }
  armed_ = false;
  emit(LoopEvent::kReady, 0);
}

void LoopRegistration::delay_over() {
  delayed_ = false;
  // Asked directly, the socket answers for a tenth of what starting and stopping its poll handle costs.
  if (!ready_now(socket_, events_)) return poll_socket();
  armed_ = false;
  emit(LoopEvent::kReady, 0);
}

void LoopRegistration::link_changed() {
  if (link_poll_ == nullptr) return;
  switch (link_->update()) {
    case LinkWatch::Change::kNone:
      return;
    case LinkWatch::Change::kDown:
      return emit(LoopEvent::kDown, 0);
    case LinkWatch::Change::kUp:
      return emit(LoopEvent::kUp, 0);
    case LinkWatch::Change::kGone:
      // Nothing more to learn, and rtnetlink's reports on other links would go on waking the loop.
      uv_poll_stop(link_poll_);
      return emit(LoopEvent::kGone, 0);
  }
}

void LoopRegistration::emit(LoopEvent event, int detail) {
  if (listener_.IsEmpty()) return;
  const Napi::Env env = env_;
  const Napi::HandleScope scope(env);
  call_listener(env, listener_.Value(),
                {Napi::Number::New(env, static_cast<uint32_t>(event)), Napi::Number::New(env, detail)});
}

}  // namespace netring
