// The XDP program of an interface, which all sockets of one JavaScript environment on that interface share: an
// interface has one program, and its map one entry a queue.
#ifndef NETRING_CORE_XDP_SHARED_PROGRAM_H_
#define NETRING_CORE_XDP_SHARED_PROGRAM_H_

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "program.h"

namespace netring {

struct SharedProgram {
  XdpProgram program;
  std::vector<sock_filter> filter;
  // Counts the filter's changes, so that every socket learns of them.
  uint32_t generation = 0;
};

// The programs of one environment by interface index. A program lives as long as a socket holds it.
class SharedPrograms {
 public:
  std::shared_ptr<SharedProgram> find(int ifindex) {
    std::erase_if(programs_, [](const auto& entry) { return entry.second.expired(); });
    const auto entry = programs_.find(ifindex);
    return entry == programs_.end() ? nullptr : entry->second.lock();
  }
  void add(int ifindex, const std::shared_ptr<SharedProgram>& program) { programs_[ifindex] = program; }

 private:
  std::map<int, std::weak_ptr<SharedProgram>> programs_;
};

}  // namespace netring

#endif  // NETRING_CORE_XDP_SHARED_PROGRAM_H_
