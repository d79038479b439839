#include "isolation.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <string_view>

#include "../core/resources.h"

namespace netring {

namespace {

Status write_file(const char* path, std::string_view content) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file) return Status::failed(path);
  return ::write(file.get(), content.data(), content.size()) < 0 ? Status::failed(path) : Status{};
}

std::string first_line(const char* path) {
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  char buffer[64];
  const ssize_t length = file ? ::read(file.get(), buffer, sizeof buffer) : 0;
  const std::string_view text(buffer, length > 0 ? static_cast<size_t>(length) : 0);
  return std::string(text.substr(0, text.find('\n')));
}

Status become_root_of_own() {
  const std::string user = "0 " + std::to_string(::getuid()) + " 1";
  const std::string group = "0 " + std::to_string(::getgid()) + " 1";
  if (::unshare(CLONE_NEWUSER) != 0) return Status::failed("unshare(CLONE_NEWUSER)");
  // Group ids can only be mapped by who has given up setgroups (Linux 3.19).
  if (Status denied = write_file("/proc/self/setgroups", "deny"); !denied.ok()) return denied;
  if (Status mapped = write_file("/proc/self/uid_map", user); !mapped.ok()) return mapped;
  return write_file("/proc/self/gid_map", group);
}

// /sys/class/net shows the namespace in which sysfs was mounted. A container with a masked /sys refuses a new mount:
// then it goes on showing the host's interfaces, which nothing in the sandbox depends on.
void show_own_interfaces() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
  static_cast<void>(::mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr));
}

}  // namespace

Status isolate() {
  constexpr int kNamespaces = CLONE_NEWNET | CLONE_NEWNS;
  if (::unshare(kNamespaces) != 0) {
    if (errno != EPERM) return Status::failed("unshare(CLONE_NEWNET)");
    if (Status root = become_root_of_own(); !root.ok()) return root;
    if (::unshare(kNamespaces) != 0) return Status::failed("unshare(CLONE_NEWNET)");
  }
  show_own_interfaces();
  return {};
}

std::string remedy(const Status& refusal) {
  if (first_line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1") {
    return "AppArmor keeps users from making namespaces (Ubuntu 23.10 and later). Allow it until the next boot with\n"
           "  sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (first_line("/proc/sys/kernel/unprivileged_userns_clone") == "0") {
    return "This kernel keeps users from making namespaces. Allow it until the next boot with\n"
           "  sudo sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (refusal.error == ENOSPC || first_line("/proc/sys/user/max_user_namespaces") == "0") {
    return "The limit of namespaces is reached. Raise it until the next boot with\n"
           "  sudo sysctl -w user.max_user_namespaces=15000 user.max_net_namespaces=15000 "
           "user.max_mnt_namespaces=15000";
  }
  if (refusal.error == EPERM) {
    return "In a container its seccomp profile forbids namespaces: start it with --security-opt seccomp=unconfined,\n"
           "or as root with --cap-add SYS_ADMIN --security-opt apparmor=unconfined.";
  }
  return "";
}

}  // namespace netring
