#include "interfaces.h"

#include "../core/interface_list.h"
#include "environment.h"
#include "frame_arguments.h"
#include "namespace_argument.h"

namespace netring {

namespace {

Napi::Object offloads_of(Napi::Env env, const OffloadFlags& flags) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("vlanStripping", flags.vlan_stripping);
  object.Set("largeReceive", flags.large_receive);
  object.Set("genericReceive", flags.generic_receive);
  object.Set("genericSegmentation", flags.generic_segmentation);
  object.Set("tcpSegmentation", flags.tcp_segmentation);
  object.Set("receiveChecksum", flags.receive_checksum);
  object.Set("sendChecksum", flags.send_checksum);
  return object;
}

Napi::Array texts(Napi::Env env, const std::vector<std::string>& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  uint32_t place = 0;
  for (const std::string& text : list) array.Set(place++, text);
  return array;
}

}  // namespace

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
    object.Set("altNames", texts(env, entry.alt_names));
    object.Set("index", entry.index);
    object.Set("mtu", entry.mtu);
    object.Set("flags", entry.flags);
    object.Set("linkType", static_cast<uint32_t>(entry.link_type));
    object.Set("address", entry.address);
    object.Set("carrier", entry.carrier);
    object.Set("operState", static_cast<uint32_t>(entry.oper_state));
    object.Set("queues", entry.queues);
    object.Set("sendQueues", entry.send_queues);
    object.Set("combinedQueues", entry.combined_queues);
    object.Set("offloads", offloads_of(env, entry.offloads));
    object.Set("addresses", texts(env, entry.addresses));
    object.Set("speed", entry.speed);
    object.Set("driver", entry.driver);
    object.Set("defaultRoute", entry.default_route);
    list.Set(place++, object);
  }
  return list;
}

}  // namespace netring
