// An XSKMAP and the XDP program that redirects to it: made, attached to an interface and gone with this object.
#ifndef NETRING_CORE_XDP_PROGRAM_H_
#define NETRING_CORE_XDP_PROGRAM_H_

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>

#include "../resources.h"
#include "../result.h"

namespace netring {

// create -> insert the sockets -> attach: so that no frame is redirected to a queue whose socket is not there yet.
class XdpProgram {
 public:
  enum class Attach : uint8_t { kAuto = 0, kDriver = 1, kSkb = 2, kNone = 3 };

  static Result<XdpProgram> create(uint32_t map_entries);
  // The map of a program that something else has attached, pinned to a bpf file system. EINVAL when it is no XSKMAP.
  static Result<XdpProgram> open_pinned(const std::string& path);

  // E2BIG when the map has no place for the queue.
  Status insert(uint32_t queue, int socket_fd);
  Status remove(uint32_t queue);

  // Redirects the frames that the filter accepts; an empty one accepts all. kAuto: in the driver, or where that cannot,
  // in the kernel's generic path (skb). kNone attaches nothing. EBUSY or EEXIST: another program is attached in the
  // same or in the other mode; it stays as it is.
  Status attach(int ifindex, Attach how, std::span<const sock_filter> filter);
  // Puts a program with another filter in the place of the attached one: each frame is judged by one or the other.
  // ENOLINK when the program is no longer attached.
  Status replace(std::span<const sock_filter> filter);

  // Asks the kernel: false also once another tool has detached the program or the interface is gone.
  bool attached() const;
  // kDriver or kSkb once `attach` has succeeded, else kNone.
  Attach mode() const { return mode_; }
  // The kernel's id of the program, 0 without one.
  uint32_t id() const { return id_; }
  // Why the verifier refused the program in the last failed BPF_PROG_LOAD; empty when it was something else.
  const std::string& last_log() const { return last_log_; }

 private:
  explicit XdpProgram(UniqueFd map) : map_(std::move(map)) {}
  Result<UniqueFd> load(std::span<const sock_filter> filter);

  // The program lives in the link. Destroyed in reverse order: detached before the map goes.
  UniqueFd map_;
  UniqueFd link_;
  Attach mode_ = Attach::kNone;
  uint32_t id_ = 0;
  std::string last_log_;
};

// The id of the XDP program attached to the interface, whoever has attached it; 0: none.
uint32_t foreign_program(int ifindex);

}  // namespace netring

#endif  // NETRING_CORE_XDP_PROGRAM_H_
