// The JavaScript class of the end at which slabs arrive that another thread has filled.
#ifndef NETRING_ADDON_SLAB_INBOX_H_
#define NETRING_ADDON_SLAB_INBOX_H_

#include <napi.h>

#include <memory>
#include <optional>

#include "../core/slab_channel.h"
#include "environment.h"

namespace netring {

class SlabInboxWrap : public Napi::ObjectWrap<SlabInboxWrap>, public Closable {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit SlabInboxWrap(const Napi::CallbackInfo& info);
  ~SlabInboxWrap() override;

  void close_native() override;

 private:
  Napi::Value outbox_fd(const Napi::CallbackInfo& info);
  Napi::Value ready(const Napi::CallbackInfo& info);
  Napi::Value sender_stalled(const Napi::CallbackInfo& info);
  Napi::Value buffered_bytes(const Napi::CallbackInfo& info);
  void statistics(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  void close_outbox(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  Environment& environment_;
  std::optional<SlabInbox> inbox_;
  // Also after the end of both; none when the sender could not be opened.
  SlabSender sender_;
};

}  // namespace netring

#endif  // NETRING_ADDON_SLAB_INBOX_H_
