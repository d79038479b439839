// Completes transport checksums that a sender had left to its hardware.
#ifndef NETRING_CORE_CHECKSUM_H_
#define NETRING_CORE_CHECKSUM_H_

#include <cstdint>
#include <span>

namespace netring {

// Writes the checksum of the TCP, UDP or ICMPv6 message in an Ethernet frame: IPv4 or IPv6, behind any number of VLAN
// tags and extension headers. Returns false and leaves the frame alone when there is none it could compute: another
// protocol, a fragment, a header that does not fit into the frame, a UDP message over IPv4 without a checksum. Every
// byte of the frame is taken for hostile.
bool complete_checksum(std::span<uint8_t> frame);

}  // namespace netring

#endif  // NETRING_CORE_CHECKSUM_H_
