// What capture files are written with; see src/native/capture-file.ts.
#ifndef NETRING_ADDON_CAPTURE_FILE_H_
#define NETRING_ADDON_CAPTURE_FILE_H_

#include <napi.h>

namespace netring {

void define_capture_file(Napi::Env env, Napi::Object exports);

}  // namespace netring

#endif  // NETRING_ADDON_CAPTURE_FILE_H_
