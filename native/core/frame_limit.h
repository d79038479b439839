// What an Ethernet link takes of a frame: the kernel's own rule, applied before a frame is handed over, because a ring
// that meets a bad frame either stops or loses it without a word.
#ifndef NETRING_CORE_FRAME_LIMIT_H_
#define NETRING_CORE_FRAME_LIMIT_H_

#include <linux/if_ether.h>

#include <cstdint>

namespace netring {

struct FrameLimit {
  uint32_t mtu = 0;

  // Longest frame without a VLAN tag.
  uint32_t longest() const { return mtu + ETH_HLEN; }

  // A tag may be on top of the MTU when it is an 802.1Q one; 802.1ad has no such privilege
  // (packet_extra_vlan_len_allowed).
  bool takes(const uint8_t* frame, uint32_t length) const {
    if (length < ETH_HLEN) return false;
    if (length <= longest()) return true;
    return length <= longest() + 4 && frame[12] == (ETH_P_8021Q >> 8) && frame[13] == (ETH_P_8021Q & 0xff);
  }
};

}  // namespace netring

#endif  // NETRING_CORE_FRAME_LIMIT_H_
