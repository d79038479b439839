// The JavaScript class around a bridge and the thread its engine runs on.
#ifndef NETRING_ADDON_BRIDGE_H_
#define NETRING_ADDON_BRIDGE_H_

#include <napi.h>

#include <array>
#include <memory>
#include <string>

#include "../core/bridge/bridge.h"
#include "../core/slab_pool.h"
#include "engine_thread.h"
#include "environment.h"

namespace netring {

class BridgeWrap : public Napi::ObjectWrap<BridgeWrap>, public Closable {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit BridgeWrap(const Napi::CallbackInfo& info);
  ~BridgeWrap() override;

  void close_native() override;

 private:
  void start(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  void set_filter(const Napi::CallbackInfo& info);
  Napi::Value filter_applied(const Napi::CallbackInfo& info);
  void statistics(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  Napi::Value answer(const Napi::CallbackInfo& info);
  Napi::Value port_state(const Napi::CallbackInfo& info);
  Napi::Value failure(const Napi::CallbackInfo& info);
  Napi::Value failed_step(const Napi::CallbackInfo& info);
  Napi::Value fds(const Napi::CallbackInfo& info);
  Napi::Value warnings(const Napi::CallbackInfo& info);
  Napi::Value link_types(const Napi::CallbackInfo& info);

  bool read_audience(const Napi::Object& object, Audience* audience);
  bool read_config(const Napi::Object& object, BridgeConfig* config);
  Bridge* opened(Napi::Env env);
  void end_thread();

  Environment& environment_;
  std::array<std::string, 2> names_;
  std::unique_ptr<Bridge> bridge_;
  std::shared_ptr<SlabPool> pool_ = std::make_shared<SlabPool>();
  EngineThread thread_;
};

}  // namespace netring

#endif  // NETRING_ADDON_BRIDGE_H_
