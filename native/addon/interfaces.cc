#include "interfaces.h"

#include "../core/interface_list.h"
#include "environment.h"
#include "frame_arguments.h"
#include "namespace_argument.h"

namespace netring {

Napi::Value Interfaces(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  NamespaceArgument netns;
  if (!info[0].IsObject()) {
    throw_type(env, "the argument must be an object");
    return env.Undefined();
  }
  if (!netns.read(info[0].As<Napi::Object>())) return env.Undefined();
  Result<std::vector<Interface>> interfaces = in_namespace(netns.path, [] { return list_interfaces(); });
  if (!interfaces.ok()) {
    Environment::of(env).raise(env, interfaces.status(), "", netns.shown);
    return env.Undefined();
  }
  Napi::Array list = Napi::Array::New(env, interfaces->size());
  uint32_t place = 0;
  for (const Interface& entry : *interfaces) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", entry.name);
    object.Set("index", entry.index);
    object.Set("mtu", entry.mtu);
    object.Set("flags", entry.flags);
    object.Set("linkType", static_cast<uint32_t>(entry.link_type));
    object.Set("address", entry.address);
    object.Set("carrier", entry.carrier);
    object.Set("queues", entry.queues);
    object.Set("speed", entry.speed);
    object.Set("driver", entry.driver);
    object.Set("defaultRoute", entry.default_route);
    list.Set(place++, object);
  }
  return list;
}

}  // namespace netring
