#include "network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <uv.h>

#include "../core/resources.h"

namespace netring {

namespace {

struct Visit {
  int fd = -1;
  void (*work)(void*) = nullptr;
  void* context = nullptr;
  Status status;
};

void run_visit(void* argument) {
  auto* visit = static_cast<Visit*>(argument);
  if (::setns(visit->fd, CLONE_NEWNET) == 0) return visit->work(visit->context);
  // EINVAL: a namespace of another kind, or none.
  visit->status = {errno, errno == EINVAL ? "netns" : "setns"};
}

}  // namespace

Status run_in_namespace(const std::string& path, void (*work)(void*), void* context) {
  // Without waiting: a pipe may have been named.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return Status::failed("netns");
  Visit visit{fd.get(), work, context, {}};
  // libuv's, because a binary that asks for pthread_create itself runs on no glibc older than the one it was built on.
  uv_thread_t thread{};
  if (const int error = uv_thread_create(&thread, &run_visit, &visit); error != 0) return {-error, "pthread_create"};
  uv_thread_join(&thread);
  return visit.status;
}

}  // namespace netring
