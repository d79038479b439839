// Memory that is shared with the kernel, as an ArrayBuffer.
#ifndef NETRING_ADDON_MAPPED_BUFFER_H_
#define NETRING_ADDON_MAPPED_BUFFER_H_

#include <napi.h>

#include <memory>

#include "../core/resources.h"

namespace netring {

// Keeps the mapping for as long as the ArrayBuffer, or one its memory was transferred to, lives. Undefined with an
// exception pending when the engine does not allow external buffers.
Napi::Value wrap_mapping(Napi::Env env, const std::shared_ptr<Mapping>& memory, size_t offset, size_t length);

}  // namespace netring

#endif  // NETRING_ADDON_MAPPED_BUFFER_H_
