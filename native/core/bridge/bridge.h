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
  // How long frames that came in here gather for the tap.
  uint32_t block_timeout_ms = 10;
  // Room for frames on their way out (SO_SNDBUF); 0 leaves it to the kernel.
  uint32_t send_buffer = 0;
};

struct BridgeConfig {
  std::array<PortConfig, 2> ports;
  bool qdisc_bypass = true;
  bool drop_link_local = false;
};

class Bridge {
 public:
  // On failure `port` tells which of the two it was.
  static Result<std::unique_ptr<Bridge>> open(const BridgeConfig& config, uint32_t* port);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  // What the kernel takes long to close. Each packet socket waits for a grace period or two of RCU, 8 to 30 ms: one
  // after the other the six of them kept the wire cut for 100 ms when it was opened anew, on threads of their own 25.
  struct Part {
    std::unique_ptr<Receiver> receiver;
    UniqueFd socket;
  };
  // Takes the sockets out, while no engine runs; the bridge can only be destroyed then.
  std::array<Part, 6> take_apart();

  // What JavaScript is to see of the next run.
  void set_audience(const Audience& audience);
  // Before each `run`, not during one: frames that have come so far are thrown away and counted. Those that come while
  // the thread is only being made are not.
  void prepare_run();
  // Forwards until `stop`, on the calling thread, whose priority it raises. Returns the failure that ended it, if one
  // did. `notify(context)` is called on this thread when the state of a port has changed, or there are batches.
  Status run(void (*notify)(void*), void* context);
  // Ends `run`, also one that is only about to begin; any thread.
  void stop();

  // 0 is a to b.
  Direction& direction(uint32_t which) { return *directions_[which]; }
  // Has the engine look for answers; any thread.
  void wake();
  // Sets a filter for frames from now on and wakes the engine; any thread.
  void set_filter(uint32_t which, std::unique_ptr<BridgeFilter> filter);
  LinkState port_state(uint32_t which) const { return states_[which].load(std::memory_order_acquire); }
  const LinkInfo& link_at_open(uint32_t which) const { return opened_[which]; }
  // Reads the kernel's counters; while no engine runs.
  void read_kernel_counters();
  int receive_fd(uint32_t which) const { return receivers_[which]->fd(); }
  int send_fd(uint32_t which) const { return senders_[which].plain.get(); }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Bridge() = default;
  Status open_port(uint32_t which, const BridgeConfig& config);
  bool update_links();
  enum class Watch : uint8_t { kStop, kAll };
  Status wait(Watch watch, int64_t timeout_ns);
  Status keep_house(void (*notify)(void*), void* context);

  // Destroyed in reverse order: what looks at sockets goes before them.
  std::vector<std::string> warnings_;
  std::array<LinkInfo, 2> opened_;
  std::vector<LinkWatch> links_;
  std::array<Sender, 2> senders_;
  std::array<std::unique_ptr<Receiver>, 2> receivers_;
  std::array<std::unique_ptr<Direction>, 2> directions_;
  UniqueFd event_;
  std::array<std::atomic<LinkState>, 2> states_{};
  // When the kernel's counters were last read, and whether frames have moved since.
  int64_t counted_at_ns_ = 0;
  bool counted_ = false;
  std::atomic<bool> stopping_{false};
};

}  // namespace netring

#endif  // NETRING_CORE_BRIDGE_BRIDGE_H_
