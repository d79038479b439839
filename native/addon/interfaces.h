#ifndef NETRING_ADDON_INTERFACES_H_
#define NETRING_ADDON_INTERFACES_H_

#include <napi.h>

namespace netring {

// `interfaces(where): NativeInterface[]` of src/native/.
Napi::Value Interfaces(const Napi::CallbackInfo& info);

}  // namespace netring

#endif  // NETRING_ADDON_INTERFACES_H_
