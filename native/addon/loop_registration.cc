#include "loop_registration.h"

#include "../core/packet_socket.h"

namespace netring {

namespace {

// Room for what a poll handle's close callback still needs after the wrapper is gone.
struct PollHandle {
  uv_poll_t poll;
  Environment* environment;
};

}  // namespace

LoopRegistration::LoopRegistration(Napi::Env env, int socket, int events, LinkWatch* link)
    : env_(env), environment_(Environment::of(env)), socket_(socket), events_(events), link_(link) {}

LoopRegistration::~LoopRegistration() { stop(); }

int LoopRegistration::start(Napi::Function listener) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env_, &loop) != napi_ok) return UV_EINVAL;
  socket_poll_ = open_poll(loop, socket_);
  link_poll_ = open_poll(loop, link_->fd());
  if (socket_poll_ == nullptr || link_poll_ == nullptr) {
    stop();
    return UV_ENOMEM;
  }
  listener_ = Napi::Persistent(listener);
  return uv_poll_start(link_poll_, UV_READABLE, &LoopRegistration::on_link);
}

void LoopRegistration::stop() {
  close_poll(&socket_poll_);
  close_poll(&link_poll_);
  armed_ = false;
  polling_ = false;
}

void LoopRegistration::arm() {
  if (socket_poll_ == nullptr) return;
  armed_ = true;
  if (polling_) return;
  polling_ = true;
  uv_poll_start(socket_poll_, events_, &LoopRegistration::on_socket);
}

void LoopRegistration::disarm() { armed_ = false; }

void LoopRegistration::ref(bool on) {
  for (uv_poll_t* handle : {socket_poll_, link_poll_}) {
    if (handle == nullptr) continue;
    auto* base = reinterpret_cast<uv_handle_t*>(handle);
    on ? uv_ref(base) : uv_unref(base);
  }
}

void LoopRegistration::on_socket(uv_poll_t* handle, int status, int /*events*/) {
  static_cast<LoopRegistration*>(handle->data)->socket_ready(status);
}

void LoopRegistration::on_link(uv_poll_t* handle, int status, int /*events*/) {
  // An overrun of the rtnetlink socket is a POLLERR as well: libuv has stopped the handle, `update` clears the error.
  if (status < 0) uv_poll_start(handle, UV_READABLE, &LoopRegistration::on_link);
  static_cast<LoopRegistration*>(handle->data)->link_changed();
}

// A listener may close the handle and thereby destroy this object, so that an emit is always the last thing done.
void LoopRegistration::socket_ready(int status) {
  if (status < 0) {
    // libuv answers POLLERR by stopping the handle (src/unix/poll.c) and leaves SO_ERROR standing, which would make
    // every later poll() return at once. ENETDOWN is the link's business, which rtnetlink reports as well.
    polling_ = false;
    const int error = take_socket_error(socket_);
    if (armed_) arm();
    if (error != 0 && error != ENETDOWN) return emit(LoopEvent::kError, error);
    return link_changed();
  }
  if (!armed_) {
    polling_ = false;
    uv_poll_stop(socket_poll_);
    return;
  }
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
  // MakeCallback runs the microtasks after it. An exception of the listener is the process's to handle, as with any
  // callback of Node's.
  listener_.MakeCallback(env.Global(),
                         {Napi::Number::New(env, static_cast<uint32_t>(event)), Napi::Number::New(env, detail)});
  if (env.IsExceptionPending()) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
}

uv_poll_t* LoopRegistration::open_poll(uv_loop_t* loop, int fd) {
  auto* handle = new PollHandle{{}, &environment_};
  if (uv_poll_init(loop, &handle->poll, fd) != 0) {
    delete handle;
    return nullptr;
  }
  handle->poll.data = this;
  environment_.handle_opened();
  return &handle->poll;
}

void LoopRegistration::close_poll(uv_poll_t** handle) {
  if (*handle == nullptr) return;
  uv_poll_stop(*handle);
  (*handle)->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(*handle), [](uv_handle_t* closed) {
    auto* owner = reinterpret_cast<PollHandle*>(closed);
    owner->environment->handle_closed();
    delete owner;
  });
  *handle = nullptr;
}

}  // namespace netring
