// What captures of either kind read of their options and tell of their rings.
#ifndef NETRING_ADDON_CAPTURE_CONFIG_H_
#define NETRING_ADDON_CAPTURE_CONFIG_H_

#include <napi.h>

#include "../core/capture.h"

namespace netring {

inline constexpr double kMostSafeInteger = 9007199254740991.0;  // Number.MAX_SAFE_INTEGER

// NativeCaptureConfig of src/native/. False with an exception pending.
bool read_capture_config(const Napi::Object& object, CaptureConfig* config, double* max_buffered_bytes);

// NativeCaptureGeometry of src/native/.
Napi::Object describe_geometry(Napi::Env env, const Capture& capture);

}  // namespace netring

#endif  // NETRING_ADDON_CAPTURE_CONFIG_H_
