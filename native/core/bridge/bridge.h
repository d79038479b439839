// Two interfaces become one wire. The engine runs on one thread, which the caller provides, and needs nothing else: no
// frame waits for anybody but the kernel.
#ifndef NETRING_CORE_BRIDGE_BRIDGE_H_
#define NETRING_CORE_BRIDGE_BRIDGE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../link.h"
#include "../resources.h"
#include "../result.h"
#include "direction.h"
#include "receiver.h"

namespace netring {

struct PortConfig {
  std::string interface;
  ReceiverConfig receiver;
};

struct BridgeConfig {
  std::array<PortConfig, 2> ports;
  bool qdisc_bypass = true;
  bool drop_link_local = false;
};

enum class PortState : uint8_t { kUp, kDown, kGone };

class Bridge {
 public:
  // On failure `port` tells which of the two it was.
  static Result<std::unique_ptr<Bridge>> open(const BridgeConfig& config, uint32_t* port);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  // Forwards until `stop`, on the calling thread; frames that came before it are thrown away and counted. Returns the
  // failure that ended it, if one did. `changed(context)` is called on this thread when the state of a port has
  // changed.
  Status run(void (*changed)(void*), void* context);
  // Ends `run`, also one that is only about to begin; any thread. `allow_run` before the next one.
  void stop();
  void allow_run() { stopping_.store(false, std::memory_order_release); }

  // 0 is a to b.
  Direction& direction(uint32_t which) { return *directions_[which]; }
  // Sets a filter for frames from now on and wakes the engine; any thread.
  void set_filter(uint32_t which, std::unique_ptr<BridgeFilter> filter);
  PortState port_state(uint32_t which) const { return states_[which].load(std::memory_order_acquire); }
  const LinkInfo& link_at_open(uint32_t which) const { return opened_[which]; }
  int receive_fd(uint32_t which) const { return receivers_[which]->fd(); }
  int send_fd(uint32_t which) const { return senders_[which].plain.get(); }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Bridge() = default;
  Status open_port(uint32_t which, const BridgeConfig& config);
  bool update_links();
  enum class Watch : uint8_t { kStop, kAll };
  Status wait(Watch watch, int64_t timeout_ns);
  void wake();

  // Destroyed in reverse order: what looks at sockets goes before them.
  std::vector<std::string> warnings_;
  std::array<LinkInfo, 2> opened_;
  std::vector<LinkWatch> links_;
  std::array<Sender, 2> senders_;
  std::array<std::unique_ptr<Receiver>, 2> receivers_;
  std::array<std::unique_ptr<Direction>, 2> directions_;
  UniqueFd event_;
  std::array<std::atomic<PortState>, 2> states_{};
  std::atomic<bool> stopping_{false};
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_BRIDGE_H_
