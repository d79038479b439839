// The JavaScript class around a receive ring.
#ifndef NETRING_ADDON_CAPTURE_H_
#define NETRING_ADDON_CAPTURE_H_

#include <napi.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../core/capture.h"
#include "../core/slab_channel.h"
#include "environment.h"
#include "lease.h"
#include "slab_budget.h"
#include "watch.h"

namespace netring {

class CaptureWrap : public Napi::ObjectWrap<CaptureWrap>, public Closable {
 public:
  static void define(Napi::Env env, Napi::Object exports);

  explicit CaptureWrap(const Napi::CallbackInfo& info);
  ~CaptureWrap() override;

  void close_native() override;

 private:
  Napi::Value fd(const Napi::CallbackInfo& info);
  Napi::Value geometry(const Napi::CallbackInfo& info);
  Napi::Value interface_name(const Napi::CallbackInfo& info);
  Napi::Value link_up(const Napi::CallbackInfo& info);
  Napi::Value buffered_bytes(const Napi::CallbackInfo& info);
  Napi::Value has_room(const Napi::CallbackInfo& info);
  Napi::Value header(const Napi::CallbackInfo& info);
  Napi::Value index(const Napi::CallbackInfo& info);

  Napi::Value borrow(const Napi::CallbackInfo& info);
  void release(const Napi::CallbackInfo& info);
  Napi::Value take(const Napi::CallbackInfo& info);
  void send_to(const Napi::CallbackInfo& info);
  // Copies the next batch into a slab and tells its length. kNoRoom: there is one, and no memory for it; an exception
  // is pending when the system has none.
  enum class Filled : uint8_t { kBatch, kNone, kNoRoom };
  Filled fill(Napi::Env env, SlabPool::Slab* slab, size_t* length);
  Napi::Value send_on(Napi::Env env, SlabPool::Slab slab, size_t length);
  Napi::Value wait(const Napi::CallbackInfo& info);
  void set_filter(const Napi::CallbackInfo& info);
  void attach_ebpf_filter(const Napi::CallbackInfo& info);
  void attach_fanout_ebpf(const Napi::CallbackInfo& info);
  void attach_program(const Napi::CallbackInfo& info, Status (Capture::*attach)(int program_fd));
  void statistics(const Napi::CallbackInfo& info);

  void watch(const Napi::CallbackInfo& info);
  void arm(const Napi::CallbackInfo& info);
  void disarm(const Napi::CallbackInfo& info);
  void ref(const Napi::CallbackInfo& info);
  void unref(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // The capture, or null with an exception pending after close.
  Capture* opened(Napi::Env env);
  bool make_index(Napi::Env env);

  Environment& environment_;
  std::string name_;
  SlabBudget budget_;
  std::unique_ptr<Capture> capture_;
  // Given for a member of a group, whose batches go to another thread.
  std::optional<SlabOutbox> outbox_;
  Napi::Reference<Napi::ArrayBuffer> receipt_;
  BatchHeader* receipt_header_ = nullptr;
  uint32_t member_ = 0;
  // After the capture: unregisters from the loop before the socket closes.
  Watch watch_;
  Lease lease_;
};

}  // namespace netring

#endif  // NETRING_ADDON_CAPTURE_H_
