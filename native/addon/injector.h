// The JavaScript class around the two sending sockets.
#ifndef NETRING_ADDON_INJECTOR_H_
#define NETRING_ADDON_INJECTOR_H_

#include <napi.h>

#include <memory>
#include <string>

#include "../core/injector.h"
#include "environment.h"
#include "watch.h"

namespace netring {

class InjectorWrap : public Napi::ObjectWrap<InjectorWrap>, public Closable {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit InjectorWrap(const Napi::CallbackInfo& info);
  ~InjectorWrap() override;

  void close_native() override;

 private:
  Napi::Value fd(const Napi::CallbackInfo& info);
  Napi::Value interface_name(const Napi::CallbackInfo& info);
  Napi::Value link_type(const Napi::CallbackInfo& info);
  Napi::Value link_up(const Napi::CallbackInfo& info);
  Napi::Value max_frame_length(const Napi::CallbackInfo& info);
  Napi::Value frame_capacity(const Napi::CallbackInfo& info);
  Napi::Value frame_count(const Napi::CallbackInfo& info);
  Napi::Value warnings(const Napi::CallbackInfo& info);

  Napi::Value allocate(const Napi::CallbackInfo& info);
  Napi::Value slot_data(const Napi::CallbackInfo& info);
  void send_slot(const Napi::CallbackInfo& info);
  void flush(const Napi::CallbackInfo& info);
  Napi::Value pending_count(const Napi::CallbackInfo& info);
  Napi::Value in_flight_bytes(const Napi::CallbackInfo& info);
  Napi::Value available_slots(const Napi::CallbackInfo& info);
  Napi::Value rejected_slots(const Napi::CallbackInfo& info);
  void statistics(const Napi::CallbackInfo& info);
  void send_indexed(const Napi::CallbackInfo& info);
  void send_frames(const Napi::CallbackInfo& info);

  void watch(const Napi::CallbackInfo& info);
  void arm(const Napi::CallbackInfo& info);
  void disarm(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  bool read_config(const Napi::Object& object, InjectorConfig* config);
  // The injector, or null with an exception pending after close.
  Injector* opened(Napi::Env env);
  // The same with its link's state up to date.
  Injector* refreshed(Napi::Env env);
  bool make_slots(Napi::Env env);

  Environment& environment_;
  std::string name_;
  std::unique_ptr<Injector> injector_;
  // After the injector: unregisters from the loop before the sockets close.
  Watch watch_;
  // The whole ring, made on first use: two external ArrayBuffers over the same memory are not allowed.
  Napi::Reference<Napi::ArrayBuffer> slots_;
};

}  // namespace netring

#endif  // NETRING_ADDON_INJECTOR_H_
