// netring-sandbox COMMAND [ARGUMENT...]
//
// Runs a command where real frames can flow without touching the machine's network and without root: in a private
// network namespace with `lo` and a cable wire0 <-> wire1. The command dies with whoever started the sandbox.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "isolation.h"
#include "wire.h"

namespace {

// Told apart from what the command returns, as `env` and `timeout` do.
constexpr int kFailed = 125;
constexpr int kNotFound = 127;

int complain(const netring::Status& status) {
  errno = status.error;
  std::perror((std::string("netring-sandbox: ") + status.step).c_str());
  const std::string remedy = netring::remedy(status);
  if (!remedy.empty()) std::fprintf(stderr, "%s\n", remedy.c_str());
  return kFailed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: netring-sandbox COMMAND [ARGUMENT...]\n");
    return kFailed;
  }
  const pid_t parent = ::getppid();
  if (const netring::Status status = netring::isolate(); !status.ok()) return complain(status);
  if (const netring::Status status = netring::bring_up("lo"); !status.ok()) return complain(status);
  if (const netring::Status status = netring::make_wire("wire0", "wire1"); !status.ok()) return complain(status);
  // After the last change of credentials, which clears it; and the parent may have died before.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return complain(netring::Status::failed("prctl"));
  if (::getppid() != parent) return kFailed;
  ::execvp(argv[1], argv + 1);
  const bool missing = errno == ENOENT;
  std::perror(argv[1]);
  return missing ? kNotFound : kFailed;
}
