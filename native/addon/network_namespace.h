// Work in another network namespace.
#ifndef NETRING_ADDON_NETWORK_NAMESPACE_H_
#define NETRING_ADDON_NETWORK_NAMESPACE_H_

#include <string>
#include <utility>

#include "../core/result.h"

namespace netring {

// Runs `work(context)` on a thread that has been moved to the network namespace at `path` (a file of nsfs, such as
// /run/netns/NAME or /proc/PID/ns/net), and waits for its end. The thread ends there: whatever fails, the calling one
// has never left its own namespace. Sockets keep the namespace that they were made in.
//
// Fails with step "netns" when there is no network namespace at the path (ENOENT; EINVAL for another kind of file),
// "setns" when it may not be entered (EPERM without CAP_SYS_ADMIN). The work must not call into JavaScript.
Status run_in_namespace(const std::string& path, void (*work)(void*), void* context);

// The same for work that gives a Result; in the calling thread when the path is empty.
template <typename Work>
auto in_namespace(const std::string& path, Work work) -> decltype(work()) {
  if (path.empty()) return work();
  struct Call {
    Work& work;
    decltype(work()) result;
  } call{work, Status{ECANCELED, "netns"}};
  const Status status = run_in_namespace(
      path,
      [](void* context) {
        auto* running = static_cast<Call*>(context);
        running->result = running->work();
      },
      &call);
  if (!status.ok()) return status;
  return std::move(call.result);
}

}  // namespace netring

#endif  // NETRING_ADDON_NETWORK_NAMESPACE_H_
