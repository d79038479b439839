// A classic BPF machine in user space: for the packets that were already in the ring when the socket's filter was
// changed.
#ifndef NETRING_CORE_BPF_H_
#define NETRING_CORE_BPF_H_

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

namespace netring {

// What the kernel's ancillary loads (SKF_AD_*) ask for, as far as the ring tells it.
struct FilterContext {
  std::span<const uint8_t> frame;  // as the kernel filtered it: without the tag it stripped
  uint32_t original_length = 0;
  uint32_t network_offset = 0;
  uint32_t interface_index = 0;
  uint32_t link_type = 0;  // ARPHRD_*
  uint32_t protocol = 0;   // EtherType, host byte order
  uint32_t packet_type = 0;
  uint32_t queue = 0;
  uint32_t vlan_tci = 0;
  uint32_t vlan_tpid = 0;
  bool vlan_present = false;
};

// The bytes of the frame that the program accepts, 0 when it refuses. A load outside the frame refuses, as in the
// kernel; ancillary data that is not in the context reads as 0. The program must have passed the kernel's check
// (SO_ATTACH_FILTER).
uint32_t run_filter(std::span<const sock_filter> program, const FilterContext& context);

// What judges a ring's packets in place of the kernel that runs `program`: the same program, or, where that asks for
// what no ring tells (mark, queue, flow hash, processor, offset of the payload, random number, netlink attribute), one
// that lets every packet in, as long as `program` ever does.
std::vector<sock_filter> judge_of(std::span<const sock_filter> program);

}  // namespace netring

#endif  // NETRING_CORE_BPF_H_
