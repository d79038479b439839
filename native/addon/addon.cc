// What the addon exports: see src/native/ for the declarations.
#include <napi.h>
#include <unistd.h>

#include "bridge.h"
#include "capture.h"
#include "capture_file.h"
#include "channel.h"
#include "environment.h"
#include "fd_watch.h"
#include "injector.h"
#include "interfaces.h"
#include "slab_inbox.h"
#include "slab_memory.h"
#include "xdp_socket.h"

namespace netring {

namespace {

void initialize(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) {
    Napi::TypeError::New(info.Env(), "makeError must be a function").ThrowAsJavaScriptException();
    return;
  }
  Environment::of(info.Env()).set_error_factory(info[0].As<Napi::Function>());
}

Napi::Object start(Napi::Env env, Napi::Object exports) {
  Environment::install(env);
  exports.Set("initialize", Napi::Function::New<initialize>(env, "initialize"));
  exports.Set("pageSize", static_cast<double>(::sysconf(_SC_PAGESIZE)));
  BridgeWrap::define(env, exports);
  CaptureWrap::define(env, exports);
  ChannelWrap::define(env, exports);
  FdWatchWrap::define(env, exports);
  InjectorWrap::define(env, exports);
  SlabInboxWrap::define(env, exports);
  SlabMemoryWrap::define(env, exports);
  XdpWrap::define(env, exports);
  define_capture_file(env, exports);
  exports.Set("interfaces", Napi::Function::New<Interfaces>(env, "interfaces"));
  return exports;
}

}  // namespace

NODE_API_MODULE(netring, start)

}  // namespace netring
