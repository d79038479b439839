// Completes checksums that a sender had left to its hardware, or that no longer fit the bytes they are of.
#ifndef NETRING_CORE_CHECKSUM_H_
#define NETRING_CORE_CHECKSUM_H_

#include <cstdint>
#include <span>

namespace netring {

// Writes the checksum of the TCP, UDP, ICMP or ICMPv6 message in an Ethernet frame: IPv4 or IPv6, behind any number of
// VLAN tags and extension headers. Returns false and leaves the frame alone when there is none it could compute:
// another protocol, a fragment, a header that does not fit into the frame, a UDP message over IPv4 without a checksum.
// Every byte of the frame is taken for hostile.
bool complete_checksum(std::span<uint8_t> frame);

// Writes the checksum of an IPv4 header, behind any number of VLAN tags; leaves other frames alone.
void complete_ipv4_header(std::span<uint8_t> frame);

// Where a checksum begins that the egress is to complete, and where from there it stands.
struct PartialChecksum {
  uint32_t start = 0;  // 0: there is none
  uint32_t offset = 0;
  bool tcp = false;
  bool ipv6 = false;
};

// Writes the sum of the pseudo header into the checksum of the TCP or UDP message, from which an egress that cuts a
// super-frame into segments goes on.
PartialChecksum begin_checksum(std::span<uint8_t> frame);

}  // namespace netring

#endif  // NETRING_CORE_CHECKSUM_H_
