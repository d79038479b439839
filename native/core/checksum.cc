#include "checksum.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <cstddef>
#include <optional>

namespace netring {

namespace {

constexpr size_t kVlanTag = 4;
constexpr size_t kIpv4Checksum = 10;
constexpr size_t kIpv6Header = 40;
constexpr uint16_t kFragmented = 0x3fff;  // the "more fragments" bit and the offset
constexpr uint16_t kEthertypeQinqOld = 0x9100;

uint16_t read16(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// A transport message and what the pseudo header says of it.
struct Transport {
  std::span<uint8_t> message;
  uint8_t protocol = 0;
  // Source and destination side by side, as they stand in both IP headers.
  std::span<const uint8_t> addresses;
  bool ipv6 = false;
};

uint64_t sum_words(std::span<const uint8_t> bytes, uint64_t sum) {
  size_t at = 0;
  for (; at + 1 < bytes.size(); at += 2) sum += read16(bytes, at);
  if (at < bytes.size()) sum += static_cast<uint64_t>(bytes[at]) << 8;
  return sum;
}

uint16_t fold(uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

std::optional<Transport> find_in_ipv4(std::span<uint8_t> packet) {
  if (packet.size() < 20 || packet[0] >> 4 != 4) return std::nullopt;
  const size_t header = static_cast<size_t>(packet[0] & 15) * 4;
  const size_t total = read16(packet, 2);
  // The frame may be longer than its packet: short ones are padded.
  if (header < 20 || total < header || total > packet.size()) return std::nullopt;
  if ((read16(packet, 6) & kFragmented) != 0) return std::nullopt;
  return Transport{packet.subspan(header, total - header), packet[9], packet.subspan(12, 8), false};
}

std::optional<Transport> find_in_ipv6(std::span<uint8_t> packet) {
  if (packet.size() < kIpv6Header || packet[0] >> 4 != 6) return std::nullopt;
  const size_t payload = read16(packet, 4);
  if (payload > packet.size() - kIpv6Header) return std::nullopt;
  const std::span<const uint8_t> addresses = packet.subspan(8, 32);
  std::span<uint8_t> rest = packet.subspan(kIpv6Header, payload);
  uint8_t next = packet[6];
  for (;;) {
    const bool options = next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS;
    if (!options && next != IPPROTO_ROUTING) return Transport{rest, next, addresses, true};
    if (rest.size() < 8) return std::nullopt;
    // With segments left the pseudo header holds the last address of the route, not the packet's own destination.
    if (next == IPPROTO_ROUTING && rest[3] != 0) return std::nullopt;
    const size_t length = (static_cast<size_t>(rest[1]) + 1) * 8;
    if (length > rest.size()) return std::nullopt;
    next = rest[0];
    rest = rest.subspan(length);
  }
}

// What follows the MAC addresses and VLAN tags.
struct Payload {
  uint16_t type = 0;
  std::span<uint8_t> packet;
};

std::optional<Payload> find_payload(std::span<uint8_t> frame) {
  if (frame.size() < ETH_HLEN) return std::nullopt;
  size_t at = ETH_HLEN - 2;
  uint16_t type = read16(frame, at);
  while (type == ETH_P_8021Q || type == ETH_P_8021AD || type == kEthertypeQinqOld) {
    at += kVlanTag;
    if (at + 2 > frame.size()) return std::nullopt;
    type = read16(frame, at);
  }
  return Payload{type, frame.subspan(at + 2)};
}

std::optional<Transport> find_transport(std::span<uint8_t> frame) {
  const std::optional<Payload> payload = find_payload(frame);
  if (!payload) return std::nullopt;
  if (payload->type == ETH_P_IP) return find_in_ipv4(payload->packet);
  if (payload->type == ETH_P_IPV6) return find_in_ipv6(payload->packet);
  return std::nullopt;
}

// Where the checksum stands in the message; 0 when there is none to write. Cuts a UDP message to its own length.
size_t checksum_place(Transport* transport) {
  std::span<uint8_t>& message = transport->message;
  if (transport->protocol == IPPROTO_TCP) return message.size() < 20 ? 0 : 16;
  if (transport->protocol == IPPROTO_ICMP) return message.size() < 4 || transport->ipv6 ? 0 : 2;
  if (transport->protocol == IPPROTO_ICMPV6) return message.size() < 4 || !transport->ipv6 ? 0 : 2;
  if (transport->protocol != IPPROTO_UDP || message.size() < 8) return 0;
  const size_t length = read16(message, 4);
  if (length < 8 || length > message.size()) return 0;
  // An unfinished checksum holds the sum of the pseudo header, which is never 0. 0 means that there is to be none, as
  // in VXLAN.
  if (!transport->ipv6 && read16(message, 6) == 0) return 0;
  message = message.first(length);
  return 6;
}

uint64_t sum_pseudo_header(const Transport& transport) {
  // ICMP over IPv4 has none (RFC 792).
  if (transport.protocol == IPPROTO_ICMP) return 0;
  return sum_words(transport.addresses, transport.protocol) + transport.message.size();
}

void write16(std::span<uint8_t> bytes, size_t at, uint16_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value & 0xff);
}

}  // namespace

bool complete_checksum(std::span<uint8_t> frame) {
  std::optional<Transport> transport = find_transport(frame);
  if (!transport) return false;
  const size_t place = checksum_place(&*transport);
  if (place == 0) return false;
  const std::span<uint8_t> message = transport->message;
  write16(message, place, 0);
  auto checksum = static_cast<uint16_t>(~fold(sum_words(message, sum_pseudo_header(*transport))));
  // RFC 768: a computed 0 is sent as its other representation, because 0 says that there is no checksum.
  if (checksum == 0 && transport->protocol == IPPROTO_UDP) checksum = 0xffff;
  write16(message, place, checksum);
  return true;
}

void complete_ipv4_header(std::span<uint8_t> frame) {
  const std::optional<Payload> payload = find_payload(frame);
  if (!payload || payload->type != ETH_P_IP || payload->packet.size() < 20 || payload->packet[0] >> 4 != 4) return;
  const size_t length = static_cast<size_t>(payload->packet[0] & 15) * 4;
  if (length < 20 || length > payload->packet.size()) return;
  const std::span<uint8_t> header = payload->packet.first(length);
  write16(header, kIpv4Checksum, 0);
  write16(header, kIpv4Checksum, static_cast<uint16_t>(~fold(sum_words(header, 0))));
}

PartialChecksum begin_checksum(std::span<uint8_t> frame) {
  std::optional<Transport> transport = find_transport(frame);
  if (!transport || (transport->protocol != IPPROTO_TCP && transport->protocol != IPPROTO_UDP)) return {};
  const size_t place = checksum_place(&*transport);
  if (place == 0) return {};
  write16(transport->message, place, fold(sum_pseudo_header(*transport)));
  return {static_cast<uint32_t>(transport->message.data() - frame.data()), static_cast<uint32_t>(place),
          transport->protocol == IPPROTO_TCP, transport->ipv6};
}

}  // namespace netring
