// One network interface as the sockets on it see it: up, down, gone, renamed, its MTU.
#ifndef NETRING_CORE_LINK_H_
#define NETRING_CORE_LINK_H_

#include <linux/if_ether.h>
#include <net/if.h>

#include <array>
#include <cstdint>
#include <string>

#include "resources.h"
#include "result.h"

namespace netring {

struct LinkInfo {
  int index = 0;
  std::string name;
  uint32_t flags = 0;        // IFF_*
  uint32_t mtu = 0;          // bytes
  uint16_t link_type = 0;    // ARPHRD_*
  uint32_t queues = 1;       // receive queues there may be at most
  uint32_t send_queues = 1;  // likewise
  std::array<uint8_t, ETH_ALEN> address{};

  // Administratively up and with a carrier. Without a carrier the kernel accepts frames and drops them in silence, so
  // for a sender that is as good as down.
  bool up() const;
};

// Looks an interface up by name in the calling thread's network namespace. Fails with step "if_nametoindex" when there
// is none.
Result<LinkInfo> find_link(const std::string& name);

// Mirrors PortState in src/native/.
enum class LinkState : uint8_t { kUp, kDown, kGone };

// Follows one interface by its index through rtnetlink. The index is the identity: a rename keeps it, and an interface
// that is deleted and made again under the same name is another one.
class LinkWatch {
 public:
  enum class Change : uint8_t { kNone, kDown, kUp, kGone };

  static Result<LinkWatch> open(const std::string& name);

  // Readable whenever something about any link may have changed.
  int fd() const { return socket_.get(); }
  const LinkInfo& info() const { return info_; }
  bool gone() const { return gone_; }
  LinkState state() const;
  // Whether frames can pass at this moment. Asks the kernel as well: when a carrier is lost it puts a queue that
  // swallows everything in place some ten milliseconds before rtnetlink reports the loss, and when it comes back that
  // queue stays until the report.
  bool passes() const;
  // The errno in which sending has to end because of the link's state: ENXIO when it is gone, ENETDOWN; 0 when it is
  // up. The kernel itself refuses only an interface that is down: without a carrier it accepts every frame and drops it
  // in silence.
  int send_error() const;

  // The MTU at this moment, for what rtnetlink has not told yet.
  uint32_t current_mtu() const;

  // Receive queues in use now.
  uint32_t queues() const;
  uint32_t send_queues() const;

  // Reads what rtnetlink has reported, without blocking, and returns the net change of this link since the last call.
  // On an overrun of the netlink socket (ENOBUFS) the state is asked for again. kGone is reported once and is final.
  Change update();

 private:
  ifreq named_request() const;
  LinkWatch(UniqueFd socket, LinkInfo info);
  Status read();

  UniqueFd socket_;
  LinkInfo info_;
  bool gone_ = false;
  // Events were lost and the state has not been asked for since.
  bool stale_ = false;
};

}  // namespace netring

#endif  // NETRING_CORE_LINK_H_
