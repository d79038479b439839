// The JavaScript class around AF_XDP.
#ifndef NETRING_ADDON_XDP_SOCKET_H_
#define NETRING_ADDON_XDP_SOCKET_H_

#include <napi.h>

#include <memory>
#include <string>

#include "../core/xdp/xdp_socket.h"
#include "environment.h"
#include "lease.h"
#include "slab_budget.h"
#include "watch.h"

namespace netring {

class XdpWrap : public Napi::ObjectWrap<XdpWrap>, public Closable {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit XdpWrap(const Napi::CallbackInfo& info);
  ~XdpWrap() override;

  void close_native() override;

 private:
  // The sending frames of a UMEM, made on first use and shared by the sockets that share it: two external ArrayBuffers
  // over the same memory are not allowed.
  struct Slots {
    Napi::Reference<Napi::ArrayBuffer> buffer;
  };

  Napi::Value fd(const Napi::CallbackInfo& info);
  Napi::Value interface_name(const Napi::CallbackInfo& info);
  Napi::Value link_type(const Napi::CallbackInfo& info);
  Napi::Value link_up(const Napi::CallbackInfo& info);
  Napi::Value warnings(const Napi::CallbackInfo& info);
  Napi::Value queues(const Napi::CallbackInfo& info);
  Napi::Value zero_copy(const Napi::CallbackInfo& info);
  Napi::Value attach_mode(const Napi::CallbackInfo& info);
  Napi::Value attached(const Napi::CallbackInfo& info);

  Napi::Value buffered_bytes(const Napi::CallbackInfo& info);
  Napi::Value has_room(const Napi::CallbackInfo& info);
  Napi::Value header(const Napi::CallbackInfo& info);
  Napi::Value index(const Napi::CallbackInfo& info);
  Napi::Value borrow(const Napi::CallbackInfo& info);
  void release(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value wait(const Napi::CallbackInfo& info);
  void set_filter(const Napi::CallbackInfo& info);
  void statistics(const Napi::CallbackInfo& info);

  Napi::Value max_frame_length(const Napi::CallbackInfo& info);
  Napi::Value frame_capacity(const Napi::CallbackInfo& info);
  Napi::Value frame_count(const Napi::CallbackInfo& info);
  Napi::Value allocate(const Napi::CallbackInfo& info);
  Napi::Value slot_data(const Napi::CallbackInfo& info);
  void send_slot(const Napi::CallbackInfo& info);
  void flush(const Napi::CallbackInfo& info);
  Napi::Value pending_count(const Napi::CallbackInfo& info);
  Napi::Value in_flight_bytes(const Napi::CallbackInfo& info);
  Napi::Value available_slots(const Napi::CallbackInfo& info);
  Napi::Value rejected_slots(const Napi::CallbackInfo& info);
  void send_indexed(const Napi::CallbackInfo& info);
  void send_frames(const Napi::CallbackInfo& info);

  void watch(const Napi::CallbackInfo& info);
  void arm(const Napi::CallbackInfo& info);
  void disarm(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  bool read_config(const Napi::Object& object, XdpConfig* config);
  // The socket, or null with an exception pending after close.
  XdpSocket* opened(Napi::Env env);
  // The same with its link's state up to date.
  XdpSocket* refreshed(Napi::Env env);
  size_t slab_bytes() const;
  bool make_slots(Napi::Env env);

  Environment& environment_;
  std::string name_;
  SlabBudget budget_;
  std::unique_ptr<XdpSocket> socket_;
  // After the socket: unregisters from the loop before it closes.
  Watch watch_;
  Lease lease_;
  std::shared_ptr<Slots> slots_ = std::make_shared<Slots>();
};

}  // namespace netring

#endif  // NETRING_ADDON_XDP_SOCKET_H_
