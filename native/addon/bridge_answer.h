// What a flow has decided of a batch of an inline bridge, read out of JavaScript.
#ifndef NETRING_ADDON_BRIDGE_ANSWER_H_
#define NETRING_ADDON_BRIDGE_ANSWER_H_

#include <napi.h>

#include <memory>

#include "../core/batches/batch_queue.h"

namespace netring {

// Three arguments from `at` on: whether all frames are forwarded, or a Uint8Array that says it of each, and, if they
// may have been changed, all frames as bytes and index. Null with an exception pending.
std::unique_ptr<Answer> read_answer(const Napi::CallbackInfo& info, uint32_t at, const FrameBatch& frames);

}  // namespace netring

#endif  // NETRING_ADDON_BRIDGE_ANSWER_H_
