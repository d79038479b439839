// The JavaScript class around a channel and the thread that reads its ring.
#ifndef NETRING_ADDON_CHANNEL_H_
#define NETRING_ADDON_CHANNEL_H_

#include <napi.h>

#include <memory>
#include <string>

#include "../core/channel/channel.h"
#include "engine_thread.h"
#include "environment.h"

namespace netring {

class ChannelWrap : public Napi::ObjectWrap<ChannelWrap>, public Closable {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit ChannelWrap(const Napi::CallbackInfo& info);
  ~ChannelWrap() override;

  void close_native() override;

 private:
  Napi::Value fd(const Napi::CallbackInfo& info);
  Napi::Value geometry(const Napi::CallbackInfo& info);
  Napi::Value interface_name(const Napi::CallbackInfo& info);
  Napi::Value link_state(const Napi::CallbackInfo& info);
  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value bytes_out(const Napi::CallbackInfo& info);
  Napi::Value ended(const Napi::CallbackInfo& info);
  Napi::Value failure(const Napi::CallbackInfo& info);
  Napi::Value failed_step(const Napi::CallbackInfo& info);

  void set_filter(const Napi::CallbackInfo& info);
  void start(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  void drain(const Napi::CallbackInfo& info);
  void statistics(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // The channel, or null with an exception pending after close.
  Channel* opened(Napi::Env env);

  Environment& environment_;
  std::string name_;
  // How many packets were consumed, which the reader looks at, then what `take` has written.
  Napi::Reference<Napi::ArrayBuffer> memory_;
  std::unique_ptr<Channel> channel_;
  EngineThread thread_;
};

}  // namespace netring

#endif  // NETRING_ADDON_CHANNEL_H_
